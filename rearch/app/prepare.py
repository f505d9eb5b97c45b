"""Request -> plan: load, lock, look at the host, plan. Nothing is built here."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from msgspec import Struct

from rearch.app.locking import Resolved, complete
from rearch.app.request import Request
from rearch.app.wiring import Adapters
from rearch.config.project import load_project
from rearch.engine.lock_changes import write_changes
from rearch.engine.lockfile import read_lock
from rearch.engine.stamp import environment_cache
from rearch.errors import RearchError, UsageError
from rearch.formats.tree import path_digest
from rearch.model.image import ArchiveBase, Image, LayoutBase
from rearch.model.lock import Lock, PinnedTool
from rearch.model.platform import Platform
from rearch.model.recipe import LocalSource
from rearch.model.stack import Component, Project
from rearch.model.step import Step, ToolchainInputs
from rearch.planning.base_steps import disk_path
from rearch.planning.facts import Facts
from rearch.planning.graph import steps_of
from rearch.planning.images import project_file
from rearch.planning.names import component_names, image_bases, wanted_names
from rearch.report import Reporter, Said

LOCK = "rearch.lock"
# 9999-12-31T23:59:59Z, the last second that RFC 3339 can write.
LATEST = 253_402_300_799


class Prepared(Struct, frozen=True, kw_only=True):
    """Everything that is known before the first step runs. `errors` are of components that were left out for them."""

    components: tuple[Component, ...]
    facts: Facts
    steps: tuple[Step, ...]
    errors: tuple[RearchError, ...] = ()


def load(request: Request) -> Project:
    """The project's YAML, checked, for what the request names."""
    name = hashlib.sha256(os.fsencode(request.project)).hexdigest()[:16]
    return load_project(
        request.project,
        stacks=request.stacks,
        platforms=request.platforms,
        only=request.only,
        environment=request.environment,
        flags=request.flags,
        memory=environment_cache(request.environment) / "yaml" / f"{name}.json",
    )


def prepare(
    request: Request, project: Project, adapters: Adapters, report: Reporter, *, write: bool = True
) -> Prepared:
    """Resolve names, look at the host, lay out all steps. With `write`, names that were new go into rearch.lock."""
    components = tuple(component for stack in project.stacks for component in stack.components)
    resolved = update_lock(request, project, adapters, report, write=write)
    if resolved.failed is not None:
        gone = resolved.failed.failures.keys()
        left_out = [each.id for each in components if gone & {str(name) for name in component_names(each)}]
        components = tuple(each for each in components if each.id not in left_out)
        report(Said(text=f"left out: {', '.join(left_out)}", level="warning"))
    facts = _facts(request, project, components, resolved.lock, adapters)
    errors = (resolved.failed,) if resolved.failed is not None else ()
    return Prepared(components=components, facts=facts, steps=steps_of(components, facts), errors=errors)


def update_lock(request: Request, project: Project, adapters: Adapters, report: Reporter, *, write: bool) -> Resolved:
    """The lock with every wanted name in it; with `keep_going` without those that could not be resolved."""
    path = request.project / LOCK
    before = read_lock(path)
    resolved = complete(
        before,
        wanted_names(project.stacks, project.toolchains),
        adapters,
        update=request.update,
        locked=request.locked,
        keep_going=request.keep_going,
    )
    for name in resolved.changed:
        report(Said(text=f"{'locked' if write else 'would lock'} {name}: {identity_text(resolved.lock, name)}"))
    if write and resolved.changed:
        write_changes(path, before, resolved.lock)
    return resolved


def identity_text(lock: Lock, name: str) -> str:
    """What a name is, in a word: a commit, a version, a digest, a number of packages."""
    identity = lock.entries[name].identity
    if isinstance(identity, PinnedTool):
        return f"{identity.version} (sha256 {identity.sha256[:12]})"
    for attribute in ("commit", "version", "digest", "sha256"):
        if hasattr(identity, attribute):
            return str(getattr(identity, attribute))
    return f"{len(getattr(identity, 'packages', ()))} packages"


def _facts(
    request: Request, project: Project, components: Iterable[Component], lock: Lock, adapters: Adapters
) -> Facts:
    components = tuple(components)
    platforms = {platform for component in components for platform in component.recipes}
    return Facts(
        lock=lock,
        local_digests=_local_digests(components, adapters),
        toolchains=_toolchains(project, adapters),
        cross=_cross(project, components, adapters),
        emulators={platform: adapters.emulators.name(platform) for platform in platforms},
        fixes=adapters.fixes(components),
        go=adapters.go_settings(project.settings),
        epoch=source_date_epoch(request.environment),
        render=adapters.render,
        output=project.settings.output,
        disk_bases=_disk_bases(request.project, components),
        engines=project.settings.builders,
    )


def _images(components: Iterable[Component]) -> Iterator[tuple[Component, Image]]:
    """Every image that is to be made."""
    for component in components:
        for recipe in component.recipes.values() if component.asked else ():
            if recipe.image is not None:
                yield component, recipe.image


def _disk_bases(root: Path, components: Iterable[Component]) -> Mapping[str, str]:
    """Digests of the images on disk that images start from."""
    bases = [base for _, image in _images(components) for base in image_bases(image)]
    found: dict[str, str] = {}
    for base in bases:
        if isinstance(base, LayoutBase | ArchiveBase):
            from rearch.oci.disk_image import disk_digest

            path = disk_path(base)
            found[path] = disk_digest(root / path, "layout" if isinstance(base, LayoutBase) else "archive")
    return found


def source_date_epoch(environment: Mapping[str, str]) -> int | None:
    """SOURCE_DATE_EPOCH in seconds, None when it is not set. Errors: UsageError when it is no whole number."""
    text = environment.get("SOURCE_DATE_EPOCH", "")
    if not text:
        return None
    if not text.isascii() or not text.isdigit():
        raise UsageError(f"SOURCE_DATE_EPOCH is no whole number of seconds: {text!r}", hint="unset it, or `date +%s`")
    if len(text) > 12 or int(text) > LATEST:
        raise UsageError(f"SOURCE_DATE_EPOCH is after the year 9999: {text}", hint="it is in seconds; `date +%s`")
    return int(text)


def _local_digests(components: Iterable[Component], adapters: Adapters) -> Mapping[str, str]:
    folders = {
        str(component.folder / component.recipe.source.path)
        for component in components
        if isinstance(component.recipe.source, LocalSource)
    }
    files = {
        project_file(component, file)
        for component, image in _images(components)
        for file in image.files
        if file.file is not None
    }
    found = {folder: adapters.local_digest(folder) for folder in sorted(folders)}
    return found | {file: path_digest(adapters.project / file) for file in sorted(files)}


def _toolchains(project: Project, adapters: Adapters) -> Mapping[str, ToolchainInputs]:
    return {
        name: adapters.toolchain(toolchain, None)
        for name, toolchain in project.toolchains.items()
        if toolchain.kind != "gcc"
    }


def _cross(
    project: Project, components: Iterable[Component], adapters: Adapters
) -> Mapping[tuple[str, Platform], ToolchainInputs]:
    """A host has one C compiler for each platform: look for those that these recipes name."""
    wanted = {
        (recipe.build.go.cgo.toolchain, platform)
        for component in components
        for platform, recipe in component.recipes.items()
        if recipe.build.go.cgo and project.toolchains[recipe.build.go.cgo.toolchain].kind == "gcc"
    }
    return {
        (name, platform): adapters.toolchain(project.toolchains[name], platform) for name, platform in sorted(wanted)
    }
