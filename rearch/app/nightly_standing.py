"""`nightly`, before it builds: what stands in the registries already, made from what would be made now.

On a machine with a warm store that is what need not be built anyway, and nobody is asked. On a fresh one (a runner of a
build server, after `gc`) everything would be fetched and compiled to the digest that is published. So whatever would be
made is asked for first, by what it is made from; where there is any doubt, it is built.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from rearch.errors import Interrupted, RearchError, TemporaryError
from rearch.model.frozen import NOTHING
from rearch.model.plan import Action
from rearch.model.step import Step, StepId, StepKind
from rearch.model.step_images import ImageInputs, IndexInputs
from rearch.planning.publish_targets import RegistryTarget, Target
from rearch.publishing.standing import Stands, Wanted, Where, stands
from rearch.reporting.night_record import AS_PUBLISHED, Tagged
from rearch.reporting.record import Reference
from rearch.upkeep.nightly import Place

if TYPE_CHECKING:
    from rearch.app.publish_world import World
    from rearch.app.request import Request
    from rearch.model.plan import Plan
    from rearch.model.stack import Component, Project
    from rearch.publishing.sides import Side
    from rearch.report import Reporter

AT_ONCE = 8


class Standing(Struct, frozen=True, kw_only=True):
    """What need not be built. `components`: also those without an image of their own, whose programs are in images
    that stand. `tags` and `places` by component, of those that have images; `references` for the report."""

    components: tuple[str, ...] = ()
    tags: Mapping[str, tuple[Tagged, ...]] = NOTHING
    places: Mapping[str, tuple[Place, ...]] = NOTHING
    references: tuple[Reference, ...] = ()


class Channel(Struct, frozen=True, kw_only=True):
    """Where nights are published. `to` as it was written, empty: as the stacks say; `tag`: the channel's."""

    to: tuple[str, ...]
    tag: str


def standing(request: Request, channel: Channel, report: Reporter, *, write: bool = True) -> Standing:
    """Ask. With `write`, names that were new go into rearch.lock, as in a build. Errors: those of `load` and `prepare`;
    Interrupted. What could not be asked does not stand."""
    from rearch.app.prepare import load, prepare
    from rearch.app.wiring import Adapters
    from rearch.engine.state import ProjectState
    from rearch.planning.planner import make_plan

    if request.require_smoke:
        return Standing()  # nobody says which host has run the checks of what is published
    project = load(request)
    adapters = Adapters(request, project.settings, report)
    prepared = prepare(replace(request, keep_going=True, update=False), project, adapters, report, write=write)
    plan = make_plan(prepared.steps, ProjectState(adapters.store, adapters.output / ".rearch" / "last.json"))
    if not plan.to_run:
        return Standing()
    wanted = tuple(_wanted(prepared.components, prepared.steps, plan))
    found = _ask(request, project, wanted, channel, report) if wanted else {}
    names = {*found, *_helpers(prepared.components, {*found})}
    return Standing(
        components=tuple(each.id for each in prepared.components if each.asked and each.id in names),
        tags={name: tuple(_tagged(name, found[name])) for name in found},
        places={name: tuple(dict.fromkeys(_places(found[name]))) for name in found},
        references=tuple(_reference(name, one) for name in found for one in found[name]),
    )


# --- what would be made


def _wanted(components: Iterable[Component], steps: Iterable[Step], plan: Plan) -> Iterator[Wanted]:
    """Components of which something would be made, beside what only checks and joins."""
    by_id = {step.id: step for step in steps}
    running = {each.step.id for each in plan.steps if each.action is Action.RUN and _makes(each.step.id.kind)}
    for component in components:
        index = by_id.get(StepId(StepKind.INDEX, component.id))
        if index is None or any(recipe.image is None for recipe in component.recipes.values()):
            continue
        if running & _behind(index.id, by_id):
            yield _of(component, index, by_id)


def _makes(kind: StepKind) -> bool:
    return kind.checks is None and kind is not StepKind.INDEX


def _behind(step: StepId, by_id: Mapping[StepId, Step]) -> set[StepId]:
    """All steps that it rests on."""
    seen: set[StepId] = set()
    waiting = [step]
    while waiting:
        new = {*by_id[waiting.pop()].needs.values()} - seen
        seen |= new
        waiting += new
    return seen


