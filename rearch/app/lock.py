"""`lock`: resolve, compare, write."""

from __future__ import annotations

from msgspec.structs import replace

from rearch.app.locking import complete, refuse_moved_tags
from rearch.app.prepare import LOCK, identity_text, load
from rearch.app.request import Request
from rearch.app.wiring import Adapters
from rearch.engine.lockfile import lock_text, read_lock, write_lock
from rearch.errors import ExitCode
from rearch.model.lock import Lock
from rearch.planning.names import wanted_names
from rearch.report import Reporter, Said


def lock(request: Request, report: Reporter, *, check: bool, prune: bool) -> ExitCode:
    """Bring rearch.lock up to date. With `check` nothing is written, and FAILED says that it is out of date."""
    project = load(request)
    path = request.project / LOCK
    before = read_lock(path)
    wanted = wanted_names(project.stacks)
    adapters = Adapters(request, project.settings, report)
    missing = [str(want.name) for want in wanted if before.get(want.name) is None]
    if not request.update and not project.settings.offline:
        refuse_moved_tags(before, wanted, adapters)
    if check and not request.update:
        return _checked(missing, before, prune_to(before, request, prune), report)
    resolved = complete(before, wanted, adapters, update=request.update, locked=False)
    after = prune_to(resolved.lock, request, prune)
    for name in resolved.changed:
        old = f"{identity_text(before, name)} -> " if name in before.entries else ""
        report(Said(text=f"{'would lock' if check else 'locked'} {name}: {old}{identity_text(after, name)}"))
    if check:
        return ExitCode.FAILED if lock_text(after) != lock_text(before) else ExitCode.OK
    wrote = write_lock(path, after)
    report(Said(text=f"{'wrote' if wrote else 'unchanged:'} {path.name}, {len(after.entries)} names"))
    return ExitCode.OK


def _checked(missing: list[str], before: Lock, pruned: Lock, report: Reporter) -> ExitCode:
    for name in missing:
        report(Said(text=f"not locked: {name}", level="warning"))
    for name in sorted(before.entries.keys() - pruned.entries.keys()):
        report(Said(text=f"no longer needed: {name}", level="warning"))
    stale = bool(missing) or pruned.entries.keys() != before.entries.keys()
    if stale:
        report(Said(text="rearch.lock is out of date: run `invoke lock` (with --prune to drop entries) and commit it"))
    return ExitCode.FAILED if stale else ExitCode.OK


def prune_to(found: Lock, request: Request, prune: bool) -> Lock:
    """Without the entries that no recipe of the whole project needs."""
    if not prune:
        return found
    everything = load(replace(request, stacks=None, only=()))
    return found.keep({str(want.name): want.needed_by for want in wanted_names(everything.stacks)})
