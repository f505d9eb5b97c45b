"""The task that plays the whole story: rehearse."""

from __future__ import annotations

import json as json_format
import sys
from typing import TYPE_CHECKING

from invoke import Context, task

from rearch.cli.build import HELP, make_request
from rearch.cli.door import answer, environment, guarded, say

if TYPE_CHECKING:
    from rearch.rehearsal.findings import Finding


@task(
    auto_shortflags=False,
    help={
        "engine": "the Docker engine of the hosts, unix:///path/docker.sock; default: the one that answers, else one "
        "that is started for this (root)",
        "install": "install what is missing with apt-get (Debian, root)",
        "keep": "leave everything in its place, and say where",
        "json": "print JSON instead of the list",
    }
    | {name: HELP[name] for name in ("offline", "progress", "verbose", "project")},
)
@guarded
def rehearse(
    context: Context,
    engine: str = "",
    install: bool = False,
    keep: bool = False,
    json: bool = False,
    offline: bool = False,
    progress: str = "quiet",
    verbose: bool = False,
    project: str = "",
) -> int:
    """Play it all on this machine: build, an x86 archive that fails on ARM, refit, publish, volumes, two hosts."""
    from rearch.app.rehearse import RehearseOrder, run_rehearsal
    from rearch.host.progress import reporter

    request = make_request(context, project, None, None, None, None, offline=offline)
    report = reporter(progress, sys.stderr, environment(), verbose=verbose, root=request.project)
    order = RehearseOrder(engine=engine, keep=keep, install=install)
    result = run_rehearsal(request, order, report, _to_nowhere if json else _answer)
    if json:
        answer(json_format.dumps(result.to_facts(), indent=1))
    for line in result.kept:
        say(line)
    for error in result.errors:
        say(error.render("rehearse"))
    say(f"{result.held} of {len(result.findings)} steps held")
    return int(result.exit_code)


def _answer(finding: Finding) -> None:
    """The list is the result: it goes to stdout, as it grows."""
    from rearch.rehearsal.findings import finding_lines

    for line in finding_lines(finding):
        answer(line)
    sys.stdout.flush()


def _to_nowhere(_finding: Finding) -> None:
    """With --json they come all at once, at the end."""
