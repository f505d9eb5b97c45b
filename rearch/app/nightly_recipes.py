"""What the project's own files say for some components, as a digest: a night tries again what it refused when these
have changed, since it may build then."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rearch.app.request import Request
    from rearch.model.stack import Project


def recipes_digest(request: Request, project: Project, components: Collection[str]) -> str:
    """Of every YAML file and patch that was read for these components (`stack/name`); without other recipes, whose
    versions a night may edit."""
    everyone = [component for stack in project.stacks for component in stack.components]
    others = {f"{one.folder}/{one.name}.yaml" for one in everyone if one.id not in components}
    found = hashlib.sha256()
    for name in sorted({*project.files} - others):
        path = request.project / name
        found.update(f"{name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode() if path.is_file() else b"")
    for component in everyone:
        if component.id in components:
            found.update("".join(f"{patch.path}\0{patch.digest}\n" for patch in component.patches).encode())
    return found.hexdigest()
