"""What a stack's `volumes` name: binaries of its recipes, files beside them."""

from __future__ import annotations

from collections.abc import Iterable

from rearch.config.files import KeyPath, ProjectFiles
from rearch.config.images import FOLDER, outputs
from rearch.config.problems import key_path, shown, suggestion
from rearch.config.recipes import ReadRecipe
from rearch.config.stacks import FILE, ReadStack
from rearch.model.volumes import VolumeFile


def check_volumes(files: ProjectFiles, stack: ReadStack, recipes: Iterable[ReadRecipe]) -> None:
    """What is wrong is among the problems. `recipes`: those that were read; of others only the name is checked."""
    if stack.checked is None:
        return
    found = {recipe.name: recipe for recipe in recipes}
    for name, volume in stack.checked.volumes.items():
        for path, file in volume.files.items():
            where: KeyPath = ("volumes", name, "files", path)
            if file.file is not None:
                _check_file(files, stack, (*where, "file"), file.file)
            else:
                _check_binary(files, stack, where, file, found)


def _check_file(files: ProjectFiles, stack: ReadStack, where: KeyPath, name: str) -> None:
    path = f"{stack.folder}/{FOLDER}/{name}"
    if files.exists(path):
        return
    folder, _, base = path.rpartition("/")
    near = suggestion(base, [one for one, _ in files.names(folder)])
    files.value(f"{stack.folder}/{FILE}", where, f"{key_path(where)}: there is no file {path}", near)


def _check_binary(
    files: ProjectFiles, stack: ReadStack, where: KeyPath, file: VolumeFile, found: dict[str, ReadRecipe]
) -> None:
    maker, place = file.maker or "", f"{stack.folder}/{FILE}"
    if maker not in stack.recipes:
        if not file.optional:
            key: KeyPath = (*where, "component" if file.component else "binary")
            text = f"{key_path(key)}: there is no recipe {stack.file(shown(maker))}"
            files.value(place, key, text, suggestion(maker, stack.recipes) or "name it: `component:`")
        return
    made = outputs(found.get(maker))
    if made and file.binary not in made:
        key = (*where, "binary")
        text = f"{key_path(key)}: {shown(file.binary or '')} is none of {', '.join(made)}"
        files.value(place, key, text, suggestion(file.binary or "", made))
