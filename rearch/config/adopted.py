"""`publish: {adopt: ...}` of a stack.yaml: what the model cannot see by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rearch.config.files import ProjectFiles
from rearch.config.problems import shown, suggestion
from rearch.config.yaml_tree import Data
from rearch.model.platform import UnknownPlatform, parse_platform


def check_adopted(files: ProjectFiles, file: str, data: Mapping[str, Data], recipes: Sequence[str]) -> None:
    """Whether its components are there, and no platform is written in two ways."""
    publish = data.get("publish")
    adopt = publish.get("adopt") if isinstance(publish, dict) else None
    for name, originals in adopt.items() if isinstance(adopt, dict) else ():
        path = ("publish", "adopt", name)
        if name not in recipes:
            files.key(file, path, f"publish.adopt: there is no component {shown(name)}", suggestion(name, recipes))
        for platform, written in _spellings(originals).items():
            if len(written) > 1:
                text = f"publish.adopt.{name}: {platform} stands here twice, as {' and as '.join(written)}"
                files.key(file, (*path, written[1]), text, "an index has one image for a platform")


def _spellings(originals: Data) -> Mapping[str, list[str]]:
    """Platform -> how it is written here. What is no platform the model tells."""
    found: dict[str, list[str]] = {}
    for written in originals if isinstance(originals, dict) else ():
        try:
            found.setdefault(str(parse_platform(written)), []).append(written)
        except UnknownPlatform:
            continue
    return found
