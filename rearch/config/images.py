"""What an image names beside its own recipe: binaries of other recipes, files of the stack, a name of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rearch.config.files import ProjectFiles
from rearch.config.problems import key_path, shown, suggestion
from rearch.config.recipes import ReadRecipe, Variant
from rearch.config.stacks import ReadStack
from rearch.model.image import Image

FOLDER = "files"
# The outputs of a recipe that is right and compiles nothing. No binary can have this name.
_NO_BINARIES = ("(no binaries: it is an image alone)",)


def taken_from(recipe: ReadRecipe) -> Iterator[str]:
    """The other recipes of the stack whose binaries a recipe's image takes."""
    for _, image in _images(recipe):
        for file in image.files:
            if file.component is not None and file.component != recipe.name:
                yield file.component


def check_images(files: ProjectFiles, stack: ReadStack, recipes: Iterable[ReadRecipe]) -> None:
    """What is wrong is among the problems."""
    found = {recipe.name: recipe for recipe in recipes}
    for recipe in found.values():
        for variant, image in _images(recipe):
            for index, file in enumerate(image.files):
                if file.file is not None:
                    _check_there(files, f"{stack.folder}/{FOLDER}/{file.file}", variant, index)
                elif file.component is not None and file.component not in stack.recipes:
                    path = ("image", "files", index, "component")
                    text = f"{key_path(path)}: there is no recipe {stack.file(shown(file.component))}"
                    variant.wrong(files, path, text, suggestion(file.component, stack.recipes))
                elif file.binary is not None:
                    made = outputs(found.get(file.component or recipe.name))
                    _check_binary(files, made, variant, index, file.binary)


def check_repositories(files: ProjectFiles, recipes: Iterable[ReadRecipe]) -> None:
    """Layouts in output/images are named by repository, so no two components can have the same."""
    seen: dict[str, str] = {}
    for recipe in recipes:
        for variant, image in _images(recipe):
            other = seen.setdefault(image.repository, recipe.file)
            if other != recipe.file:
                text = f"image.repository: {image.repository} is also that of {other}"
                variant.wrong(files, ("image", "repository"), text, "give each image a name of its own")


def _images(recipe: ReadRecipe) -> Iterator[tuple[Variant, Image]]:
    for variant in recipe.variants:
        if variant.recipe is not None and variant.recipe.image is not None:
            yield variant, variant.recipe.image


def _check_binary(files: ProjectFiles, made: tuple[str, ...], variant: Variant, index: int, name: str) -> None:
    """`made` is empty where the recipe that makes it is wrong itself."""
    if made and name not in made:
        path = ("image", "files", index, "binary")
        text = f"{key_path(path)}: {shown(name)} is none of {', '.join(made)}"
        variant.wrong(files, path, text, suggestion(name, made))


def outputs(recipe: ReadRecipe | None) -> tuple[str, ...]:
    """The binaries and links that a recipe makes; empty where it is wrong itself."""
    if recipe is None or recipe.common.recipe is None:
        return ()
    go = recipe.common.recipe.build.go
    return (*go.binaries, *go.links) or _NO_BINARIES


def _check_there(files: ProjectFiles, path: str, variant: Variant, index: int) -> None:
    path = path.rstrip("/")
    if files.exists(path) or files.has_folder(path):
        return
    where = ("image", "files", index, "file")
    folder, _, name = path.rpartition("/")
    near = suggestion(name, [one for one, _ in files.names(folder)])
    variant.wrong(files, where, f"{key_path(where)}: there is no file {path}", near)
