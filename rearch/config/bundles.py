"""What a stack's `bundles` name: binaries of its recipes."""

from __future__ import annotations

from collections.abc import Iterable

from rearch.config.files import KeyPath, ProjectFiles
from rearch.config.images import outputs
from rearch.config.problems import key_path, shown, suggestion
from rearch.config.recipes import ReadRecipe
from rearch.config.stacks import FILE, ReadStack
from rearch.model.bundle import BundleReplace


def check_bundles(files: ProjectFiles, stack: ReadStack, recipes: Iterable[ReadRecipe]) -> None:
    """What is wrong is among the problems. `recipes`: those that were read; of others only the name is checked."""
    if stack.checked is None:
        return
    found = {recipe.name: recipe for recipe in recipes}
    for name, bundle in stack.checked.bundles.items():
        for index, rule in enumerate(bundle.replace):
            _check(files, stack, ("bundles", name, "replace", index), rule, found)


def _check(
    files: ProjectFiles, stack: ReadStack, where: KeyPath, rule: BundleReplace, found: dict[str, ReadRecipe]
) -> None:
    place = f"{stack.folder}/{FILE}"
    if rule.component not in stack.recipes:
        key: KeyPath = (*where, "component")
        text = f"{key_path(key)}: there is no recipe {stack.file(shown(rule.component))}"
        files.value(place, key, text, suggestion(rule.component, stack.recipes))
        return
    made = outputs(found.get(rule.component))
    if made and rule.binary not in made:
        key = (*where, "binary")
        text = f"{key_path(key)}: {shown(rule.binary)} is none of {', '.join(made)}"
        files.value(place, key, text, suggestion(rule.binary, made))
