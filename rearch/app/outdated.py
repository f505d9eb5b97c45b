"""`outdated`: what upstream, registries, apt and pip's index have that is newer than the project's pins."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import assert_never

from msgspec import Struct
from msgspec.structs import replace

from rearch.app.once import Once
from rearch.app.prepare import LOCK, load
from rearch.app.request import Request
from rearch.app.wiring import Adapters
from rearch.engine.lockfile import read_lock
from rearch.errors import RearchError
from rearch.formats.urls import masked
from rearch.model.lock import (
    ArchiveName,
    BaseName,
    DebianName,
    GitName,
    Lock,
    Name,
    PackagesName,
    PinnedBase,
    SysrootName,
    ToolName,
)
from rearch.model.platform import Platform
from rearch.model.recipe import ArchiveSource, DebianSource, GitSource, LocalSource
from rearch.model.source import DebianPackage, PinnedDebian, PinnedGit
from rearch.model.stack import Component, Project
from rearch.model.toolchain import PypiTool, Toolchain
from rearch.planning.names import Wanted, toolchain_users, wanted_names
from rearch.report import Reporter
from rearch.upkeep.outdated import (
    NOT_LOCKED,
    GitPin,
    ToolPin,
    base_row,
    debian_row,
    failed_row,
    git_row,
    locked_packages,
    packages_row,
    toolchain_row,
)
from rearch.upkeep.outdated_rows import Kind, Row, sorted_rows

# So many that 50 slow servers are asked at once; a thread that waits for one costs next to nothing.
AT_ONCE = 64


class Question(Struct, frozen=True, kw_only=True):
    """One row that is to be filled in; `ask` may talk to the outside world, and raise a RearchError."""

    row: Row
    ask: Callable[[], Row]


class World:
    """Who is asked. Each thing once, however many rows want it."""

    def __init__(self, adapters: Adapters) -> None:
        from rearch.host.package_index import PackageIndex
        from rearch.host.sources.git_listing import GitListing

        self.adapters = adapters
        index = PackageIndex(adapters.environment, adapters.processes, offline=adapters.settings.offline)
        self._refs = Once(GitListing(adapters.git_settings).refs)
        self._debian: Once[str, PinnedDebian] = Once(
            lambda package: adapters.debian.resolve(DebianSource(debian=package), None)
        )
        self._versions: Once[tuple[str, Platform], tuple[str, ...]] = Once(lambda key: index.versions(*key))

    def refs(self, url: str) -> Mapping[str, str]:
        """Errors: those of GitListing.refs."""
        return self._refs(url)

    def versions(self, package: str, host: Platform) -> tuple[str, ...]:
        """Errors: those of PackageIndex.versions."""
        return self._versions((package, host))

    def base_digest(self, pinned: PinnedBase) -> str | None:
        """What a base's reference names now. Errors: those of RegistryClient."""
        from rearch.model.reference import parse_reference

        name = parse_reference(pinned.reference)
        found = self.adapters.registry.head(name)
        return found.digest if found else None

    def debian(self, package: str) -> PinnedDebian:
        """The newest version of a Debian source package that apt offers. Errors: those of DebianResolver.resolve."""
        return self._debian(package)

    def newest_debian(self, package: str) -> str:
        """The version of that. Errors: those of DebianResolver.versions."""
        return self.adapters.debian.versions(package)[-1]

    def packages(self, name: PackagesName | SysrootName) -> tuple[DebianPackage, ...]:
        """What apt would choose now. Errors: those of DebianResolver."""
        if isinstance(name, SysrootName):
            return self.adapters.debian.resolve_sysroot(name.packages, name.platform)
        return self.adapters.debian.resolve_root_fs(name.suite, name.packages, name.platform).packages


def outdated(request: Request, report: Reporter) -> tuple[Row, ...]:
    """A row for each name of the project, sorted. What cannot be found out is a row too, with the reason.

    Errors: those of the project's YAML, BadLock.
    """
    project = load(request)
    lock = read_lock(request.project / LOCK)
    adapters = Adapters(request, project.settings, report)
    world = World(adapters)
    try:
        return sorted_rows(answers(tuple(questions(project, lock, world))))
    finally:
        if "registry" in vars(adapters):
            adapters.registry.close()


def answers(asked: tuple[Question, ...]) -> Iterator[Row]:
    """All answers, asked for at once."""
    if not asked:
        return
    with ThreadPoolExecutor(min(AT_ONCE, len(asked)), thread_name_prefix="outdated") as pool:
        yield from pool.map(_answer, asked)


def _answer(question: Question) -> Row:
    try:
        return question.ask()
    except RearchError as error:
        return failed_row(question.row, error)


def questions(project: Project, lock: Lock, world: World) -> Iterator[Question]:
    """Everything that there is to ask about a project."""
    for stack in project.stacks:
        for component in stack.components:
            if component.asked:
                yield from _source(component, lock, world)
    for wanted in wanted_names(project.stacks):
        yield from _name(wanted, lock, world)
    users = toolchain_users(project.stacks)
    for name, toolchain in project.toolchains.items():
        if toolchain.hosts is not None and name in users:
            yield from _toolchain(toolchain, users[name], world)


