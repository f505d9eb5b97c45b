"""`lock`: resolve, compare, write."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from msgspec.structs import replace

from rearch.app.lock_changes import change_text
from rearch.app.locking import Resolved, complete, joined, moved_tags
from rearch.app.prepare import LOCK, load
from rearch.app.request import Request
from rearch.app.wiring import Adapters
from rearch.engine.lock_changes import write_changes
from rearch.engine.lockfile import lock_text, read_lock
from rearch.errors import ExitCode
from rearch.model.lock import Lock
from rearch.planning.names import Wanted, wanted_names
from rearch.report import Reporter, Said


def lock(request: Request, report: Reporter, *, check: bool, prune: bool) -> ExitCode:
    """Bring rearch.lock up to date. With `check` nothing is written, and FAILED says that it is out of date.

    Errors: Unresolved, with every name that could not be resolved or whose tag moved; the others are written before.
    """
    project = load(request)
    path = request.project / LOCK
    before = read_lock(path)
    wanted = wanted_names(project.stacks, project.toolchains)
    adapters = Adapters(request, project.settings, report)
    asks = not request.update and not project.settings.offline
    failed = moved_tags(before, wanted, adapters) if asks else None
    if check and not request.update:
        code = _checked(before, wanted, _tidied(before, request, prune), report)
    else:
        resolved = complete(before, wanted, adapters, update=request.update, locked=False, keep_going=True)
        failed = joined(failed, resolved.failed)
        code = _took(path, before, resolved, _tidied(resolved.lock, request, prune), report, check=check)
    if failed is not None:
        raise failed
    return code


def _took(path: Path, before: Lock, resolved: Resolved, after: Lock, report: Reporter, *, check: bool) -> ExitCode:
    for name in resolved.changed:
        text = change_text(before, after, name)
        report(Said(text=f"{'would lock' if check else 'locked'} {name}: {text}"))
    if check:
        return ExitCode.FAILED if lock_text(after) != lock_text(before) else ExitCode.OK
    wrote = write_changes(path, before, after)
    report(Said(text=f"{'wrote' if wrote else 'unchanged:'} {path.name}, {len(after.entries)} names"))
    return ExitCode.OK


def _checked(before: Lock, wanted: Iterable[Wanted], tidied: Lock, report: Reporter) -> ExitCode:
    """Say everything that `lock` would change without asking anybody."""
    faults = [*_not_held(before, wanted)]
    faults += [f"no longer needed: {name}" for name in sorted(before.entries.keys() - tidied.entries.keys())]
    faults += [
        f"needed by {', '.join(entry.needed_by)}, not by {', '.join(before.entries[name].needed_by)}: {name}"
        for name, entry in sorted(tidied.entries.items())
        if entry.needed_by != before.entries[name].needed_by
    ]
    for fault in faults:
        report(Said(text=fault, level="warning"))
    if faults:
        report(Said(text="rearch.lock is out of date: run `invoke lock` (with --prune to drop entries) and commit it"))
    return ExitCode.FAILED if faults else ExitCode.OK


def _not_held(before: Lock, wanted: Iterable[Wanted]) -> Iterator[str]:
    for want in wanted:
        fault = before.fault(want.name)
        if fault is None:
            yield f"not locked: {want.name}"
        elif fault:
            yield f"locked as something else than its YAML says: {want.name}: {fault}"


def _tidied(found: Lock, request: Request, prune: bool) -> Lock:
    """With who needs each entry as it is now, by the recipes of the whole project; with `prune` without those that
    none of them needs."""
    everything = load(replace(request, stacks=None, only=()))
    needed = {str(want.name): want.needed_by for want in wanted_names(everything.stacks, everything.toolchains)}
    return found.keep(needed) if prune else found.needed(needed)
