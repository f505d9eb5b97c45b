"""`nightly`, first part: newer versions are taken by policy, as `bump` takes them, one component after the other.

What each edits is written down before it is written (engine.nightly, `versions.json`), so that the build of this night,
or the next night when this one is killed, can take it back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from rearch.app.bump import BumpOrder, NoLongerApplies, Writing, bump
from rearch.app.nightly_look import Looked, Newer, Policies, look
from rearch.app.nightly_recipes import recipes_digest
from rearch.app.prepare import LOCK
from rearch.engine.lockfile import lock_text, read_lock
from rearch.engine.nightly import Refused
from rearch.engine.refused import HostError, is_refusal
from rearch.engine.rewrite import Rewrite, rewrite
from rearch.errors import RearchError, StepError
from rearch.planning.names import wanted_names
from rearch.reporting.night_record import Change, Problem, Stage, problem_of
from rearch.upkeep.bump import Bumped
from rearch.upkeep.trial import Trial, lock_without, lost_entries, standing, texts_without

if TYPE_CHECKING:
    from rearch.app.request import Request
    from rearch.app.wiring import Adapters
    from rearch.engine.nightly import NightlyFolder
    from rearch.model.stack import Project
    from rearch.report import Reporter


class SharedVersion(StepError):
    """A version cannot be taken, since another component would move with it that is not to."""

    def __init__(self, component: str, new: str, others: Sequence[str]) -> None:
        self.component = component
        self.new = new
        self.others = tuple(others)
        super().__init__(
            f"{component}: {new} would move {', '.join(others)} too, whose policy takes no such version",
            ["their versions stand in a place that they share, or they are not built this night"],
            hint=f"give them the same `watch: {{update: ...}}`, or `rearch bump {component} --to {new}` by hand",
        )


class NotUndoable(StepError):
    """An edit that could not be taken back line by line."""

    def __init__(self, component: str, files: Iterable[str]) -> None:
        self.component = component
        super().__init__(
            f"{component}: its version is written over several lines, and a night could not take it back",
            [f"in {', '.join(files)}"],
            hint=f"write it on one line, or `rearch bump {component}` by hand",
        )


class Taken(Struct, frozen=True, kw_only=True):
    """`trials` stand in the YAML, in the order in which they were taken; those of a night that was killed first.
    `changes` say the same for people, with what a dry run would take. `refused`: what did not even apply. `later`:
    trials of a killed night that another one has to build, since not all of their components are built in this."""

    trials: tuple[Trial, ...] = ()
    changes: tuple[Change, ...] = ()
    problems: tuple[Problem, ...] = ()
    refused: Mapping[str, Refused] = {}
    told: tuple[str, ...] = ()
    later: tuple[Trial, ...] = ()


class Versions(Struct, kw_only=True):
    """How versions are taken. `refused`: by another night; `night`: this one."""

    request: Request
    project: Project
    adapters: Adapters
    folder: NightlyFolder
    policies: Policies
    refused: Mapping[str, Refused]
    report: Reporter
    night: str
    write: bool

    def take(self) -> Taken:
        """What the policies say. What goes wrong is in the answer. Errors: BadLock, those of loading the YAML."""
        left, told = self._left()
        trials = tuple(trial for trial in left if {*trial.moved} <= self._asked)
        looked = Looked() if self.project.settings.offline else look(self.project, self.policies, self.adapters)
        taken = Taken(
            trials=trials,
            changes=tuple(change_of(trial) for trial in trials),
            problems=looked.problems,
            told=(*told, *looked.told),
            later=tuple(trial for trial in left if trial not in trials),
        )
        for newer in looked.newer:
            if newer.component not in {name for change in taken.changes for name in change.needed_by}:
                taken = self._one(newer, taken)
        return taken

    @property
    def _asked(self) -> frozenset[str]:
        return frozenset(each.id for stack in self.project.stacks for each in stack.components if each.asked)

    def _left(self) -> tuple[tuple[Trial, ...], tuple[str, ...]]:
        """What a night that was killed has left: whole versions stay, to be built; what was cut short is undone."""
        trials, torn = self.folder.versions()
        told = [torn] if torn else []
        lock = read_lock(self.request.project / LOCK)
        texts = texts_of(self.request.project, trials)
        found = {trial.name: standing(trial, texts, lock) for trial in trials}
        half = tuple(trial for trial in trials if found[trial.name] == "half")
        if half and self.write:
            take_versions_back(self.request, half, trials)
            told += [
                f"{trial.name}: {trial.new} was half written when a night was killed, and is undone" for trial in half
            ]
        told += [
            f"{trial.name}: {', '.join(trial.files)} was edited since a night took {trial.new}; it is taken as yours"
            for trial in trials
            if found[trial.name] == "changed"
        ]
        return tuple(trial for trial in trials if found[trial.name] == "whole"), tuple(told)

    def _one(self, newer: Newer, taken: Taken) -> Taken:
        still = self._still(newer)
        if still:
            return replace(taken, problems=tuple(dict.fromkeys((*taken.problems, *still))))
        try:
            return self._bumped(newer, taken)
        except NoLongerApplies as error:
            refused = Refused(
                identity=newer.tag,
                recipes=recipes_digest(self.request, self.project, [newer.component]),
                why=error.summary,
                since=self.night,
                moved=(newer.component,),
                broke=(newer.component,),
            )
            taken = replace(taken, refused={**taken.refused, f"version of {newer.component}": refused})
            return _with(taken, newer, error)
        except RearchError as error:
            return _with(taken, newer, error)
        except OSError as error:
            if not is_refusal(error):
                raise
            return _with(taken, newer, HostError(f"{newer.tag} was not taken", error))

    def _still(self, newer: Newer) -> tuple[Problem, ...]:
        """What is told where another night has refused it, for this component or for one that shares the version."""
        for name, one in self.refused.items():
            if one.identity != newer.tag or newer.component not in one.moved:
                continue
            if one.recipes == recipes_digest(self.request, self.project, one.moved):
                return _refused_before(name, newer.tag, one)
        return ()

    def _bumped(self, newer: Newer, taken: Taken) -> Taken:
        begun: list[Trial] = []

        def begin(writing: Writing) -> None:
            trial = _trial(newer, writing)
            if texts_without([trial], {file: new for file, (_, new) in writing.texts.items()}) != {
                file: old for file, (old, _) in writing.texts.items()
            }:
                raise NotUndoable(newer.component, trial.files)
            self._check(writing.done, newer)
            self.folder.keep_versions([*taken.later, *taken.trials, trial])
            begun.append(trial)

        everything = replace(self.request, only=(), stacks=None, platforms=None)
        order = BumpOrder(component=newer.component, to=newer.to, level=newer.level, dry_run=not self.write)
        done = bump(everything, order, self.report, begin=begin)
        if not done.changed:
            return taken
        self._check(done, newer)
        if not done.wrote:
            return replace(taken, changes=(*taken.changes, _change(newer.component, done)))
        return replace(taken, trials=(*taken.trials, begun[0]), changes=(*taken.changes, change_of(begun[0])))

    def _check(self, done: Bumped, newer: Newer) -> None:
        """A version that several components share is taken when all of them are built, and take such versions."""
        allowed = ("minor",) if newer.level == "minor" else ("patch", "minor")
        asked = self._asked
        others = [name for name in done.moved if name not in asked or self.policies.of.get(name) not in allowed]
        if others:
            raise SharedVersion(newer.component, done.new, others)


def change_of(trial: Trial) -> Change:
    """As it is recorded."""
    return Change(name=trial.name, before=trial.old, after=trial.new, needed_by=trial.moved, files=trial.files)


def texts_of(root: Path, trials: Iterable[Trial]) -> Mapping[str, str]:
    """The YAML files that trials have edited, as they are; without those that are gone or no text any more."""
    found: dict[str, str] = {}
    for file in dict.fromkeys(file for trial in trials for file in trial.files):
        try:
            found[file] = (root / file).read_bytes().decode()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError, UnicodeDecodeError):
            continue
    return found


def take_versions_back(request: Request, trials: Sequence[Trial], of: Sequence[Trial]) -> None:
    """YAML and rearch.lock as before these trials, together; `of` holds all of the night.

    Errors: BadLock, ChangedMeanwhile, ConfigProblems, OSError; then nothing was changed.
    """
    if not trials:
        return
    root, path = request.project, request.project / LOCK
    texts = texts_of(root, trials)
    after = texts_without(trials, texts)
    kept = [trial for trial in of if trial not in trials]
    lock = read_lock(path)
    wanted = _wanted(request, {file: text for file, text in after.items() if text != texts[file]})
    back = lock_without(trials, kept, lock, wanted)
    files = {root / file: Rewrite(old=text.encode(), new=after[file].encode()) for file, text in texts.items()}
    files[path] = Rewrite(old=path.read_bytes() if path.is_file() else None, new=lock_text(back).encode())
    rewrite(root, files)


def _wanted(request: Request, texts: Mapping[str, str]) -> Mapping[str, tuple[str, ...]]:
    from rearch.config.project import load_project

    project = load_project(
        request.project,
        stacks=None,
        platforms=None,
        environment=request.environment,
        flags=request.flags,
        texts={file: text.removeprefix("\ufeff") for file, text in texts.items()},
    )
    return {str(want.name): want.needed_by for want in wanted_names(project.stacks, project.toolchains)}


def _trial(newer: Newer, writing: Writing) -> Trial:
    done = writing.done
    return Trial(
        component=done.component,
        old=done.old,
        new=done.new,
        tag=newer.tag,
        moved=done.moved,
        edits=done.edits,
        lost=lost_entries(writing.before, writing.after),
        gained=tuple(sorted(writing.after.entries.keys() - writing.before.entries.keys())),
    )


def _change(component: str, done: Bumped) -> Change:
    files = tuple(dict.fromkeys(edit.file for edit in done.edits))
    return Change(name=f"version of {component}", before=done.old, after=done.new, needed_by=done.moved, files=files)


def _refused_before(name: str, tag: str, refused: Refused) -> tuple[Problem, ...]:
    return tuple(
        Problem(
            stage=Stage.UPDATE,
            component=component,
            summary=f"{name}: {tag} is not taken, it failed on {refused.since}: {refused.why}",
            hint="mend the recipe, then it is tried again; `watch: {update: branches}` stays at this version",
        )
        for component in refused.broke
    )


def _with(taken: Taken, newer: Newer, error: RearchError) -> Taken:
    return replace(taken, problems=(*taken.problems, problem_of(Stage.UPDATE, newer.component, error)))
