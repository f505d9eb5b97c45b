"""`nightly`, first part: bring versions and rearch.lock up to date by policies, and take back what does not build.

A name that cannot be resolved keeps its entry. A tag that names another commit than the locked one is told and left as
it is, unless the policy is `all`: a branch is made to move, a tag is not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from rearch.app.lock_changes import change_text
from rearch.app.locking import Resolved, complete
from rearch.app.nightly_look import Policies, policies_of
from rearch.app.nightly_recipes import recipes_digest
from rearch.app.nightly_versions import Taken, Versions, take_versions_back
from rearch.app.prepare import LOCK, identity_text, load
from rearch.engine.lock_changes import write_changes
from rearch.engine.lockfile import lock_text, read_lock
from rearch.engine.refused import HostError, is_refusal
from rearch.errors import RearchError
from rearch.host.sources.git_urls import COMMIT
from rearch.model.frozen import NOTHING, FrozenDict
from rearch.model.lock import Entry, GitName, Lock, StatedName
from rearch.model.source import PinnedGit
from rearch.planning.names import wanted_names
from rearch.reporting.night_record import Change, Problem, Stage, problem_of
from rearch.upkeep.trial import Trial, entangled

if TYPE_CHECKING:
    from rearch.app.request import Request
    from rearch.app.wiring import Adapters
    from rearch.engine.nightly import NightlyFolder, Refused
    from rearch.model.nightly import UpdatePolicy
    from rearch.model.stack import Project
    from rearch.planning.names import Wanted
    from rearch.report import Reporter

PARALLEL = 8


class Updated(Struct, frozen=True, kw_only=True):
    """What the update made. `before` holds the entries to go back to, by name: of this night's changes, and of those
    of a night that was killed before it had built them; `trials` the versions, in the order in which they were taken.
    `refused` to be remembered: versions whose patches or edits do not apply. `told`: what is no failure. `later` and
    `later_before`: trials and entries of a killed night, of components that this night does not build."""

    lock: Lock
    before: Mapping[str, Entry]
    changes: tuple[Change, ...]
    problems: tuple[Problem, ...]
    trials: tuple[Trial, ...] = ()
    refused: Mapping[str, Refused] = {}
    told: tuple[str, ...] = ()
    later: tuple[Trial, ...] = ()
    later_before: Mapping[str, Entry] = NOTHING

    def identity(self, name: str) -> str:
        """What a change made of an entry or a version, as it is remembered where it is refused."""
        tags = {trial.name: trial.tag for trial in self.trials}
        return tags[name] if name in tags else identity_line(self.lock.entries[name])

    def together(self, names: Collection[str]) -> frozenset[str]:
        """These changes, and those that can only be taken back with them."""
        return frozenset({*names, *(trial.name for trial in entangled(self.trials, names))})


class _Asked(Struct, frozen=True, kw_only=True):
    """One git source: whether it is to be resolved again, or what is wrong with it."""

    want: Wanted
    moves: bool = False
    error: RearchError | None = None


class Update(Struct, frozen=True, kw_only=True):
    """How to update. `policy` is of components that say nothing themselves; `refused`: by other nights."""

    request: Request
    adapters: Adapters
    folder: NightlyFolder
    policy: UpdatePolicy
    refused: Mapping[str, Refused]
    report: Reporter
    night: str
    write: bool

    def run(self, project: Project) -> Updated:
        """Take newer versions, and resolve again what the policies say; with `write` put it into the recipes and
        rearch.lock. What goes wrong is in the answer. Errors: BadLock, those of loading the YAML."""
        policies = policies_of(project, self.policy)
        taken = self._versions(project, policies)
        if any(change.files for change in taken.changes) and self.write:
            project = load(self.request)
        entries = self._entries(project, policies, taken)
        return replace(
            entries,
            changes=(*taken.changes, *entries.changes),
            problems=(*taken.problems, *entries.problems),
            trials=taken.trials,
            refused=taken.refused,
            told=(*taken.told, *entries.told),
            later=taken.later,
        )

    def _versions(self, project: Project, policies: Policies) -> Taken:
        return Versions(
            request=self.request,
            project=project,
            adapters=self.adapters,
            folder=self.folder,
            policies=policies,
            refused=self.refused,
            report=self.report,
            night=self.night,
            write=self.write,
        ).take()

    def _entries(self, project: Project, policies: Policies, taken: Taken) -> Updated:
        path = self.request.project / LOCK
        lock = read_lock(path)
        left, torn = self.folder.untried(lock)
        untried, later = _asked_for(left, lock, project)
        told = (torn,) if torn else ()
        wanted = [want for want in wanted_names(project.stacks) if not isinstance(want.name, StatedName)]
        known = [want for want in wanted if lock.get(want.name) is not None]
        if not self.write:  # the YAML has the old versions still, of which nobody would ask any more
            left_behind = {name for change in taken.changes for name in change.needed_by}
            known = [want for want in known if not {*want.needed_by} <= left_behind]
        if self.policy == "none" or project.settings.offline:
            return replace(_updated(lock, lock, untried, (), told), later_before=later)
        moving, problems = _moving(known, lock, self.adapters, policies)
        resolved = complete(lock, moving, self.adapters, update=True, locked=False, keep_going=True)
        needed = {str(want.name): want.needed_by for want in wanted}
        if resolved.failed is not None:
            failures = sorted(resolved.failed.failures.items())
            problems += [each for name, error in failures for each in _problems(needed[name], error)]
        after, refusals = self._without(project, lock, resolved)
        problems += refusals
        try:
            self._write(lock, after, left)
        except OSError as error:
            if not is_refusal(error):
                raise
            # What was locked before is there still, and can be built.
            problems.append(problem_of(Stage.UPDATE, "", HostError(f"{LOCK} could not be updated", error)))
            after = lock
        return replace(_updated(lock, after, untried, problems, told), later_before=later)

    def _write(self, lock: Lock, after: Lock, untried: Mapping[str, Entry]) -> None:
        if self.write and lock_text(after) != lock_text(lock):
            self.folder.begin_trial(Lock(FrozenDict({**lock.entries, **untried})), after)
            write_changes(self.request.project / LOCK, lock, after)

    def _without(self, project: Project, before: Lock, resolved: Resolved) -> tuple[Lock, list[Problem]]:
        """Without what another night has refused, as long as the recipes are the same: it is a problem still."""
        back = {}
        problems = []
        for name in resolved.changed:
            one, entry = self.refused.get(name), resolved.lock.entries[name]
            if one is None or name not in before.entries or one.identity != identity_line(entry):
                continue
            if one.recipes == recipes_digest(self.request, project, entry.needed_by):
                back[name] = before.entries[name]
                problems += _still(name, identity_text(resolved.lock, name), one)
        return Lock(FrozenDict({**resolved.lock.entries, **back})), problems


def _asked_for(
    left: Mapping[str, Entry], lock: Lock, project: Project
) -> tuple[Mapping[str, Entry], Mapping[str, Entry]]:
    """Entries that a build of this night tries, and those that none of its components needs."""
    asked = {each.id for stack in project.stacks for each in stack.components if each.asked}
    now = {name: one for name, one in left.items() if asked & {*lock.entries[name].needed_by}}
    return now, {name: one for name, one in left.items() if name not in now}


def _still(name: str, what: str, one: Refused) -> list[Problem]:
    text = f"{name}: {what} is not taken, it did not build on {one.since}: {one.why}"
    hint = "mend the recipe, then it is tried again"
    return [Problem(stage=Stage.UPDATE, component=component, summary=text, hint=hint) for component in one.broke]


def _updated(
    before: Lock, after: Lock, untried: Mapping[str, Entry], problems: Iterable[Problem], told: tuple[str, ...]
) -> Updated:
    old = {name: entry for name, entry in before.entries.items() if after.entries[name].identity != entry.identity}
    whole = Lock(FrozenDict({**before.entries, **old, **untried}))
    names = sorted({*old, *untried})
    changes = tuple(
        Change(
            name=name,
            before=identity_text(whole, name),
            after=_after(whole, after, name),
            needed_by=after.entries[name].needed_by,
        )
        for name in names
    )
    return Updated(
        lock=after,
        before={name: whole.entries[name] for name in names},
        changes=changes,
        problems=tuple(problems),
        told=told,
    )


def _after(before: Lock, after: Lock, name: str) -> str:
    """What an entry is now; where that reads as before, with what differs."""
    new = identity_text(after, name)
    return new if identity_text(before, name) != new else change_text(before, after, name)


def _moving(
    known: Sequence[Wanted], lock: Lock, adapters: Adapters, policies: Policies
) -> tuple[list[Wanted], list[Problem]]:
    """What is to be resolved again, and what is wrong with git sources that are not."""
    moves = {str(want.name): policies.for_entry(want.needed_by) for want in known}
    known = [want for want in known if moves[str(want.name)] != "none"]
    whole = [want for want in known if moves[str(want.name)] == "all"]
    sources = [want for want in known if isinstance(want.name, GitName) and want not in whole]
    with ThreadPoolExecutor(PARALLEL, thread_name_prefix="ask") as pool:
        asked = list(pool.map(lambda want: _ask(want, lock, adapters), sources))
    others = [want for want in known if not isinstance(want.name, GitName) or want in whole]
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


def identity_line(entry: Entry) -> str:
    """What an entry is, without who needs it, as a digest of the text in rearch.lock."""
    text = lock_text(Lock(FrozenDict({"": Entry(identity=entry.identity, needed_by=())})))
    return hashlib.sha256(text.encode()).hexdigest()


def take_back(request: Request, updated: Updated, names: Collection[str]) -> None:
    """Put these changes as they were into the recipes and rearch.lock.

    Errors: BadLock, ChangedMeanwhile, ConfigProblems, OSError.
    """
    back_trials = [trial for trial in updated.trials if trial.name in names]
    take_versions_back(request, back_trials, (*updated.later, *updated.trials))
    path = request.project / LOCK
    back = {name: entry for name, entry in updated.before.items() if name in names}
    lock = read_lock(path)
    write_changes(path, lock, Lock(FrozenDict({**lock.entries, **back})))
