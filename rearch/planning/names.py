"""Which names a project needs resolved, and what a component's source is once they are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct

from rearch.model.frozen import NOTHING
from rearch.model.image import Base, DebianBase, Image, RegistryBase
from rearch.model.lock import (
    ArchiveName,
    BaseName,
    DebianName,
    GitName,
    Lock,
    Name,
    NotLocked,
    PackagesName,
    PinnedTool,
    Sysroot,
    SysrootName,
    ToolName,
)
from rearch.model.platform import Platform, parse_platform
from rearch.model.recipe import ArchiveSource, DebianSource, GitSource, LocalSource, Recipe
from rearch.model.source import PinnedArchive, PinnedDebian, PinnedGit, PinnedLocal, PinnedSource
from rearch.model.stack import Component, Stack
from rearch.model.toolchain import PypiTool, Toolchain


class Wanted(Struct, frozen=True, kw_only=True):
    """A name and the components (`stack/name`) that need it."""

    name: Name
    needed_by: tuple[str, ...]


def wanted_names(stacks: Iterable[Stack], toolchains: Mapping[str, Toolchain] = NOTHING) -> tuple[Wanted, ...]:
    """Every name of these stacks, once, in a stable order; and those of the pinned ones of `toolchains` they use."""
    found: dict[str, tuple[Name, set[str]]] = {}
    stacks = tuple(stacks)
    for component in (component for stack in stacks for component in stack.components):
        for name in component_names(component):
            found.setdefault(str(name), (name, set()))[1].add(component.id)
    for toolchain, users in toolchain_users(stacks).items():
        for tool in tool_names(toolchains[toolchain]) if toolchain in toolchains else ():
            found[str(tool)] = (tool, set(users))
    return tuple(Wanted(name=name, needed_by=tuple(sorted(who))) for _, (name, who) in sorted(found.items()))


def toolchain_users(stacks: Iterable[Stack]) -> Mapping[str, tuple[str, ...]]:
    """Toolchain: the components (`stack/name`, sorted) that are compiled with it on any of their platforms."""
    found: dict[str, set[str]] = {}
    for component in (component for stack in stacks for component in stack.components):
        for recipe in component.recipes.values():
            cgo = recipe.build.go.cgo
            names = (recipe.build.toolchain, *([cgo.toolchain] if cgo else ())) if recipe.build.go.binaries else ()
            for name in names:
                found.setdefault(name, set()).add(component.id)
    return {name: tuple(sorted(found[name])) for name in sorted(found)}


def tool_names(toolchain: Toolchain) -> Iterator[ToolName]:
    """A pinned toolchain, for each kind of host that its file knows; a system's own has no name to lock."""
    for host, tool in sorted((toolchain.hosts or {}).items()):
        version = toolchain.version or ""
        if isinstance(tool, PypiTool):
            stated = PinnedTool(version=tool.version or version, sha256=tool.sha256, package=tool.pypi)
        else:
            stated = PinnedTool(version=version, sha256=tool.sha256, url=tool.archive)
        yield ToolName(toolchain.name, parse_platform(host), stated)


def component_names(component: Component) -> tuple[Name, ...]:
    """The names that one component needs: its source, and a sysroot for each platform that links with foreign C."""
    names: list[Name] = []
    match component.recipe.source:
        case GitSource() as source:
            names.append(GitName(source))
        case DebianSource() as source:
            names.append(DebianName(source))
        case ArchiveSource() as source:
            names.append(ArchiveName(source))
        case LocalSource():
            pass
    for platform, recipe in component.recipes.items():
        packages = sysroot_packages(recipe)
        if packages:
            names.append(SysrootName(platform, packages))
        if component.asked:
            names.extend(base_names(recipe.image, platform))
    return tuple(names)


def image_bases(image: Image | None) -> tuple[Base, ...]:
    """All bases of an image, the one that it starts from first."""
    if image is None:
        return ()
    return (*([image.base] if image.base is not None else []), *image.stages.values())


def base_names(image: Image | None, platform: Platform) -> Iterator[Name]:
    """The names that have to be in rearch.lock for an image."""
    for base in image_bases(image):
        if isinstance(base, RegistryBase):
            yield BaseName(base.registry)
        elif isinstance(base, DebianBase):
            yield PackagesName(base.debian, platform, tuple(sorted(base.packages)))


def sysroot_packages(recipe: Recipe) -> tuple[str, ...]:
    """The foreign Debian packages that a recipe's C code is compiled against."""
    return recipe.build.go.cgo.packages if recipe.build.go.cgo else ()


def pinned_source(component: Component, lock: Lock, local_digests: Mapping[str, str]) -> PinnedSource:
    """The identity of a component's source. Errors: NotLocked."""
    match component.recipe.source:
        case GitSource() as source:
            identity = lock.get(GitName(source))
            if not isinstance(identity, PinnedGit):
                raise NotLocked([str(GitName(source))])
            return identity
        case DebianSource() as source:
            found = lock.get(DebianName(source))
            if not isinstance(found, PinnedDebian):
                raise NotLocked([str(DebianName(source))])
            return found
        case ArchiveSource() as source:
            return PinnedArchive(url=source.archive, sha256=source.sha256, strip=source.strip)
        case LocalSource() as source:
            path = str(component.folder / source.path)
            return PinnedLocal(path=path, digest=local_digests[path])


def pinned_sysroot(name: SysrootName, lock: Lock) -> Sysroot:
    """The packages of a sysroot. Errors: NotLocked."""
    found = lock.get(name)
    if not isinstance(found, Sysroot):
        raise NotLocked([str(name)])
    return found
