"""`nightly`, third part: what differs from the channel's tag is published, under a dated tag and the channel's.

Where the channel's tag names what was built, that was one question, and nothing else is done: a night without anything
new has no dated tag. A dated tag never moves: where the day's is taken by something else, it is `-2`, `-3` and so on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from rearch.app.publish import PublishOrder, publish
from rearch.app.report import recorded_publish
from rearch.engine.nightly import Begun
from rearch.errors import RearchError, StepError
from rearch.planning.publish_targets import RegistryTarget
from rearch.planning.publish_values import TagAction
from rearch.publishing.errors import NoTarget
from rearch.report import silent
from rearch.reporting.night_record import Problem, Stage, Tagged, problem_of
from rearch.upkeep.nightly import Place, candidates

if TYPE_CHECKING:
    from rearch.app.request import Request
    from rearch.model.stack import Component, Project
    from rearch.planning.publish_values import PlannedImage
    from rearch.publishing.outcome import Outcome, PublishResult
    from rearch.report import Reporter
    from rearch.reporting.record import Reference


class Sent(Struct, frozen=True, kw_only=True):
    """What became of the publish. `places`: every repository by component; `fresh`: those that got something."""

    tags: tuple[Tagged, ...] = ()
    problems: tuple[Problem, ...] = ()
    places: Mapping[str, tuple[Place, ...]] = {}
    fresh: tuple[str, ...] = ()


def joined(one: Sent | None, other: Sent) -> Sent:
    """Of different components."""
    if one is None:
        return other
    return Sent(
        tags=(*one.tags, *other.tags),
        problems=(*one.problems, *other.problems),
        places={**one.places, **other.places},
        fresh=(*one.fresh, *other.fresh),
    )


class NoFreeTag(StepError):
    """Every dated tag of this day is taken."""

    def __init__(self, component: str, tag: str) -> None:
        self.component = component
        self.tag = tag
        super().__init__(f"{component}: {tag} and all that could follow it are taken", hint="remove some of that day")


def homeless(project: Project) -> Mapping[str, tuple[str, ...]]:
    """Stacks that do not say where their images go -> components with images that were asked for. Errors: NoTarget,
    where none of the stacks says it."""
    made = {stack.name: tuple(each.id for each in stack.components if _makes_image(each)) for stack in project.stacks}
    lost = {stack.name: made[stack.name] for stack in project.stacks if made[stack.name] and not stack.publish.to}
    if lost and len(lost) == sum(map(bool, made.values())):
        raise NoTarget([*lost])
    return lost


def _makes_image(component: Component) -> bool:
    return component.asked and any(recipe.image is not None for recipe in component.recipes.values())


class _Seen(Struct, frozen=True, kw_only=True):
    """What the registries say. By component: the digest of what was built; the repositories; the problem."""

    same: Mapping[str, tuple[Tagged, ...]]
    digests: Mapping[str, str]
    places: Mapping[str, tuple[Place, ...]]
    problems: Mapping[str, Problem]

    @property
    def changed(self) -> tuple[str, ...]:
        """Components that are to be published: with all places asked, and one that differs."""
        return tuple(name for name in self.digests if name not in self.same and name not in self.problems)


class NightlyPublish(Struct, frozen=True, kw_only=True):
    """How to publish. `begun`: dated tags of publishes that did not come to their end; `begin` is told, before
    anything is sent, which tags will be set. `standing`: what was not built, for the record."""

    request: Request
    to: tuple[str, ...]
    channel: str
    day: date
    begun: Mapping[str, Begun]
    begin: Callable[[Mapping[str, Begun]], None]
    standing: tuple[Reference, ...] = ()

    def look(self, components: Sequence[str], report: Reporter) -> Sent:
        """What would be published: nothing is sent."""
        seen = self._look(components, report)
        tags = [tag for tags in seen.same.values() for tag in tags]
        new = [
            Tagged(component=name, reference=str(place.repository), change="would be set")
            for name in seen.changed
            for place in seen.places.get(name, ())
        ]
        return Sent(tags=(*tags, *new), problems=tuple(seen.problems.values()), places=seen.places, fresh=seen.changed)

    def publish(self, components: Sequence[str], report: Reporter) -> Sent:
        """Publish what is new. Errors: those of publish that are of no single image."""
        seen = self._look(components, report)
        tags = [tag for tags in seen.same.values() for tag in tags]
        problems = [*seen.problems.values()]
        fresh: list[str] = []
        for dated, names in self._dated(seen, problems).items():
            self.begin({name: Begun(digest=seen.digests[name], tag=dated) for name in names})
            result = recorded_publish(
                self._only(names), self._order((dated, self.channel)), report, standing=self.standing
            )
            tags += _tags(result)
            problems += _problems(result)
            fresh += [one.component for one in result.outcomes if one.tags]
        return Sent(tags=tuple(tags), problems=tuple(problems), places=seen.places, fresh=tuple(dict.fromkeys(fresh)))

    def _look(self, components: Sequence[str], report: Reporter) -> _Seen:
        result = self._preview(components, self.channel, report)
        found: dict[str, list[PlannedImage]] = {}
        for image in (image for plan in result.plans for image in plan.images):
            found.setdefault(image.image.component, []).append(image)
        return _Seen(
            same={name: tuple(_same(images)) for name, images in found.items() if _is_same(images)},
            digests={name: images[0].image.index.digest for name, images in found.items()},
            places={name: tuple(_places(images)) for name, images in found.items()},
            problems={problem.component: problem for problem in _problems(result)},
        )

    def _dated(self, seen: _Seen, problems: list[Problem]) -> Mapping[str, tuple[str, ...]]:
        """Dated tag -> components that get it."""
        chosen: dict[str, str] = {}
        tried = {name: iter(self._candidates(name, seen.digests[name])) for name in seen.changed}
        while tried:
            by_tag: dict[str, list[str]] = {}
            for name in [*tried]:
                tag = next(tried[name], None)
                if tag is None:
                    error = NoFreeTag(name, next(iter(self._candidates(name, ""))))
                    problems.append(problem_of(Stage.PUBLISH, name, error))
                    del tried[name]
                else:
                    by_tag.setdefault(tag, []).append(name)
            for tag, names in by_tag.items():
                result = self._preview(names, tag, silent)
                problems += _problems(result)
                taken = {*_moving(result)}
                for name in names:
                    if name not in taken:
                        del tried[name]
                failed = {one.component for one in result.outcomes if one.error is not None}
                chosen |= {name: tag for name in names if name not in taken and name not in failed}
        return {tag: tuple(name for name in chosen if chosen[name] == tag) for tag in dict.fromkeys(chosen.values())}

    def _candidates(self, name: str, digest: str) -> Sequence[str]:
        begun = self.begun.get(name)
        return candidates(self.channel, self.day, begun.tag if begun and begun.digest == digest else "")

    def _preview(self, names: Sequence[str], tag: str, report: Reporter) -> PublishResult:
        return publish(self._only(names), replace(self._order((tag,)), dry_run=True), report)

    def _only(self, names: Sequence[str]) -> Request:
        return replace(self.request, only=tuple(names))

    def _order(self, tags: tuple[str, ...]) -> PublishOrder:
        return PublishOrder(to=self.to, tags=tags, channel=self.channel)


def _is_same(images: Iterable[PlannedImage]) -> bool:
    return all(tag.action is TagAction.UNCHANGED for image in images for tag in image.tags)


def _same(images: Iterable[PlannedImage]) -> Iterator[Tagged]:
    for image in images:
        for tag in image.tags:
            yield Tagged(component=image.image.component, reference=f"{tag.place}@{tag.before}", change=str(tag.action))


def _places(images: Iterable[PlannedImage]) -> Iterator[Place]:
    for image in images:
        if isinstance(image.target, RegistryTarget):
            yield Place(registry=image.target.registry, repository=image.repository)


def _moving(result: PublishResult) -> Iterator[str]:
    """Components of which the tag names something else on any target."""
    for image in (image for plan in result.plans for image in plan.images):
        if any(tag.action is TagAction.MOVED for tag in image.tags):
            yield image.image.component


def _tags(result: PublishResult) -> Iterator[Tagged]:
    for tag in result.tags:
        yield Tagged(component=tag.component, reference=tag.reference, change=tag.how)


def _problems(result: PublishResult) -> Iterator[Problem]:
    for outcome in result.outcomes:
        if outcome.error is not None:
            yield _problem(outcome, outcome.error)


def _problem(outcome: Outcome, error: RearchError) -> Problem:
    problem = problem_of(Stage.PUBLISH, outcome.component, error)
    return replace(problem, summary=f"{outcome.place}: {problem.summary}")
