"""`nightly`, first part: which components have a newer version that their policy takes. Asks, and writes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from msgspec import Struct

from rearch.app.bump_version import NoList, newest_offered
from rearch.app.once import Once
from rearch.errors import RearchError
from rearch.host.sources.git_urls import COMMIT
from rearch.model.recipe import ArchiveSource, DebianSource, GitSource, LocalSource
from rearch.planning.names import component_names
from rearch.reporting.night_record import Problem, Stage, problem_of
from rearch.upkeep.bump import Level, NothingNewer, VersionUnread, choose
from rearch.upkeep.outdated_tags import HEADS, TAGS, rank_tags, rule_of

if TYPE_CHECKING:
    from rearch.app.wiring import Adapters
    from rearch.model.nightly import UpdatePolicy
    from rearch.model.stack import Component, Project

# As `outdated` asks: a thread that waits for a slow server costs next to nothing.
AT_ONCE = 64
_LEVELS: Mapping[UpdatePolicy, Level] = {"patch": "patch", "minor": "minor"}
# How much a policy moves of rearch.lock, the most careful first; versions are apart from that.
_MOVES: Mapping[UpdatePolicy, UpdatePolicy] = {
    "none": "none",
    "branches": "branches",
    "patch": "branches",
    "minor": "branches",
    "all": "all",
}
_CAREFUL: Sequence[UpdatePolicy] = ("none", "branches", "all")


class Policies(Struct, frozen=True, kw_only=True):
    """What is brought up to date, by component."""

    of: Mapping[str, UpdatePolicy]

    def for_entry(self, components: Iterable[str]) -> UpdatePolicy:
        """How an entry of rearch.lock moves that these need: none, branches or all; as the most careful says."""
        found = [_MOVES[self.of[name]] for name in components if name in self.of]
        return min(found, key=_CAREFUL.index, default="none")

    def level(self, component: str) -> Level | None:
        """Which versions a component takes by itself; None: none."""
        return _LEVELS.get(self.of.get(component, "none"))


class Newer(Struct, frozen=True, kw_only=True):
    """A version that a component would take. `tag`: what names it upstream; `to`: for `bump`, empty where it finds the
    version by its level."""

    component: str
    level: Level
    tag: str
    to: str = ""


class Looked(Struct, frozen=True, kw_only=True):
    """`told`: versions that cannot be read, where nobody has asked for versions of just that component."""

    newer: tuple[Newer, ...] = ()
    problems: tuple[Problem, ...] = ()
    told: tuple[str, ...] = ()


class _Answer(Struct, frozen=True, kw_only=True):
    newer: Newer | None = None
    error: RearchError | None = None
    told: str = ""


def policies_of(project: Project, default: UpdatePolicy) -> Policies:
    """A recipe's own policy, else the default; a default of `none` is for all of them."""
    found: dict[str, UpdatePolicy] = {}
    for component in (each for stack in project.stacks for each in stack.components):
        own = component.recipe.watch.update if component.recipe.watch else None
        found[component.id] = default if own is None or default == "none" else own
    return Policies(of=found)


def look(project: Project, policies: Policies, adapters: Adapters) -> Looked:
    """Ask every upstream at once, each repository once. What goes wrong with one is a problem of that one."""
    from rearch.host.sources.git_listing import GitListing

    asked = [
        component
        for stack in project.stacks
        for component in stack.components
        if component.asked and policies.level(component.id) is not None
    ]
    if not asked:
        return Looked()
    refs = Once(GitListing(adapters.git_settings).refs)
    with ThreadPoolExecutor(min(AT_ONCE, len(asked)), thread_name_prefix="look") as pool:
        answers = list(pool.map(lambda one: _ask(one, policies, adapters, refs), asked))
    return Looked(
        newer=tuple(answer.newer for answer in answers if answer.newer is not None),
        problems=tuple(
            problem_of(Stage.UPDATE, component.id, answer.error)
            for component, answer in zip(asked, answers, strict=True)
            if answer.error is not None
        ),
        told=tuple(answer.told for answer in answers if answer.told),
    )


def _ask(component: Component, policies: Policies, adapters: Adapters, refs: _Refs) -> _Answer:
    own = component.recipe.watch is not None and component.recipe.watch.update is not None
    level = policies.level(component.id)
    assert level is not None
    try:
        found = _newer(component, level, adapters, refs, own=own)
    except NothingNewer:
        return _Answer()
    except VersionUnread as error:
        return _Answer(error=error) if own else _Answer(told=f"{error.summary}: no newer version is looked for")
    except RearchError as error:
        # Of the repository that the source itself comes from, the same is told where rearch.lock is brought up to date.
        same = not (component.recipe.watch and component.recipe.watch.git) and _is_locked(component)
        return _Answer() if same else _Answer(error=error)
    return _Answer(newer=found)


def _is_locked(component: Component) -> bool:
    return isinstance(component.recipe.source, GitSource | DebianSource) and bool(component_names(component))


def _newer(component: Component, level: Level, adapters: Adapters, refs: _Refs, *, own: bool) -> Newer | None:
    source, watch = component.recipe.source, component.recipe.watch
    match source:
        case LocalSource():
            return None
        case DebianSource():
            return _newer_debian(component, source, level, adapters)
        case ArchiveSource():
            if watch is None or not watch.git:
                _no_list(component, own=own)
                return None
            return _newer_tag(component, "", watch.git, level, refs)
        case GitSource():
            if not own and _follows(source, refs):
                return None
            return _newer_tag(component, source.ref, watch.git if watch and watch.git else source.git, level, refs)


def _no_list(component: Component, *, own: bool) -> None:
    """Only who asks for versions of this very component is told that nobody knows them."""
    if own:
        raise NoList(component.id)


def _follows(source: GitSource, refs: _Refs) -> bool:
    """Whether a recipe names a branch or a commit: its version is not what decides."""
    if COMMIT.fullmatch(source.ref.lower()) or source.ref.startswith(HEADS):
        return True
    found = refs(source.git)
    return TAGS + source.ref not in found and HEADS + source.ref in found


def _newer_tag(component: Component, ref: str, url: str, level: Level, refs: _Refs) -> Newer:
    tag = ref.removeprefix(TAGS)  # it may be written in full
    rule = rule_of(tag, component.recipe.version or tag, component.recipe.watch)
    found = choose(component.id, rank_tags(refs(url), rule), rule, level)
    return Newer(component=component.id, level=level, tag=found.name)


def _newer_debian(component: Component, source: DebianSource, level: Level, adapters: Adapters) -> Newer | None:
    if source.version is None:  # what apt offers is an entry of rearch.lock that moves by itself
        return None
    found = newest_offered(adapters, component.id, source, source.version, level)
    return Newer(component=component.id, level=level, tag=found, to=found)


_Refs = Once[str, Mapping[str, str]]
