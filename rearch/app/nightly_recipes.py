"""What the project's own files say for some components, as a digest: a night tries again what it refused when these
have changed, since it may build then."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from rearch.config.stacks import FILE as STACK
from rearch.config.template_files import FOLDER as TEMPLATES
from rearch.errors import RearchError
from rearch.formats.tree import path_digest
from rearch.planning.images import project_file

if TYPE_CHECKING:
    from rearch.app.request import Request
    from rearch.model.stack import Component, Project


def recipes_digest(request: Request, project: Project, components: Collection[str]) -> str:
    """Of every YAML file that was read for these components (`stack/name`), of their patches and files, and of the
    project's templates; without other recipes, whose versions a night may edit, and other stacks."""
    everyone = [component for stack in project.stacks for component in stack.components]
    own = [component for component in everyone if component.id in components]
    others = {f"{one.folder}/{one.name}.yaml" for one in everyone if one not in own}
    stacks = {PurePosixPath(name).parent for name in project.files if PurePosixPath(name).name == STACK}
    stacks -= {one.folder for one in own}
    names = {name for name in project.files if name not in others and not stacks & {*PurePosixPath(name).parents}}
    names |= {TEMPLATES, *(name for one in own for name in _files(one))}
    found = hashlib.sha256()
    for name in sorted(names):
        found.update(f"{name}\0{_digest(request.project / name)}\n".encode())
    for patch in (patch for component in own for patch in component.patches):
        found.update(f"{patch.path}\0{patch.digest}\n".encode())
    return found.hexdigest()


def _digest(path: Path) -> str:
    """Empty where there is nothing that can be read: a build says why."""
    try:
        return path_digest(path)
    except (OSError, RearchError):
        return ""


def _files(component: Component) -> Iterator[str]:
    for recipe in component.recipes.values():
        for file in recipe.image.files if recipe.image is not None else ():
            if file.file is not None:
                yield project_file(component, file)