def _of(component: Component, index: Step, by_id: Mapping[StepId, Step]) -> Wanted:
    inputs = index.inputs
    assert isinstance(inputs, IndexInputs)
    made_from = dict(inputs.made_from)
    if inputs.media_types == "docker":
        for platform in inputs.platforms:
            image = by_id[StepId(StepKind.IMAGE, component.id, platform)].inputs
            assert isinstance(image, ImageInputs)
            made_from[str(platform)] = image.made_from
    return Wanted(
        component=component.id,
        repository=inputs.repository,
        made_from=made_from,
        docker=inputs.media_types == "docker",
    )


def _helpers(components: Iterable[Component], names: set[str]) -> Iterator[str]:
    """Components without an image, of which every program is for images that stand."""
    components = tuple(components)
    for helper in components:
        if any(recipe.image is not None for recipe in helper.recipes.values()):
            continue
        users = [each for each in components if each.stack == helper.stack and _takes(each, helper.name)]
        platforms = {platform for user in users for platform in user.recipes}
        if users and {user.id for user in users} <= names and {*helper.recipes} <= platforms:
            yield helper.id


def _takes(component: Component, helper: str) -> bool:
    images = (recipe.image for recipe in component.recipes.values() if recipe.image is not None)
    return any(file.component == helper for image in images for file in image.files)


# --- what is there


def _ask(
    request: Request, project: Project, wanted: Iterable[Wanted], channel: Channel, report: Reporter
) -> Mapping[str, tuple[Stands, ...]]:
    """Component -> all its tags everywhere, of those that stand everywhere."""
    from rearch.app.publish_world import World

    with World(request, project.settings, request.project / project.settings.output, report) as world:
        asker = _Asker(request, project, channel, world)
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="standing") as pool:
            answers = [(each.component, pool.submit(asker.ask, each)) for each in wanted]
            found = {name: answer.result() for name, answer in answers}
    return {name: tags for name, tags in found.items() if tags}


class _Asker:
    """Asks all places of a component. A registry that does not answer is not asked again."""

    def __init__(self, request: Request, project: Project, channel: Channel, world: World) -> None:
        self._request = request
        self._channel = channel
        self._world = world
        self._stacks = {stack.name: stack.publish for stack in project.stacks}
        self._away: set[Target] = set()
        self._stop = Event()

    def ask(self, wanted: Wanted) -> tuple[Stands, ...]:
        """Its tags, if all of them stand. Errors: Interrupted."""
        try:
            return self._all(wanted)
        except Interrupted:
            raise
        except RearchError as error:
            self._world.say(f"{wanted.component}: what is published could not be read: {error.summary}", "detail")
            return ()

    def _all(self, wanted: Wanted) -> tuple[Stands, ...]:
        where = self._where(wanted.component)
        found: list[Stands] = []
        for target in where.targets if where is not None else ():
            assert where is not None
            here = () if target in self._away else self._here(target, wanted, where)
            if not here:
                return ()
            found += here
        return tuple(found)

    def _here(self, target: Target, wanted: Wanted, where: Where) -> tuple[Stands, ...]:
        try:
            return stands(self._side(target), target, wanted, where)
        except TemporaryError:
            self._away.add(target)
            raise

    def _side(self, target: Target) -> Side:
        return self._world.open(target, self._stop)

    def _where(self, component: str) -> Where | None:
        """As `publish` would; None where it would adopt: what others publish may have moved, and has to be asked."""
        from rearch.app.publish import target_at

        stack, _, name = component.rpartition("/")
        said = self._stacks[stack]
        if name in said.adopt:
            return None
        texts, base = (self._channel.to, Path.cwd()) if self._channel.to else (said.to, self._request.project)
        own = self._channel.to
        return Where(
            targets=tuple(dict.fromkeys(target_at(text, base) for text in texts)),
            tag=self._channel.tag,
            per_arch=not own and said.per_arch,
            merge=not own and said.merge,
        )


# --- as it is told


def _tagged(component: str, found: Iterable[Stands]) -> Iterator[Tagged]:
    for one in found:
        yield Tagged(component=component, reference=f"{one.place}@{one.digest}", change=AS_PUBLISHED)


def _places(found: Iterable[Stands]) -> Iterator[Place]:
    for one in found:
        if isinstance(one.place.target, RegistryTarget):
            yield Place(registry=one.place.target.registry, repository=one.place.repository)


def _reference(component: str, one: Stands) -> Reference:
    return Reference(
        component=component,
        reference=f"{one.place}@{one.digest}",
        digest=one.digest,
        change=AS_PUBLISHED,
        platforms=tuple(one.platforms),
    )
