"""The task that stands before a Rancher server: overlay."""

from __future__ import annotations

import math
import sys

from invoke import Context, task

from rearch.cli.door import answer, environment, guarded, project_root, say
from rearch.errors import UsageError


@task(
    auto_shortflags=False,
    iterable=["bundle"],
    help={
        "server": "the Rancher server, as http://rancher.example.org:8080/v1",
        "bundle": "an item and its refitted archive, as pyagent=FILE; may be given again; default: what lies in "
        "output/bundles",
        "listen": "address to listen on, HOST:PORT; port 0: a free one",
        "timeout": "seconds to wait for the server to answer or to go on",
        "grace": "seconds that requests under way have when it is stopped",
        "project": "the project's folder; default: the one around here",
    },
)
@guarded
def overlay(
    context: Context,
    bundle: list[str],
    server: str = "",
    listen: str = "127.0.0.1:8088",
    timeout: str = "60",
    grace: str = "10",
    project: str = "",
) -> None:
    """Pass everything on to a Rancher server, but hand out refitted archives. The address goes to stdout."""
    from rearch.app.overlay import OverlayOrder
    from rearch.app.overlay import overlay as run

    if not server:
        raise UsageError("which Rancher server?", hint="--server http://rancher.example.org:8080/v1")
    order = OverlayOrder(
        server=server,
        bundles=tuple(bundle),
        listen=listen,
        timeout=_seconds("timeout", timeout),
        grace=_seconds("grace", grace),
    )
    run(order, lambda: project_root(context, project), environment(), started=_started, log=say)


def _started(address: str) -> None:
    """Whoever starts this in the background waits for the line."""
    answer(address)
    sys.stdout.flush()


def _seconds(flag: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < 86400:
        raise UsageError(f"--{flag} {text}: not a number of seconds")
    return value
