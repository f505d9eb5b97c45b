"""The tasks that look for what is newer: outdated, stale."""

from __future__ import annotations

import json as json_format
from collections.abc import Container, Iterable
from itertools import pairwise, takewhile
from typing import TYPE_CHECKING

from invoke import Context, task

from rearch.cli.build import HELP, Given, make_request
from rearch.cli.door import answer, guarded, no_flag, say, words
from rearch.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from rearch.upkeep.outdated_rows import Row

ROWS = {
    "json": "print every row as JSON",
    "all": "show what is current too",
    "exit-code": "exit 1 when something is newer, has moved or is gone",
}

_STALE = {name: HELP[name] for name in ("offline", "project")} | ROWS
_STALE |= {"ref": "an image or index of a registry; several in one go, with spaces or commas between"}


@task(
    auto_shortflags=False,
    help={name: HELP[name] for name in ("stack", "only", "offline", "project")}
    | {"stack": "stacks to look at; default: all", "only": "components to look at, as healthcheck or rancher/agent"}
    | ROWS,
)
@guarded
def outdated(
    context: Context,
    stack: Given = None,
    only: Given = None,
    json: bool = False,
    all: bool = False,
    exit_code: bool = False,
    offline: bool = False,
    project: str = "",
) -> int:
    """List what upstream has that is newer than the project's pins: tags, bases, Debian packages, toolchains."""
    from rearch.app.outdated import outdated as run

    request = make_request(context, project, None, None, stack, only, offline=offline)
    rows = run(request, lambda _event: None)
    return _tell(rows, json=json, everything=all, exit_code=exit_code)


@task(auto_shortflags=False, positional=["ref"], help=_STALE)
@guarded
def stale(
    context: Context,
    ref: str,
    json: bool = False,
    all: bool = False,
    exit_code: bool = False,
    offline: bool = False,
    project: str = "",
) -> int:
    """List which published images (REF...) have a base, source or toolchain that moved since."""
    from rearch.app.stale import stale as run

    no_flag(ref, "stale")
    references = words(ref)
    if not references:
        raise UsageError("stale was given no image", hint="`rearch stale registry.example.org/team/app:v1`")
    request = make_request(context, project, None, None, None, None, offline=offline)
    rows = run(request, references, lambda _event: None)
    return _tell(rows, json=json, everything=all, exit_code=exit_code)


def references_joined(given: list[str], tasks: Container[str]) -> list[str]:
    """`stale REF REF` as invoke reads it, which takes one word for one argument: `stale REF,REF`."""
    if given[:1] != ["stale"]:
        return given
    pairs = enumerate(pairwise(given), 1)
    first = next((at for at, (before, word) in pairs if word[:1] != "-" and before != "--project"), len(given))
    more = tuple(takewhile(lambda word: word[:1] != "-" and word not in tasks, given[first + 1 :]))
    return [*given[:first], ",".join((given[first], *more)), *given[first + 1 + len(more) :]] if more else given


def _tell(rows: Iterable[Row], *, json: bool, everything: bool, exit_code: bool) -> int:
    from rearch.upkeep.outdated_rows import document, summary, table

    rows = tuple(rows)
    if json:
        answer(json_format.dumps(document(rows), indent=1, sort_keys=True, ensure_ascii=False))
    else:
        for line in table(rows, everything=everything):
            answer(line)
    say(summary(rows))
    return int(ExitCode.FAILED) if exit_code and any(row.is_outdated for row in rows) else int(ExitCode.OK)
