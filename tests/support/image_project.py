"""Projects whose components become images: those of go_project.py with an `image:` part.

rearch = image_demo(tmp_path, "one", "two")
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rearch.oci.layout import read_blob, read_image
from rearch.oci.types import Descriptor, Index, read_document
from tests.support.cli import Cli
from tests.support.warm_cache import demo

IMAGE = """\
image:
  repository: {name}
  files:
    - {{binary: {name}, to: /usr/bin/{name}}}
  entrypoint: [/usr/bin/{name}]
  env: {{GREETED: "from ${{{{ arch }}}}"}}
  labels: {{team: tests}}
  smoke:
    - {{run: [/usr/bin/{name}], expect: '{name} ${{{{ version }}}} good day'}}
"""


def add_image(project: Path, name: str, text: str = IMAGE, stack: str = "demo") -> None:
    """Append an image part to a component's recipe."""
    recipe = project / "recipes" / stack / f"{name}.yaml"
    recipe.write_text(recipe.read_text() + text.format(name=name))


def image_demo(base: Path, *components: str, **options: Any) -> Cli:
    """A project of these components, an image of each, with a warm cache of its own."""
    names = components or ("hello",)
    rearch = demo(base, *names, **options)
    for name in names:
        add_image(rearch.project, name)
    return rearch


def layout_of(rearch: Cli, repository: str) -> Path:
    """The layout of an image in output/."""
    return rearch.output / "images" / repository


def named(layout: Path) -> dict[str, Descriptor]:
    """Name in a layout -> descriptor."""
    index = read_document(Index, (layout / "index.json").read_bytes(), "index.json")
    return {(item.annotations or {})["org.opencontainers.image.ref.name"]: item for item in index.manifests}


def index_of(layout: Path, tag: str) -> Index:
    """The index of that name in a layout."""
    return read_document(Index, read_blob(layout, named(layout)[tag]), "index")


def config_of(layout: Path, ref: str) -> dict[str, Any]:
    """The config of an image of one platform, as JSON."""
    image = read_image(layout, ref=ref)
    found: dict[str, Any] = json.loads(read_blob(layout, image.manifest.config))
    return found


def build_json(rearch: Cli) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((rearch.output / "build.json").read_text())
    return found
