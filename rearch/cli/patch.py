"""The tasks of the patch workflow: patch start, patch refresh, patch drop, patch list."""

from __future__ import annotations

import json as json_format
from pathlib import Path
from typing import TYPE_CHECKING

from invoke import Collection, Context, task

from rearch.cli.build import HELP, make_request, reporter_for
from rearch.cli.door import answer, guarded, no_flag, say
from rearch.errors import ExitCode

if TYPE_CHECKING:
    from rearch.app.patch_desk import PatchOrder, PatchWork

_HELP = {
    "component": "the component, as healthcheck or rancher/healthcheck",
    "dir": "the worktree; default: output/patches/STACK/COMPONENT",
} | {name: HELP[name] for name in ("offline", "verbose", "project")}


@task(
    auto_shortflags=False,
    positional=["component"],
    help=_HELP
    | {
        "from_": "version that the patches were made for, to merge from; default: what `bump --force` left",
        "fresh": "make the worktree anew, and throw away what is in it",
    },
)
@guarded
def start(
    context: Context,
    component: str,
    from_: str = "",
    dir: str = "",
    fresh: bool = False,
    offline: bool = False,
    verbose: bool = False,
    project: str = "",
) -> int:
    """Lay out the pinned source as a git repository with a commit for each patch. Its path goes to stdout."""
    from rearch.app.patch import start as run

    no_flag(component, "patch.start")
    request = make_request(context, project, None, None, None, None, offline=offline)
    order = _order(component, dir, old=from_, fresh=fresh)
    work = run(request, order, reporter_for("plain", request, verbose=verbose))
    answer(str(work.path))
    return _told(work, f"edit and commit there, then `rearch patch refresh {work.component}`")


@task(
    auto_shortflags=False,
    positional=["component"],
    help=_HELP | {"name": "the patch for changes without a commit: a new one, or the last"},
)
@guarded
def refresh(
    context: Context,
    component: str,
    name: str = "",
    dir: str = "",
    offline: bool = False,
    verbose: bool = False,
    project: str = "",
) -> int:
    """Write the worktree's commits as the quilt series beside the recipe; goes on after a conflict."""
    from rearch.app.patch_refresh import refresh as run

    no_flag(component, "patch.refresh")
    request = make_request(context, project, None, None, None, None, offline=offline)
    work = run(request, _order(component, dir, name=name), reporter_for("plain", request, verbose=verbose))
    for verb, names in (("wrote", work.written), ("removed", work.removed)):
        for each in names:
            answer(f"{verb} {each}")
    for each in work.left_out:
        say(f"left out: {each}, which .gitignore names (`git add -f` takes it in)")
    return _told(work, f"{len(work.written)} written, {len(work.kept)} as they were, {len(work.removed)} removed")


@task(auto_shortflags=False, positional=["component", "name"], help=_HELP | {"name": "the patch, as `series` has it"})
@guarded
def drop(
    context: Context,
    component: str,
    name: str,
    dir: str = "",
    offline: bool = False,
    verbose: bool = False,
    project: str = "",
) -> int:
    """Remove a patch, when the others apply without it."""
    from rearch.app.patch_list import drop as run

    no_flag(component, "patch.drop")
    no_flag(name, "patch.drop")
    request = make_request(context, project, None, None, None, None, offline=offline)
    run(request, _order(component, dir, name=name), reporter_for("plain", request, verbose=verbose))
    answer(f"removed {name}")
    return ExitCode.OK


@task(
    name="list", auto_shortflags=False, positional=["component"], help=_HELP | {"json": "print JSON instead of lines"}
)
@guarded
def list_(
    context: Context,
    component: str,
    json: bool = False,
    dir: str = "",
    offline: bool = False,
    verbose: bool = False,
    project: str = "",
) -> int:
    """The patches of a component: which files they change, and whether they apply. Exit code 1 when one does not."""
    from rearch.app.patch_list import listed

    no_flag(component, "patch.list")
    request = make_request(context, project, None, None, None, None, offline=offline)
    found = listed(request, _order(component, dir), reporter_for("plain", request, verbose=verbose))
    if json:
        fields = ("name", "files", "notes", "error")
        answer(json_format.dumps([{field: getattr(one, field) for field in fields} for one in found], indent=1))
    else:
        for one in found:
            answer(f"{one.name}: {one.error or ', '.join(one.files) or 'already in the source'}")
            for note in one.notes:
                answer(f"  {note}")
        if not found:
            say("no patches")
    return ExitCode.FAILED if any(one.error for one in found) else ExitCode.OK


def namespace() -> Collection:
    """`patch.start` and its like; the command line takes them as two words too."""
    return Collection("patch", start, refresh, drop, list_)


def _order(component: str, folder: str, *, name: str = "", old: str = "", fresh: bool = False) -> PatchOrder:
    from rearch.app.patch_desk import PatchOrder

    place = Path(folder).expanduser().absolute() if folder else None
    return PatchOrder(component=component, folder=place, name=name, old=old, fresh=fresh)


def _told(work: PatchWork, done: str) -> int:
    """FAILED while a conflict waits: a script must not take it for done."""
    if not work.pending:
        say(done)
        return ExitCode.OK
    say(f"{work.pending[0]} conflicts with the new source, in {work.path}:")
    for name in work.conflicts:
        say(f"  {name}")
    for name in work.undecided:
        say(f"no marks in {name}: one side removed it, or the like; tell git with `git add` or `git rm`")
    say(f"hint: edit these files until no <<<<<<< is left, then `rearch patch refresh {work.component}` goes on")
    return ExitCode.FAILED
