"""`stale`: published images whose base, source or toolchain moved since, by what they say of themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from urllib.parse import urlsplit

from msgspec import Struct
from msgspec.structs import replace

from rearch.app.outdated import AT_ONCE, World
from rearch.app.prepare import LOCK, load
from rearch.app.request import Request
from rearch.app.wiring import Adapters
from rearch.config.version_sites import moved
from rearch.engine.lockfile import read_lock
from rearch.errors import RearchError, UsageError
from rearch.formats.urls import masked
from rearch.model.lock import ArchiveName, DebianName, GitName, Lock, PinnedBase
from rearch.model.recipe import ArchiveSource, DebianSource, GitSource, LocalSource
from rearch.model.reference import Reference, parse_reference
from rearch.model.source import PinnedDebian, PinnedGit, PinnedLocal
from rearch.model.stack import Component, Project
from rearch.planning.base_steps import packages_digest
from rearch.planning.image_values import revision
from rearch.report import Reporter
from rearch.upkeep.outdated import GitPin, debian_version_row, failed_row, git_row
from rearch.upkeep.outdated_rows import Kind, Row, sorted_rows
from rearch.upkeep.stale import Published, base_row, locked_row, packages_row, source_row, toolchain_row


class Asker(Struct, frozen=True, kw_only=True):
    """What a published image is compared with."""

    project: Project
    lock: Lock
    world: World

    def component(self, published: Published) -> Component | None:
        """The project's component that an image was made of: the same title, and the same source."""
        for component in (component for stack in self.project.stacks for component in stack.components):
            if component.name == published.said("title") and _is_source(component, published):
                return component
        return None

    def state(self, component: Component) -> tuple[str, str] | None:
        """The state that its source has in the project (a commit, a version, a digest), and where that stands; None
        where the lock has no entry."""
        match component.recipe.source:
            case GitSource() as source:
                name: GitName | DebianName | ArchiveName = GitName(source)
            case DebianSource() as debian:
                name = DebianName(debian)
            case ArchiveSource() as archive:
                return revision(ArchiveName(archive).stated), f"the recipe: {masked(archive.archive)}"
            case LocalSource(path=path):
                folder = str(component.folder / path)
                digest = self.world.adapters.local_digest(folder)
                return revision(PinnedLocal(path=folder, digest=digest)), f"the project: {folder}"
        found = self.lock.get(name)
        return (revision(found), f"rearch.lock: {name}") if isinstance(found, PinnedGit | PinnedDebian) else None

    def packages(self, published: Published, component: Component | None) -> str:
        """What packages_digest makes of the project now. Errors: NotInProject, NotLocked."""
        if component is None:
            raise NotInProject(published.reference)
        chosen = {platform: recipe for platform, recipe in component.recipes.items() if recipe.image}
        if published.platforms:
            chosen = {platform: recipe for platform, recipe in chosen.items() if platform in published.platforms}
        bases = {platform: recipe.image.base for platform, recipe in chosen.items() if recipe.image}
        return packages_digest(bases, self.lock)

    def base(self, published: Published) -> PinnedBase | None:
        """What the name of an image's base is now; None when it is gone. Errors: those of BaseResolver."""
        from rearch.registry.errors import NotInRegistry

        try:
            return self.world.adapters.bases.resolve(published.said("base.name"))
        except NotInRegistry:
            return None

    def debian_row(self, row: Row, published: Published) -> Row:
        """Whether apt has a newer version of the source package."""
        assert published.debian is not None
        package, version = published.debian
        row = replace(row, current=version, where=f"apt: {package}")
        return debian_version_row(row, version, self.world.newest_debian(package))

    @property
    def versions(self) -> Mapping[str, str]:
        """Toolchain: its version, as the project pins it."""
        return {name: tool.version for name, tool in self.project.toolchains.items() if tool.version}


class NotInProject(UsageError):
    """An image that none of the project's components is the source of."""

    def __init__(self, reference: str) -> None:
        self.reference = reference
        super().__init__(
            f"{reference} is of no component of this project", hint="components are known by title and source"
        )


