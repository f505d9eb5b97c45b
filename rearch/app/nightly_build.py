"""`nightly`, second part: build everything, and build again without the updates that do not build.

An update that breaks a component must not keep a night's other changes, nor that component's, from being published: its
entries of rearch.lock are put back, and everything is built from what stands there then, most of which is in the store.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from rearch.app.locking import Unresolved
from rearch.app.nightly_update import Updated, identity_line, recipes_digest, take_back
from rearch.app.report import recorded_build
from rearch.engine.nightly import Refused
from rearch.errors import RearchError
from rearch.report import Event, Failed, Reporter, Said, Skipped
from rearch.upkeep.nightly import Change, Problem, Stage, problem_of

if TYPE_CHECKING:
    from rearch.app.build import BuildResult
    from rearch.app.request import Request
    from rearch.model.stack import Project


class Made(Struct, frozen=True, kw_only=True):
    """What was built. `images`: components whose index is whole, every check passed; `whole` all that did not fail.

    `changes` as in the update, with those marked that were taken back; `refused` to be remembered: what did not build.
    """

    images: tuple[str, ...]
    whole: tuple[str, ...]
    changes: tuple[Change, ...]
    refused: Mapping[str, Refused]
    problems: tuple[Problem, ...]
    told: tuple[str, ...] = ()


class _Once(Struct, frozen=True, kw_only=True):
    """One build."""

    result: BuildResult
    problems: tuple[Problem, ...]

    @property
    def failing(self) -> frozenset[str]:
        return frozenset(problem.component for problem in self.problems)


class _Watch:
    """Passes events on, and notes what failed and what was not tried for it. Events come from several threads."""

    def __init__(self, report: Reporter) -> None:
        self._report = report
        self.failed: list[Failed] = []
        self.skipped: list[Skipped] = []

    def __call__(self, event: Event) -> None:
        match event:
            case Failed():
                self.failed.append(event)
            case Skipped():
                self.skipped.append(event)
            case _:
                pass
        self._report(event)


def build_night(request: Request, project: Project, updated: Updated, report: Reporter, *, night: str) -> Made:
    """Build; where an update broke a component, build once more without it. Errors: those of build."""
    asked = tuple(each.id for stack in project.stacks for each in stack.components if each.asked)
    known = tuple(each.id for stack in project.stacks for each in stack.components)
    first = _build(request, known, report)
    broken = [change for change in updated.changes if first.failing & {*change.needed_by}]
    if not broken:
        return _made(first, asked, updated.changes, {}, first.problems)
    for change in broken:
        report(
            Said(text=f"{change.name}: taken back to {change.before}, {change.after} breaks a build", level="warning")
        )
    take_back(request, updated, (change.name for change in broken))
    second = _build(request, known, report)
    # What fails with the old entry as well does not fail for the new one: that is tried again another night.
    guilty = [change for change in broken if not second.failing & {*change.needed_by} & first.failing]
    lasting = {one.component: one for one in reversed(first.problems) if not one.is_temporary}
    recipes = recipes_digest(request, project)
    refused = {
        change.name: Refused(
            identity=identity_line(updated.lock.entries[change.name]),
            recipes=recipes,
            why=why.summary,
            since=night,
            broke=tuple(name for name in change.needed_by if name in lasting),
        )
        for change in guilty
        if (why := next((lasting[one] for one in change.needed_by if one in lasting), None)) is not None
    }
    held = {change.name: replace(change, held=_why(change, first.problems)) for change in broken}
    problems = (*second.problems, *_held(list(held.values()), first, second))
    changes = tuple(held.get(change.name, change) for change in updated.changes)
    return _made(second, asked, changes, refused, problems)


def _made(
    once: _Once,
    asked: Sequence[str],
    changes: tuple[Change, ...],
    refused: Mapping[str, Refused],
    problems: tuple[Problem, ...],
) -> Made:
    indexes = {index.step.step.id.subject.partition("+")[0] for index in once.result.indexes}
    return Made(
        images=tuple(name for name in asked if name in indexes and name not in once.failing),
        whole=tuple(name for name in asked if name not in once.failing),
        changes=changes,
        refused=refused,
        problems=problems,
        told=_not_started(once.result),
    )


def _not_started(result: BuildResult) -> tuple[str, ...]:
    from rearch.app.build import not_run

    return tuple(f"{name}: not run, this host cannot" for name in not_run(result.results, result.indexes))


def _build(request: Request, known: Sequence[str], report: Reporter) -> _Once:
    watch = _Watch(report)
    result = recorded_build(replace(request, keep_going=True, update=False), watch)
    problems = (*_failures(watch, known), *_errors(result.errors))
    return _Once(result=result, problems=tuple(problems))


def _failures(watch: _Watch, known: Sequence[str]) -> Iterator[Problem]:
    """Each failure for every component that it is of, or that was not tried for it (a compiler's is of many)."""
    for failed in watch.failed:
        own = failed.step.subject.partition("+")[0]
        hit = {each.step.subject.partition("+")[0] for each in watch.skipped if each.because == failed.step}
        for name in sorted({own, *hit} & {*known}) or [own]:
            problem = problem_of(Stage.BUILD, name, failed.error)
            yield replace(problem, summary=f"{failed.step}: {problem.summary}")


def _errors(errors: Sequence[RearchError]) -> Iterator[Problem]:
    for error in errors:
        if isinstance(error, Unresolved):
            for name, one in sorted(error.failures.items()):
                yield replace(problem_of(Stage.BUILD, "", one), summary=f"{name}: {one.summary}")
        else:
            yield problem_of(Stage.BUILD, "", error)


def _why(change: Change, problems: Sequence[Problem]) -> str:
    return next(one.summary for one in problems if one.component in change.needed_by)


def _held(changes: Sequence[Change], first: _Once, second: _Once) -> Iterator[Problem]:
    """An update that was taken back is a problem of each component that it broke and that is whole without it."""
    for change in changes:
        for name in change.needed_by:
            failure = next((one for one in first.problems if one.component == name), None)
            if failure is None or name in second.failing:
                continue
            summary = f"{change.name}: {change.after} does not build, {change.before} stays: {failure.summary}"
            yield replace(failure, stage=Stage.UPDATE, summary=summary)
