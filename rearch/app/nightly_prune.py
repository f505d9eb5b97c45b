"""`nightly`, fourth part: dated tags that are old go, with the images that nothing else needs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import TYPE_CHECKING

from msgspec import Struct

from rearch.errors import RearchError, StepError
from rearch.model.reference import Reference
from rearch.oci.types import INDEXES, Index, read_document
from rearch.registry.errors import NotInRegistry
from rearch.registry.push import RegistryPusher
from rearch.registry.push_errors import CannotDelete
from rearch.reporting.night_record import Problem, Removed, Stage, problem_of
from rearch.upkeep.nightly import Place
from rearch.upkeep.prune import LiveManifest, PrunePlan, PrunePolicy, old_tags, pause, plan_prune

if TYPE_CHECKING:
    from rearch.registry.client import RegistryClient
    from rearch.registry.documents import Document

PARALLEL = 4
NESTED = 4


class TooDeep(StepError):
    """An index in an index in an index: nobody knows what it needs."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"{name} joins indexes that join indexes, and so on", hint="remove that tag by hand")


class LongPause(StepError):
    """The last night is so long ago that the clock may be wrong: then everything would look old."""

    def __init__(self, repository: str, days: int, today: date) -> None:
        self.repository = repository
        self.days = days
        super().__init__(
            f"{repository}: nothing is removed, for the night before {today} is {days} days older",
            hint="where the clock is right, `--prune-apply` removes what is old",
        )


class Pruned(Struct, frozen=True, kw_only=True):
    """What was removed, or would be. `told`: what a person should know, and is no failure."""

    removed: tuple[Removed, ...] = ()
    problems: tuple[Problem, ...] = ()
    told: tuple[str, ...] = ()


def prune(
    client: RegistryClient, places: Mapping[Place, str], policy: PrunePolicy, today: date, *, apply: bool
) -> Pruned:
    """Repository after repository; `places` says of which component each is. What goes wrong is in the answer."""
    pusher = RegistryPusher(client)
    removed: list[Removed] = []
    problems: list[Problem] = []
    told: list[str] = []
    deaf: set[str] = set()
    for place, component in places.items():
        try:
            plan = _plan(client, pusher, place, policy, today)
            told += [f"{_reference(place, tag).name} is old, and stays: {why}" for tag, why in plan.spared.items()]
            if apply and plan.tags and place.registry not in deaf:
                _apply(pusher, place, plan)
            if place.registry not in deaf:
                removed += [
                    Removed(reference=_reference(place, tag).name, digest=digest) for tag, digest in plan.tags.items()
                ]
        except LongPause as error:
            told.append(f"{error.summary}: {error.hint}")
        except CannotDelete as error:
            deaf.add(place.registry)
            told.append(f"{place.registry} does not delete: old tags stay ({error.said})")
        except RearchError as error:
            problems.append(problem_of(Stage.PRUNE, component, error))
    return Pruned(removed=tuple(removed), problems=tuple(problems), told=tuple(told))


def _plan(client: RegistryClient, pusher: RegistryPusher, place: Place, policy: PrunePolicy, today: date) -> PrunePlan:
    """Without an old tag nothing more than the list of tags is asked for."""
    tags = tuple(pusher.tags(_reference(place, "latest")))
    days = pause(tags, policy, today)
    if days:
        raise LongPause(_reference(place, "latest").repository, days, today)
    old = old_tags(tags, policy, today)
    return plan_prune(old, _live(client, place, tags) if old else {})


def _live(client: RegistryClient, place: Place, tags: Iterable[str]) -> Mapping[str, LiveManifest]:
    """What every tag names, with all that it joins. A tag that cannot be read ends it: it may need anything."""
    known: dict[str, LiveManifest] = {}

    def read(tag: str) -> tuple[str, LiveManifest | None]:
        try:
            document = client.manifest_for(_reference(place, tag), _scopes(place))
        except NotInRegistry:
            return tag, None  # somebody has removed it meanwhile
        return tag, LiveManifest(digest=document.digest, children=tuple(_children(client, place, document, NESTED)))

    with ThreadPoolExecutor(PARALLEL, thread_name_prefix="prune") as pool:
        for tag, found in pool.map(read, tags):
            if found is not None:
                known[tag] = found
    return known


def _children(client: RegistryClient, place: Place, document: Document, depth: int) -> Iterator[str]:
    """Everything below an index, of indexes in it as well. Errors: TooDeep, those of the registry."""
    if not document.is_index:
        return
    if not depth:
        raise TooDeep(document.name)
    for entry in read_document(Index, document.data, document.name).manifests:
        yield entry.digest
        if entry.media_type in INDEXES:
            below = Reference(registry=place.registry, repository=place.repository, digest=entry.digest)
            yield from _children(client, place, client.manifest_for(below, _scopes(place)), depth - 1)


def _scopes(place: Place) -> frozenset[str]:
    return frozenset([f"repository:{place.repository}:pull"])


def _apply(pusher: RegistryPusher, place: Place, plan: PrunePlan) -> None:
    """Indexes first: a reader never finds one whose images are gone. Errors: CannotDelete, those of the registry."""
    for digest in plan.manifests:
        pusher.delete(Reference(registry=place.registry, repository=place.repository, digest=digest))


def _reference(place: Place, tag: str) -> Reference:
    return Reference(registry=place.registry, repository=place.repository, tag=tag)
