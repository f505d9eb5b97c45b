"""Names -> identities: what rearch.lock lacks is resolved, several names at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import assert_never

from msgspec import Struct

from rearch.app.wiring import Adapters
from rearch.errors import RearchError, worst
from rearch.model.lock import (
    ArchiveName,
    BaseName,
    DebianName,
    Entry,
    GitName,
    Identity,
    Lock,
    Name,
    NotLocked,
    PackagesName,
    PinnedPackages,
    Sysroot,
    SysrootName,
    ToolName,
)
from rearch.model.source import PinnedGit
from rearch.planning.names import Wanted

PARALLEL = 8


class Unresolved(RearchError):
    """Some names could not be resolved; every one is told, the exit code is that of the worst."""

    def __init__(self, failures: Mapping[str, RearchError]) -> None:
        self.failures = failures
        self.errors = tuple(sorted(failures.values(), key=lambda error: error.summary))
        details = [error.summary for error in self.errors[1:]]
        super().__init__(self.errors[0].summary, (*self.errors[0].details, *details), self.errors[0].hint)
        self.exit_code = worst(self.errors)


class Resolved(Struct, frozen=True, kw_only=True):
    """A lock that holds every wanted name but those of `failed`, and the names whose entry is new or changed."""

    lock: Lock
    changed: tuple[str, ...]
    failed: Unresolved | None = None


def complete(
    lock: Lock, wanted: Iterable[Wanted], adapters: Adapters, *, update: bool, locked: bool, keep_going: bool = False
) -> Resolved:
    """Resolve what the lock lacks (all of `wanted` with `update`).

    Errors: NotLocked with `locked`; Unresolved when names could not be, which with `keep_going` is in the answer.
    """
    wanted = tuple(wanted)
    missing = [want for want in wanted if update or not lock.holds(want.name)]
    if locked and missing:
        faults = {str(want.name): lock.fault(want.name) for want in missing}
        raise NotLocked(
            [name for name, fault in faults.items() if fault is None],
            {name: fault for name, fault in faults.items() if fault},
        )
    found, failed = _resolve_all(missing, adapters, lock) if missing else ({}, None)
    if failed is not None and not keep_going:
        raise failed
    needed = {
        str(want.name): Entry(identity=identity, needed_by=want.needed_by)
        for want in wanted
        if (identity := found.get(str(want.name)) or lock.get(want.name))
    }
    merged = lock.merge(needed)
    changed = tuple(
        name
        for name in sorted(found)
        if lock.entries.get(name, None) is None or lock.entries[name].identity != found[name]
    )
    return Resolved(lock=merged, changed=changed, failed=failed)


def moved_tags(lock: Lock, wanted: Iterable[Wanted], adapters: Adapters) -> Unresolved | None:
    """Ask upstream whether the locked tags name the locked commits still: all that moved, and all that nobody told."""

    def one(want: Wanted) -> None:
        identity = lock.get(want.name)
        error = adapters.git.moved(identity) if isinstance(identity, PinnedGit) else None
        if error is not None:
            raise error

    return _all(one, wanted)


def joined(*failed: Unresolved | None) -> Unresolved | None:
    """All of them as one; of a name that failed twice, what was told first."""
    failures = {name: error for one in reversed(failed) if one is not None for name, error in one.failures.items()}
    return Unresolved(failures) if failures else None


def _resolve_all(
    missing: Iterable[Wanted], adapters: Adapters, lock: Lock
) -> tuple[Mapping[str, Identity], Unresolved | None]:
    found: dict[str, Identity] = {}

    def one(want: Wanted) -> None:
        found[str(want.name)] = _resolve(want.name, adapters, lock)

    failed = _all(one, missing)
    return found, failed


def _all(work: Callable[[Wanted], None], items: Iterable[Wanted]) -> Unresolved | None:
    """Work on several names at once; all errors are told together."""
    failures: dict[str, RearchError] = {}

    def one(item: Wanted) -> None:
        try:
            work(item)
        except RearchError as error:
            failures[str(item.name)] = error

    with ThreadPoolExecutor(PARALLEL, thread_name_prefix="resolve") as pool:
        list(pool.map(one, items))
    return Unresolved(failures) if failures else None


def _resolve(name: Name, adapters: Adapters, lock: Lock) -> Identity:
    match name:
        case GitName(source):
            return adapters.git.resolve(source, None)
        case DebianName(source):
            return adapters.debian.resolve(source, None)
        case SysrootName(platform, packages):
            return Sysroot(packages=adapters.debian.resolve_sysroot(packages, platform))
        case BaseName(reference):
            return adapters.bases.resolve(reference)
        case PackagesName(suite, platform, packages):
            before = lock.get(name)
            # The same packages keep their date, or every update would make the base again.
            pinned = before if isinstance(before, PinnedPackages) else None
            return adapters.debian.resolve_root_fs(suite, packages, platform, pinned)
        case ArchiveName() | ToolName():
            return name.stated
    assert_never(name)