def stale(request: Request, references: tuple[str, ...], report: Reporter) -> tuple[Row, ...]:
    """Up to four rows for each reference (base, source, packages, toolchain), sorted.

    What cannot be found out is a row with the reason. Errors: BadReference; those of the project's YAML, BadLock.
    """
    names = tuple(parse_reference(text) for text in references)
    project = load(request)
    adapters = Adapters(request, project.settings, report)
    asker = Asker(project=project, lock=read_lock(request.project / LOCK), world=World(adapters))
    try:
        with ThreadPoolExecutor(min(AT_ONCE, max(len(names), 1)), thread_name_prefix="stale") as pool:
            return sorted_rows(row for rows in pool.map(lambda name: tuple(_rows(asker, name)), names) for row in rows)
    finally:
        if "registry" in vars(adapters):
            adapters.registry.close()


def _rows(asker: Asker, name: Reference) -> Iterator[Row]:
    from rearch.registry.published import what_it_says

    def row(kind: Kind) -> Row:
        return Row(kind=kind, name=str(name), state="unknown", where=str(name))

    try:
        said = what_it_says(asker.world.adapters.registry, name)
    except RearchError as error:
        yield failed_row(row("source"), error)
        return
    published = Published(reference=str(name), annotations=said.annotations, platforms=said.platforms)
    component = asker.component(published)
    if component is not None:
        row = partial(_row, name=str(name), component=component.id)
    yield from _questions(asker, published, component, row)


def _row(kind: Kind, *, name: str, component: str) -> Row:
    return Row(kind=kind, name=name, state="unknown", where=name, needed_by=(component,))


def _questions(
    asker: Asker, published: Published, component: Component | None, row: Callable[[Kind], Row]
) -> Iterator[Row]:
    """A row for each thing that the image says it was made from."""
    yield from _sources(asker, published, component, row("source"))
    if published.said("base.name"):
        yield _asked(row("base"), lambda row: base_row(row, published, asker.base(published)))
    if published.packages:
        yield _asked(row("packages"), lambda row: packages_row(row, published, asker.packages(published, component)))
    if published.toolchain:
        yield toolchain_row(row("toolchain"), published, asker.versions)


def _asked(row: Row, ask: Callable[[Row], Row]) -> Row:
    try:
        return ask(row)
    except RearchError as error:
        return failed_row(row, error)


def _sources(asker: Asker, published: Published, component: Component | None, row: Row) -> Iterator[Row]:
    """Against the project where it knows the component, and against upstream where its URL may be asked."""
    try:
        state = asker.state(component) if component is not None else None
    except RearchError as error:  # its folder is gone
        yield failed_row(row, error)
        return
    if state is not None:
        yield locked_row(row, published, *state)
    watch = component.recipe.watch if component is not None else None
    url = published.said("source")
    if published.debian is not None:
        yield _asked(row, lambda row: asker.debian_row(row, published))
    elif published.has_commit and (component is not None or _may_ask(url)):
        row = replace(row, where=masked(url))
        yield _asked(row, lambda row: source_row(row, published, asker.world.refs(url), watch))
    elif watch is not None and watch.git:
        pin = GitPin(ref="", version=published.said("version"), watch=watch)
        where = watch.git
        row = replace(row, where=masked(where), current=pin.version)
        yield _asked(row, lambda row: git_row(row, pin, asker.world.refs(where)))
    elif state is None:
        yield replace(row, reason="the image names no git or Debian source that could be looked at")


def _may_ask(url: str) -> bool:
    """An image is somebody else's: it does not get to choose a local path, or what our ssh keys are shown to."""
    return urlsplit(url).scheme == "https"


def _is_source(component: Component, published: Published) -> bool:
    url = published.said("source")
    match component.recipe.source:
        case GitSource(git=git):
            return url == git
        case DebianSource(debian=package):
            return published.debian is not None and published.debian[0] == package
        case ArchiveSource(archive=archive):  # its URL has the version in it
            old, new = published.said("version"), component.recipe.version
            return (moved(url, old, new) if old and new else url) == archive
        case LocalSource():
            return not url and published.said("revision").startswith("sha256:")
