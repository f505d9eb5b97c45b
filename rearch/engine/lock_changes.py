"""What one run changed in rearch.lock, written onto what the file holds by then: another run may have written it."""

from __future__ import annotations

from pathlib import Path

from rearch.engine.lockfile import lock_text, parse_lock
from rearch.engine.undo import Rewrite, changing, content, put
from rearch.model.frozen import FrozenDict
from rearch.model.lock import Lock


def write_changes(path: Path, before: Lock, after: Lock) -> bool:
    """Bring what differs between `before`, as it was read, and `after` into the lock of a project; True when it did.

    Entries that somebody else wrote meanwhile stay. One that is killed leaves the file as it was or as it was to be,
    and its draft to the next command (engine.undo). Errors: BadLock, BadJournal, CannotUndo, OSError.
    """
    if content(path) == lock_text(after).encode():
        return False
    with changing(path.parent) as journal:
        old = content(path)
        now = parse_lock(path, old) if old is not None else Lock()
        new = lock_text(changed(now, before, after)).encode()
        real = path.resolve()
        journal.note({real: Rewrite(old=old, new=new)})
        if new != old:
            put(real, new)
    return new != old


def changed(now: Lock, before: Lock, after: Lock) -> Lock:
    """`now` with the changes from `before` to `after`."""
    come = {name: entry for name, entry in after.entries.items() if before.entries.get(name) != entry}
    gone = before.entries.keys() - after.entries.keys()
    kept = {name: entry for name, entry in now.entries.items() if name not in gone}
    return Lock(FrozenDict({**kept, **come}))