def _source(component: Component, lock: Lock, world: World) -> Iterator[Question]:
    """Sources are a row for each component, since each recipe has its own rule."""
    recipe, source = component.recipe, component.recipe.source
    row = Row(kind="source", name=component.id, state="unknown", needed_by=(component.id,))
    version = recipe.version or ""
    match source:
        case GitSource():
            url = recipe.watch.git if recipe.watch and recipe.watch.git else source.git
            found = lock.get(GitName(source))
            commit = found.commit if isinstance(found, PinnedGit) else ""
            ref = source.ref if url == source.git else ""
            pin = GitPin(ref=ref, version=version or source.ref, commit=commit, watch=recipe.watch)
            yield _git(row, url, pin, world)
        case ArchiveSource() | LocalSource() if recipe.watch and recipe.watch.git:
            yield _git(row, recipe.watch.git, GitPin(ref="", version=version, watch=recipe.watch), world)
        case ArchiveSource():
            reason = "an archive has no list of versions: name its repository under `watch: {git: URL}`"
            row = replace(row, current=version, where=masked(source.archive), reason=reason)
            yield Question(row=row, ask=lambda: row)
        case LocalSource() | DebianSource():
            pass  # one is nobody's but the project's own; the other is a name of the lock
        case _:
            assert_never(source)


def _git(row: Row, url: str, pin: GitPin, world: World) -> Question:
    row = replace(row, where=masked(url), current=pin.ref or pin.version)
    return Question(row=row, ask=lambda: git_row(row, pin, world.refs(url)))


def _name(wanted: Wanted, lock: Lock, world: World) -> Iterator[Question]:
    """Names of the lock that are not git's: one row, whoever needs them."""
    name = wanted.name
    match name:
        case BaseName(reference):
            yield _locked(_row("base", reference, wanted), name, lock, world)
        case DebianName(source):
            title = f"{source.debian} for {', '.join(wanted.needed_by)}"
            yield _locked(_row("source", title, wanted), name, lock, world)
        case PackagesName() | SysrootName():
            suite = f"{name.suite} " if isinstance(name, PackagesName) else "sysroot "
            title = f"{suite}{name.platform} for {', '.join(wanted.needed_by)}"
            yield _locked(_row("packages", title, wanted), name, lock, world)
        case GitName() | ArchiveName() | ToolName():
            pass  # sources and toolchains have rows of their own
        case _:
            assert_never(name)


def _row(kind: Kind, name: str, wanted: Wanted) -> Row:
    return Row(kind=kind, name=name, state="unknown", needed_by=wanted.needed_by, where=str(wanted.name))


def _locked(row: Row, name: Name, lock: Lock, world: World) -> Question:
    pinned = lock.get(name)
    packages = locked_packages(lock, str(name))
    match name, pinned:
        case BaseName(), PinnedBase() as base:
            row = replace(row, current=base.digest)
            return Question(row=row, ask=lambda: base_row(row, base, world.base_digest(base)))
        case DebianName(source), PinnedDebian() as debian:
            row = replace(row, current=debian.version)
            return Question(row=row, ask=lambda: _debian(row, source, debian, world))
        case (PackagesName() | SysrootName()) as wanted, _ if packages is not None:
            row = replace(row, current=f"{len(packages)} packages")
            return Question(row=row, ask=lambda: packages_row(row, packages, world.packages(wanted)))
    unlocked = replace(row, reason=NOT_LOCKED)
    return Question(row=row, ask=lambda: unlocked)


def _debian(row: Row, source: DebianSource, pinned: PinnedDebian, world: World) -> Row:
    from rearch.host.debian.names import UnknownDebianSource

    try:
        offered = world.debian(source.debian)
    except UnknownDebianSource as error:
        return replace(row, state="gone", reason=error.summary)
    return debian_row(row, pinned, offered)


def _toolchain(toolchain: Toolchain, users: tuple[str, ...], world: World) -> Iterator[Question]:
    tools = dict(toolchain.hosts or {})
    row = Row(kind="toolchain", name=toolchain.name, state="unknown", needed_by=users, current=toolchain.version or "")
    wheels = {platform: tool for platform, tool in tools.items() if isinstance(tool, PypiTool)}
    if not wheels:
        row = replace(row, reason="it comes as an archive, which has no list of versions")
        yield Question(row=row, ask=lambda: row)
        return
    packages = {tool.pypi for tool in wheels.values()}
    version = next(iter(wheels.values())).version or toolchain.version or ""
    row = replace(row, where=f"pip: {', '.join(sorted(packages))}")

    def ask() -> Row:
        from rearch.model.platform import parse_platform

        found = [world.versions(tool.pypi, parse_platform(name)) for name, tool in sorted(wheels.items())]
        return toolchain_row(row, ToolPin(name=toolchain.name, version=version), found)

    yield Question(row=row, ask=ask)
