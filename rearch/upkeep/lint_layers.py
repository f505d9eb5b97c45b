"""Rules: what is said twice, and what is said in vain."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rearch.config.files import KeyPath
from rearch.config.layers import Layer, at
from rearch.config.recipes import ReadRecipe
from rearch.config.yaml_tree import Data
from rearch.model.recipe import Edit
from rearch.upkeep.lint_values import Finding, LintStack, World

_FILES = re.compile(r"[*?\[]")


def check_layers(world: World) -> Iterator[Finding]:
    for stack in world.stacks:
        yield from _shadowed(world, stack)
        for recipe in stack.recipes:
            yield from _repeated(world, recipe)
            yield from _edits(world, recipe)


def _leaves(data: Data, path: KeyPath = ()) -> Iterator[tuple[KeyPath, Data]]:
    """Everything that a higher layer replaces as a whole: scalars, lists, empty mappings."""
    if isinstance(data, dict) and data:
        for key, value in data.items():
            yield from _leaves(value, (*path, key))
    else:
        yield path, data


def _shadowed(world: World, stack: LintStack) -> Iterator[Finding]:
    """A default that every recipe, or a later file of defaults, sets again."""
    parts = stack.read.defaults.parts
    for index, part in enumerate(parts):
        later = [other.base for other in parts[index + 1 :]]
        for path, _ in _leaves(dict(part.base.data)):
            place = world.spot(part.base.file, (*part.base.prefix, *path))
            over = next((layer for layer in later if layer.has(path)), None)
            if over is not None:
                text = f"{'.'.join(map(str, path))} is set again by {over.file}"
                yield Finding(rule="shadowed-default", place=place, text=text, hint="remove it here")
            elif stack.recipes and all(_own(recipe).has(path) for recipe in stack.recipes):
                text = f"every recipe of the stack sets {'.'.join(map(str, path))} itself"
                yield Finding(rule="shadowed-default", place=place, text=text, hint="remove it here")


def _own(recipe: ReadRecipe) -> Layer:
    return recipe.common.layers[-1]


def _repeated(world: World, recipe: ReadRecipe) -> Iterator[Finding]:
    """A value that is the same as the one below it: of the defaults, or of the recipe for an override."""
    told = set[tuple[str, KeyPath]]()
    for variant in recipe.variants:
        for index, layer in enumerate(variant.layers):
            for path, value in _leaves(dict(layer.data)):
                below = next((one for one in reversed(variant.layers[:index]) if one.has(path)), None)
                key = (layer.file, (*layer.prefix, *path))
                if below is None or at(dict(below.data), path) != value or key in told:
                    continue
                told.add(key)
                if layer.file == recipe.file:
                    text = f"{'.'.join(map(str, path))} is the same in {below.file}"
                    place = world.spot(layer.file, key[1])
                    yield Finding(rule="same-value", place=place, text=text, hint="remove it here")


def _edits(world: World, recipe: ReadRecipe) -> Iterator[Finding]:
    edits = recipe.common.recipe.edits if recipe.common.recipe else ()
    for index, edit in enumerate(edits):
        place = world.at(recipe.common, ("edits", index))
        if re.compile(edit.pattern, re.MULTILINE).search(""):
            text = f"edit {index + 1} matches an empty text, so everywhere"
            yield Finding(rule="empty-pattern", place=place, text=text, hint="say in `pattern` what is to be replaced")
        for number, earlier in enumerate(edits[:index]):
            if _takes_away(earlier, edit):
                text = f"edit {number + 1} has replaced all that edit {index + 1} looks for"
                yield Finding(rule="dead-edit", place=place, text=text, hint="make one edit of both")


def _takes_away(earlier: Edit, later: Edit) -> bool:
    """The same pattern in the same file, and what the earlier one writes does not match it.

    Groups stand for text of the source, which is not known here: a replacement with a group is not judged.
    """
    same = earlier.file == later.file and earlier.pattern == later.pattern and not _FILES.search(later.file)
    if not same or "\\" in earlier.replace:
        return False
    return re.compile(later.pattern, re.MULTILINE).search(earlier.replace) is None
