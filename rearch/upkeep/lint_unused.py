"""Rules: what nothing uses, and what nothing can reach."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping

from rearch.config.layers import Layer
from rearch.config.recipes import ReadRecipe
from rearch.config.series import FILE as SERIES
from rearch.config.series import FOLDER as PATCHES
from rearch.config.yaml_tree import Data
from rearch.model.recipe import LocalSource
from rearch.upkeep.lint_values import Finding, LintStack, Place, World

_VARIABLE = re.compile(r"\bvars\s*(?:\.\s*([A-Za-z_]\w*)|\[\s*['\"]([^'\"]+)['\"]\s*\])")
_USES = re.compile(r"{%-?\s*(?:import|include|extends|from)\s+[\"']([^\"']+)[\"']")


def check_unused(world: World) -> Iterator[Finding]:
    if world.whole:
        yield from _toolchains(world)
        yield from _templates(world)
    for stack in world.stacks:
        yield from _patches(world, stack)
        yield from _variables(world, stack)
        yield from _files(world, stack)
        yield from _unlisted(world, stack)
        yield from _platforms(world, stack)


def _toolchains(world: World) -> Iterator[Finding]:
    used = set[str]()
    for variant in (variant for recipe in world.recipes for variant in recipe.variants):
        if variant.recipe is not None:
            build = variant.recipe.build
            used |= {build.toolchain, *([build.go.cgo.toolchain] if build.go.cgo else [])}
    for file in world.toolchains:
        name = posixpath.basename(file).removesuffix(".yaml")
        if name not in used:
            place = world.spot(file, ("name",))
            yield Finding(
                rule="unused-toolchain",
                place=place,
                text=f"no recipe uses {name}",
                hint="remove the file, or say for whom it is",
            )


def _templates(world: World) -> Iterator[Finding]:
    """Used are those that a recipe names, and those that a used one imports or includes."""
    queue = [
        f"{variant.recipe.image.template}.Dockerfile.j2"
        for recipe in world.recipes
        for variant in recipe.variants
        if variant.recipe is not None and variant.recipe.image is not None
    ]
    texts = {template.file.partition("/")[2]: template.text for template in world.templates}
    used = set[str]()
    while queue:
        name = queue.pop()
        if name in texts and name not in used:
            used.add(name)
            queue += _USES.findall(texts[name])
    for template in world.templates:
        if template.file.partition("/")[2] not in used:
            place = Place(template.file, 1, 1)
            yield Finding(rule="unused-template", place=place, text="no recipe uses it", hint="remove the file")


def _patches(world: World, stack: LintStack) -> Iterator[Finding]:
    components = {one.name: one for one in stack.components}
    for recipe in stack.recipes:
        folder = f"{stack.read.folder}/{PATCHES}/{recipe.name}"
        listed = {str(one.path) for one in components[recipe.name].patches} if recipe.name in components else set()
        for name, is_folder in world.files.names(folder):
            if not is_folder and name != SERIES and f"{folder}/{name}" not in listed:
                hint = f"add it to {folder}/{SERIES}, or remove it"
                yield Finding(rule="unused-patch", place=Place(f"{folder}/{name}"), text="not in series", hint=hint)


def _variables(world: World, stack: LintStack) -> Iterator[Finding]:
    """A recipe's own variables are for itself; those of the defaults for every recipe of the stack."""
    layers = {(layer.file, layer.prefix): layer for one in stack.recipes for v in one.variants for layer in v.layers}
    read: dict[str, set[str]] = {}
    for layer in layers.values():
        read.setdefault(layer.file, set()).update(_read(dict(layer.data)))
    everywhere = set[str]().union(*read.values()) if read else set()
    own = {recipe.file for recipe in stack.recipes}
    shared = {name for file, names in read.items() if file not in own for name in names}
    for layer in layers.values():
        declared = layer.data.get("vars")
        known = read[layer.file] | shared if layer.file in own else everywhere
        for name in declared if isinstance(declared, Mapping) else ():
            if name not in known:
                place = world.spot(layer.file, (*layer.prefix, "vars", name))
                yield Finding(rule="unused-var", place=place, text=f"nothing reads vars.{name}", hint="remove it")


def _read(data: Data) -> Iterator[str]:
    """The variables that some text in the data asks for."""
    if isinstance(data, str):
        if "${{" in data:
            yield from (first or second for first, second in _VARIABLE.findall(data))
    elif isinstance(data, dict):
        for key, value in data.items():
            yield from _read(key)
            yield from _read(value)
    elif isinstance(data, list):
        for item in data:
            yield from _read(item)


def _files(world: World, stack: LintStack) -> Iterator[Finding]:
    """What lies in the stack's files/ is for images and local sources."""
    folder = f"{stack.read.folder}/files"
    used = [path for recipe in stack.recipes for path in _named_files(recipe, stack.read.folder)]
    for name, is_folder in world.files.names(folder):
        path = f"{folder}/{name}"
        if not any(one == path or one.startswith(f"{path}/") or path.startswith(f"{one}/") for one in used):
            what = "folder" if is_folder else "file"
            hint = "remove it, or name it in a recipe"
            yield Finding(rule="unused-file", place=Place(path), text=f"no recipe uses this {what}", hint=hint)


def _named_files(recipe: ReadRecipe, folder: str) -> Iterator[str]:
    for variant in recipe.variants:
        if variant.recipe is None:
            continue
        if isinstance(variant.recipe.source, LocalSource):
            yield posixpath.normpath(posixpath.join(folder, variant.recipe.source.path))
        for file in variant.recipe.image.files if variant.recipe.image else ():
            if file.file is not None:
                yield posixpath.normpath(f"{folder}/files/{file.file}")


def _unlisted(world: World, stack: LintStack) -> Iterator[Finding]:
    """YAML files of the folder that neither the stack's list nor an include names."""
    checked = stack.read.checked
    if checked is None or checked.recipes is None:
        return
    included = {layer.file for one in stack.recipes for layer in one.common.layers}
    included |= {part.base.file for part in stack.read.defaults.parts}
    for name, is_folder in world.files.names(stack.read.folder):
        file = f"{stack.read.folder}/{name}"
        known = name == "stack.yaml" or file in included or name.removesuffix(".yaml") in stack.read.recipes
        if name.endswith(".yaml") and not is_folder and not known:
            hint = f"add {name.removesuffix('.yaml')} to `recipes` of {stack.file}, or remove the file"
            yield Finding(rule="unlisted-recipe", place=Place(file), text="the stack does not list it", hint=hint)


def _platforms(world: World, stack: LintStack) -> Iterator[Finding]:
    """Overrides for a platform that the stack is not built for, unless somebody asks for it by --arch."""
    seen = set[tuple[str, tuple[str | int, ...]]]()
    for recipe in stack.recipes:
        for platform, variant in recipe.overrides.items():
            for layer in _override_layers(variant.layers):
                if platform not in stack.platforms and (layer.file, layer.prefix) not in seen:
                    seen.add((layer.file, layer.prefix))
                    text = f"{stack.name} is not built for {platform}"
                    hint = f"add it to `platforms` of {stack.file}, or remove the override"
                    place = world.spot(layer.file, layer.prefix)
                    yield Finding(rule="unreachable-override", place=place, text=text, hint=hint)


def _override_layers(layers: tuple[Layer, ...]) -> Iterator[Layer]:
    for layer in layers:
        if "platforms" in layer.prefix:
            yield layer
