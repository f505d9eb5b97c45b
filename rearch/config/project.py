"""The whole project: settings, stacks, recipes, patches, toolchains. All problems are found before one is told."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath

from rearch.config import series
from rearch.config.bundles import check_bundles
from rearch.config.files import ProjectFiles
from rearch.config.images import check_images, check_repositories, taken_from
from rearch.config.problems import ConfigProblems, shown, suggestion
from rearch.config.recipes import ReadRecipe, read_recipe
from rearch.config.settings import read_settings
from rearch.config.stacks import FOLDER, ReadStack, read_stack, stack_names
from rearch.config.toolchains import read_toolchains
from rearch.config.volumes import check_volumes
from rearch.model.frozen import NOTHING, FrozenDict
from rearch.model.platform import Platform
from rearch.model.settings import PublishSettings
from rearch.model.stack import Component, PatchFile, Project, Stack


def load_project(
    root: Path,
    *,
    stacks: tuple[str, ...] | None,
    platforms: tuple[Platform, ...] | None,
    only: tuple[str, ...] = (),
    environment: Mapping[str, str] = NOTHING,
    flags: Mapping[str, object] = FrozenDict(),
    memory: Path | None = None,
    texts: Mapping[str, str] = NOTHING,
) -> Project:
    """Read the project at `root`.

    `stacks`: those to read; None: what the settings say, else all. `platforms`: for every stack; None: each
    stack's own. `only`: components, as `name` or `stack/name`; stacks without any of them are left out.
    `environment` and `flags` are for the settings (config.settings). `memory` is a file of the cache (config.memory).
    `texts`: file -> what it is taken to hold, instead of what it holds.
    Errors: ConfigProblems, with all of them.
    """
    files = ProjectFiles(root, memory, texts)
    settings, _ = read_settings(files, environment, flags)
    read = _stacks(files, stacks if stacks is not None else settings.stacks if settings else None)
    wanted = _select(files, read, only)
    recipes = {stack.name: _recipes(files, stack, wanted) for stack in read}
    everything = [recipe for found in recipes.values() for recipe in found]
    toolchains = read_toolchains(files, everything)
    for stack in read:
        check_images(files, stack, recipes[stack.name])
        check_volumes(files, stack, recipes[stack.name])
        check_bundles(files, stack, recipes[stack.name])
    check_repositories(files, everything)
    built = [_stack(files, stack, recipes[stack.name], platforms, wanted) for stack in read]
    if files.problems or settings is None:
        raise ConfigProblems(files.problems)
    files.memory.save()
    kept = tuple(stack for stack in built if stack.components or not only)
    return Project(settings=settings, stacks=kept, toolchains=FrozenDict(toolchains), files=files.read)


def _stacks(files: ProjectFiles, names: Sequence[str] | None) -> list[ReadStack]:
    """Unknown ones are told with the nearest name."""
    known = stack_names(files)
    if not known:
        files.plain(f"there is no {FOLDER}/<stack>/stack.yaml in {files.root}", "name the project's folder")
    if names is None:
        names = known
    for name in names:
        if name not in known and known:
            files.plain(f"there is no stack {shown(name)}", suggestion(name, known))
    found = [read_stack(files, name) for name in dict.fromkeys(names) if name in known]
    stacks = [stack for stack in found if stack]
    _check_unique(files, stacks)
    return stacks


def _check_unique(files: ProjectFiles, stacks: Iterable[ReadStack]) -> None:
    """Results are named by component alone, so two stacks cannot both have one of a name."""
    seen: dict[str, ReadStack] = {}
    for stack in stacks:
        for name in stack.recipes:
            if name in seen:
                other = seen[name].file(name)
                files.plain(f"the component {name} is also in {other}", "rename one of them", file=stack.file(name))
            seen.setdefault(name, stack)


def _select(files: ProjectFiles, stacks: Iterable[ReadStack], only: Sequence[str]) -> frozenset[str] | None:
    """The ids of the components that were asked for; None for all."""
    if not only:
        return None
    known = {f"{stack.name}/{name}": name for stack in stacks for name in stack.recipes}
    found: set[str] = set()
    for word in only:
        ids = [one for one, name in known.items() if word in (one, name)]
        found.update(ids)
        if not ids:
            near = suggestion(word, known if "/" in word else known.values())
            files.plain(f"there is no component {shown(word)}", near)
    return frozenset(found)


def _recipes(files: ProjectFiles, stack: ReadStack, wanted: frozenset[str] | None) -> list[ReadRecipe]:
    """Those that were asked for, and those whose binaries their images take."""
    series.check_folders(files, stack.folder, stack.recipes)
    names = [name for name in stack.recipes if wanted is None or f"{stack.name}/{name}" in wanted]
    found: dict[str, ReadRecipe | None] = {}
    while names:
        name = names.pop()
        recipe = read_recipe(files, stack=stack.name, name=name, file=stack.file(name), defaults=stack.defaults)
        found[name] = recipe
        names += [one for one in (taken_from(recipe) if recipe else ()) if one in stack.recipes and one not in found]
    return [recipe for name in stack.recipes if (recipe := found.get(name)) is not None]


def _stack(
    files: ProjectFiles,
    stack: ReadStack,
    recipes: Iterable[ReadRecipe],
    platforms: tuple[Platform, ...] | None,
    wanted: frozenset[str] | None,
) -> Stack:
    chosen = platforms if platforms is not None else stack.platforms
    components = [_component(files, stack, recipe, chosen, wanted) for recipe in recipes]
    summary = stack.checked.summary if stack.checked else ""
    good = tuple(component for component in components if component)
    publish = stack.checked.publish if stack.checked else PublishSettings()
    volumes = stack.checked.volumes if stack.checked else NOTHING
    bundles = stack.checked.bundles if stack.checked else NOTHING
    return Stack(
        name=stack.name,
        summary=summary,
        platforms=chosen,
        components=good,
        publish=publish,
        volumes=volumes,
        bundles=bundles,
    )


def _component(
    files: ProjectFiles,
    stack: ReadStack,
    recipe: ReadRecipe,
    platforms: tuple[Platform, ...],
    wanted: frozenset[str] | None,
) -> Component | None:
    """None when a recipe is wrong: what lies beside it is looked at all the same."""
    _check_local(files, stack, recipe)
    patches = _patches(files, stack, recipe)
    variants = {one: recipe.overrides.get(one, recipe.common) for one in platforms}
    chosen = {one: variant.recipe for one, variant in variants.items() if variant.recipe}
    if len(chosen) < len(variants):
        return None
    return Component(
        stack=stack.name,
        name=recipe.name,
        folder=PurePosixPath(stack.folder),
        recipes=FrozenDict(chosen),
        patches=patches,
        asked=wanted is None or f"{stack.name}/{recipe.name}" in wanted,
    )


def _patches(files: ProjectFiles, stack: ReadStack, recipe: ReadRecipe) -> tuple[PatchFile, ...]:
    folder = f"{stack.folder}/{series.FOLDER}"
    if not files.has_folder(f"{folder}/{recipe.name}"):
        return ()
    common = recipe.common.recipe
    return series.read_series(files, f"{folder}/{recipe.name}", common.patch.strip if common else 1)


def _check_local(files: ProjectFiles, stack: ReadStack, recipe: ReadRecipe) -> None:
    """A local source is a folder of the project."""
    said = recipe.common.text(("source", "path"))
    if said is None:
        return
    path = posixpath.normpath(posixpath.join(stack.folder, said))
    where = f"source.path: {shown(said)}"
    if not files.inside(path):
        recipe.common.wrong(files, ("source", "path"), f"{where} leads out of the project")
    elif not files.has_folder(path):
        parent, _, name = path.rpartition("/")
        near = suggestion(name, [one for one, is_folder in files.names(parent) if is_folder])
        recipe.common.wrong(files, ("source", "path"), f"{where}: there is no folder {path}", near)
