"""Names -> identities: what rearch.lock lacks is resolved, several names at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar, assert_never

from rearch.app.wiring import Adapters
from rearch.errors import RearchError, worst
from rearch.model.lock import DebianName, Entry, GitName, Identity, Lock, Name, NotLocked, Sysroot, SysrootName
from rearch.model.source import PinnedGit
from rearch.planning.names import Wanted

PARALLEL = 8
T = TypeVar("T")


class Unresolved(RearchError):
    """Some names could not be resolved; every one is told, the exit code is that of the worst."""

    def __init__(self, errors: Iterable[RearchError]) -> None:
        self.errors = tuple(errors)
        details = [f"{error.summary}" for error in self.errors[1:]]
        super().__init__(self.errors[0].summary, (*self.errors[0].details, *details), self.errors[0].hint)
        self.exit_code = worst(self.errors)  # type: ignore[misc]


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """A lock that holds every wanted name, and the names whose entry is new or other than before."""

    lock: Lock
    changed: tuple[str, ...]


def complete(lock: Lock, wanted: Iterable[Wanted], adapters: Adapters, *, update: bool, locked: bool) -> Resolved:
    """Resolve what the lock lacks (all of `wanted` with `update`).

    Errors: NotLocked with `locked`; Unresolved when names could not be.
    """
    wanted = tuple(wanted)
    missing = [want for want in wanted if update or lock.get(want.name) is None]
    if locked and missing:
        raise NotLocked(str(want.name) for want in missing)
    found = _resolve_all(missing, adapters) if missing else {}
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
    return Resolved(lock=merged, changed=changed)


def refuse_moved_tags(lock: Lock, wanted: Iterable[Wanted], adapters: Adapters) -> None:
    """Ask upstream whether the locked tags name the locked commits still. Errors: Unresolved, with all that moved."""
    pinned = [identity for want in wanted if isinstance(identity := lock.get(want.name), PinnedGit)]

    def one(identity: PinnedGit) -> None:
        error = adapters.git.moved(identity)
        if error is not None:
            raise error

    _all(one, pinned)


def _resolve_all(missing: Iterable[Wanted], adapters: Adapters) -> Mapping[str, Identity]:
    found: dict[str, Identity] = {}

    def one(want: Wanted) -> None:
        found[str(want.name)] = _resolve(want.name, adapters)

    _all(one, missing)
    return found


def _all(work: Callable[[T], None], items: Iterable[T]) -> None:
    """Work on several items at once; all errors are told together."""
    errors: list[RearchError] = []

    def one(item: T) -> None:
        try:
            work(item)
        except RearchError as error:
            errors.append(error)

    with ThreadPoolExecutor(PARALLEL, thread_name_prefix="resolve") as pool:
        list(pool.map(one, items))
    if errors:
        raise Unresolved(sorted(errors, key=lambda error: error.summary))


def _resolve(name: Name, adapters: Adapters) -> Identity:
    match name:
        case GitName(source):
            return adapters.git.resolve(source, None)
        case DebianName(source):
            return adapters.debian.resolve(source, None)
        case SysrootName(platform, packages):
            return Sysroot(packages=adapters.debian.resolve_sysroot(packages, platform))
    assert_never(name)
