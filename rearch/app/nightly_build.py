"""`nightly`, second part: build everything, and build again without the updates that do not build.

An update that breaks a component must not keep a night's other changes, nor that component's, from being published:
its version or its entries of rearch.lock are put back, and everything is built from what stands there then, most of
which is in the store. What stands in the registries already, made from the same, is left out (nightly_standing).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from rearch.app.locking import Unresolved
from rearch.app.nightly_recipes import recipes_digest
from rearch.app.nightly_standing import Standing
from rearch.app.nightly_update import Updated, take_back
from rearch.app.prepare import LOCK
from rearch.app.report import recorded_build
from rearch.engine.nightly import Refused
from rearch.errors import RearchError
from rearch.report import Event, Failed, Reporter, Said, Skipped
from rearch.reporting.night_record import Change, Problem, Stage, problem_of

if TYPE_CHECKING:
    from rearch.app.build import BuildResult
    from rearch.app.request import Request
    from rearch.model.stack import Project


class Made(Struct, frozen=True, kw_only=True):
    """What was built. `images`: components whose index is whole, every check passed; `whole` all that did not fail.

    `changes` as in the update, with those marked that were taken back; `refused` to be remembered: what did not build.
    `standing`: what was not built, since it is published; it counts as whole.
    """

    images: tuple[str, ...]
    whole: tuple[str, ...]
    changes: tuple[Change, ...]
    refused: Mapping[str, Refused]
    problems: tuple[Problem, ...]
    told: tuple[str, ...] = ()
    standing: Standing = Standing()


class _Once(Struct, frozen=True, kw_only=True):
    """One build. `result` is None where nothing was left to build."""

    result: BuildResult | None
    standing: Standing
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


def build_night(
    request: Request,
    project: Project,
    updated: Updated,
    report: Reporter,
    *,
    night: str,
    standing: Callable[[], Standing] = Standing,
) -> Made:
    """Build; where an update broke a component, build once more without it. Errors: those of build and `standing`."""
    asked = tuple(each.id for stack in project.stacks for each in stack.components if each.asked)
    known = tuple(each.id for stack in project.stacks for each in stack.components)
    build = _Build(
        request=request,
        project=project,
        updated=updated,
        report=report,
        asked=asked,
        known=known,
        night=night,
        standing=standing,
    )
    once = build.run()
    back = _Back(once=once)
    # A version is the likelier culprit, and is nobody else's; an entry of rearch.lock may be of many components.
    for group in ({trial.name for trial in updated.trials}, {*updated.before}):
        names = {one.name for one in updated.changes if one.name in group and back.once.failing & {*one.needed_by}}
        if names:
            back = build.without(back, names)
    changes = tuple(back.held.get(change.name, change) for change in updated.changes)
    problems = (*back.once.problems, *_held(list(back.held.values()), once, back.once))
    made = _made(back.once, asked, changes, {**updated.refused, **back.refused}, problems)
    return replace(made, told=(*made.told, *_edited(changes)))


class _Back(Struct, frozen=True, kw_only=True):
    """The last build, what was taken back before it, and what of that is refused."""

    once: _Once
    held: Mapping[str, Change] = {}
    refused: Mapping[str, Refused] = {}


class _Build(Struct, frozen=True, kw_only=True):
    """How to build, again and again. `standing` says, each time, what need not be built."""

    request: Request
    project: Project
    updated: Updated
    report: Reporter
    asked: Sequence[str]
    known: Sequence[str]
    night: str
    standing: Callable[[], Standing]

    def run(self) -> _Once:
        standing = self.standing()
        left = remaining(self.request, self.asked, standing)
        if left is None:
            return _Once(result=None, standing=standing, problems=())
        watch = _Watch(self.report)
        result = recorded_build(replace(left, keep_going=True, update=False), watch)
        problems = (*_failures(watch, self.known), *_errors(result.errors))
        return _Once(result=result, standing=standing, problems=tuple(problems))

    def without(self, back: _Back, names: Collection[str]) -> _Back:
        """Take these changes back, and build again. What fails without a change as well does not fail for it: that is
        tried again another night."""
        first, names = back.once, self.updated.together(names)
        broken = [change for change in self.updated.changes if change.name in names]
        for one in broken:
            text = f"{one.name}: taken back to {one.before}, {one.after} breaks a build"
            self.report(Said(text=text, level="warning"))
        take_back(self.request, self.updated, names)
        second = self.run()
        guilty = [change for change in broken if not second.failing & {*change.needed_by} & first.failing]
        held = {change.name: replace(change, held=_why(change, first.problems)) for change in broken}
        refused = self._refused(guilty, first.problems)
        return _Back(once=second, held={**back.held, **held}, refused={**back.refused, **refused})

    def _refused(self, guilty: Iterable[Change], problems: Sequence[Problem]) -> Mapping[str, Refused]:
        """What is not to be tried again; what failed for a reason that may pass is."""
        lasting = {one.component: one for one in reversed(problems) if not one.is_temporary}
        return {
            change.name: Refused(
                identity=self.updated.identity(change.name),
                recipes=recipes_digest(self.request, self.project, change.needed_by),
                why=lasting[broke[0]].summary,
                since=self.night,
                moved=change.needed_by,
                broke=broke,
            )
            for change in guilty
            if (broke := tuple(name for name in change.needed_by if name in lasting))
        }


def remaining(request: Request, asked: Sequence[str], standing: Standing) -> Request | None:
    """The request without what stands; None where nothing is left of it."""
    if not standing.components:
        return request
    left = tuple(name for name in asked if name not in standing.components)
    return replace(request, only=left) if left else None


def _edited(changes: Iterable[Change]) -> Iterator[str]:
    """Files that somebody else has to commit."""
    for change in changes:
        if change.files and not change.held:
            yield (
                f"{change.name}: {change.before} -> {change.after}, {' and '.join((*change.files, LOCK))} edited: "
                "commit them"
            )


def _made(
    once: _Once,
    asked: Sequence[str],
    changes: tuple[Change, ...],
    refused: Mapping[str, Refused],
    problems: tuple[Problem, ...],
) -> Made:
    built = once.result.indexes if once.result is not None else ()
    indexes = {index.step.step.id.subject.partition("+")[0] for index in built}
    return Made(
        images=tuple(name for name in asked if name in indexes and name not in once.failing),
        whole=tuple(name for name in asked if name not in once.failing),
        changes=changes,
        refused=refused,
        problems=problems,
        told=_not_started(once.result) if once.result is not None else (),
        standing=once.standing,
    )


def _not_started(result: BuildResult) -> tuple[str, ...]:
    from rearch.app.build import not_run

    return tuple(f"{name}: not run, this host cannot" for name in not_run(result.results, result.indexes))


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
    """Of one that was only taken back with another, nothing failed."""
    found = (one.summary for one in problems if one.component in change.needed_by)
    return next(found, "it is written on a line with a version that was taken back")


def _held(changes: Sequence[Change], first: _Once, second: _Once) -> Iterator[Problem]:
    """An update that was taken back is a problem of each component that it broke and that is whole without it."""
    for change in changes:
        for name in change.needed_by:
            failure = next((one for one in first.problems if one.component == name), None)
            if failure is None or name in second.failing:
                continue
            summary = f"{change.name}: {change.after} does not build, {change.before} stays: {failure.summary}"
            yield replace(failure, stage=Stage.UPDATE, summary=summary)
