"""`nightly`, first part: bring rearch.lock up to date by a policy, and take back what does not build.

A name that cannot be resolved keeps its entry. A tag that names another commit than the locked one is told and left as
it is, unless the policy is `all`: a branch is made to move, a tag is not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from msgspec import Struct

from rearch.app.locking import complete
from rearch.app.prepare import LOCK, identity_text
from rearch.engine.lockfile import lock_text, read_lock, write_lock
from rearch.errors import RearchError
from rearch.host.sources.git_urls import COMMIT
from rearch.model.frozen import FrozenDict
from rearch.model.lock import Entry, GitName, Lock, StatedName
from rearch.model.source import PinnedGit
from rearch.planning.names import wanted_names
from rearch.upkeep.nightly import Change, Problem, Stage, problem_of

if TYPE_CHECKING:
    from rearch.app.request import Request
    from rearch.app.wiring import Adapters
    from rearch.engine.nightly import NightlyFolder, Refused
    from rearch.model.nightly import UpdatePolicy
    from rearch.model.stack import Project
    from rearch.planning.names import Wanted

PARALLEL = 8


class Updated(Struct, frozen=True, kw_only=True):
    """What the update made. `before` holds the entries to go back to, by name: of this night's changes, and of those
    of a night that was killed before it had built them."""

    lock: Lock
    before: Mapping[str, Entry]
    changes: tuple[Change, ...]
    problems: tuple[Problem, ...]


class _Asked(Struct, frozen=True, kw_only=True):
    """One git source: whether it is to be resolved again, or what is wrong with it."""

    want: Wanted
    moves: bool = False
    error: RearchError | None = None


def update(
    request: Request,
    project: Project,
    adapters: Adapters,
    folder: NightlyFolder,
    *,
    policy: UpdatePolicy,
    refused: Mapping[str, Refused],
    write: bool,
) -> Updated:
    """Resolve again what the policy says; with `write` put it into rearch.lock. Errors: BadLock, OSError."""
    path = request.project / LOCK
    lock = read_lock(path)
    untried = folder.untried(lock)
    wanted = [want for want in wanted_names(project.stacks) if not isinstance(want.name, StatedName)]
    known = [want for want in wanted if lock.get(want.name) is not None]
    if policy == "none" or project.settings.offline:
        return _updated(lock, lock, untried, ())
    moving, problems = _moving(known, lock, adapters, policy)
    resolved = complete(lock, moving, adapters, update=True, locked=False, keep_going=True)
    needed = {str(want.name): want.needed_by for want in wanted}
    if resolved.failed is not None:
        failures = sorted(resolved.failed.failures.items())
        problems += [each for name, error in failures for each in _problems(needed[name], error)]
    after, refusals = _without(lock, resolved.lock, resolved.changed, refused, recipes_digest(request, project))
    if write and lock_text(after) != lock_text(lock):
        folder.begin_trial(Lock(FrozenDict({**lock.entries, **untried})), after)
        write_lock(path, after)
    return _updated(lock, after, untried, (*problems, *refusals))


def _updated(before: Lock, after: Lock, untried: Mapping[str, Entry], problems: Iterable[Problem]) -> Updated:
    old = {name: entry for name, entry in before.entries.items() if after.entries[name].identity != entry.identity}
    whole = Lock(FrozenDict({**before.entries, **old, **untried}))
    names = sorted({*old, *untried})
    changes = tuple(
        Change(
            name=name,
            before=identity_text(whole, name),
            after=identity_text(after, name),
            needed_by=after.entries[name].needed_by,
        )
        for name in names
    )
    return Updated(
        lock=after,
        before={name: whole.entries[name] for name in names},
        changes=changes,
        problems=tuple(problems),
    )


def _moving(
    known: Sequence[Wanted], lock: Lock, adapters: Adapters, policy: UpdatePolicy
) -> tuple[list[Wanted], list[Problem]]:
    """What is to be resolved again, and what is wrong with git sources that are not."""
    if policy == "all":
        return list(known), []
    sources = [want for want in known if isinstance(want.name, GitName)]
    with ThreadPoolExecutor(PARALLEL, thread_name_prefix="ask") as pool:
        asked = list(pool.map(lambda want: _ask(want, lock, adapters), sources))
    others = [want for want in known if not isinstance(want.name, GitName)]
    problems = [each for one in asked if one.error is not None for each in _problems(one.want.needed_by, one.error)]
    return [*others, *(one.want for one in asked if one.moves)], problems


def _ask(want: Wanted, lock: Lock, adapters: Adapters) -> _Asked:
    pinned = lock.get(want.name)
    assert isinstance(pinned, PinnedGit)
    if COMMIT.fullmatch(pinned.ref.lower()):
        return _Asked(want=want)
    try:
        found = adapters.git.now(pinned)
        if found is None:
            return _Asked(want=want, error=adapters.git.gone(pinned))
        if found.commit == pinned.commit:
            return _Asked(want=want)
        return _Asked(want=want, error=adapters.git.moved(pinned)) if found.is_tag else _Asked(want=want, moves=True)
    except RearchError as error:
        return _Asked(want=want, error=error)


def _problems(components: Iterable[str], error: RearchError) -> list[Problem]:
    return [problem_of(Stage.UPDATE, component, error) for component in components]


def _without(
    before: Lock, after: Lock, changed: Iterable[str], refused: Mapping[str, Refused], recipes: str
) -> tuple[Lock, list[Problem]]:
    """Without what another night has refused, as long as the recipes are the same: it is a problem still."""
    back = {}
    problems = []
    for name in changed:
        one = refused.get(name)
        if one is None or name not in before.entries or one.recipes != recipes:
            continue
        if one.identity == identity_line(after.entries[name]):
            back[name] = before.entries[name]
            text = f"{name}: {identity_text(after, name)} is not taken, it did not build on {one.since}: {one.why}"
            hint = "mend the recipe, then it is tried again"
            problems += [
                Problem(stage=Stage.UPDATE, component=component, summary=text, hint=hint) for component in one.broke
            ]
    return Lock(FrozenDict({**after.entries, **back})), problems


def identity_line(entry: Entry) -> str:
    """What an entry is, without who needs it, as a digest of the text in rearch.lock."""
    text = lock_text(Lock(FrozenDict({"": Entry(identity=entry.identity, needed_by=())})))
    return hashlib.sha256(text.encode()).hexdigest()


def recipes_digest(request: Request, project: Project) -> str:
    """Of every YAML file, patch and template that was read for these stacks."""
    found = hashlib.sha256()
    for name in sorted(project.files):
        path = request.project / name
        found.update(f"{name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode() if path.is_file() else b"")
    for stack in project.stacks:
        for component in stack.components:
            found.update("".join(f"{patch.path}\0{patch.digest}\n" for patch in component.patches).encode())
    return found.hexdigest()


def take_back(request: Request, updated: Updated, names: Iterable[str]) -> None:
    """Put these entries as they were into rearch.lock. Errors: OSError."""
    back = {name: updated.before[name] for name in names}
    write_lock(request.project / LOCK, Lock(FrozenDict({**updated.lock.entries, **back})))
