"""What a build leaves in output/, made by code in no time: layouts with an index each, and the build.json over them.

project = make_project(tmp_path)
add_built(project, "agent", ("linux/arm64",))
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rearch.model.platform import parse_platform
from rearch.oci.layout import put_bytes, start_layout, write_index_json
from rearch.oci.types import DOCKER_INDEX, OCI_INDEX, REF_NAME, Index, Types, document_bytes
from tests.support.layouts import File, Thing, add_image

Layers = Sequence[Sequence[Thing]]
BOTH = ("linux/amd64", "linux/arm64")


def make_project(base: Path) -> Path:
    """A project that was never built: it has recipes/, and nothing in it."""
    project = base / "project"
    (project / "recipes").mkdir(parents=True)
    return project


def noise(name: str, size: int = 20_000) -> File:
    """A file that does not compress, always the same for the same words."""
    return File(f"usr/bin/{name.replace('/', '-')}", random.Random(f"{name} {size}").randbytes(size))


def add_built(
    project: Path,
    name: str,
    platforms: Sequence[str] = BOTH,
    *,
    layers: Mapping[str, Layers] | None = None,
    stack: str = "demo",
    tag: str = "v1.0.0",
    repository: str = "",
    build: str = "1",
    types: Types = "oci",
    run: Mapping[str, Any] | None = None,
    compress: bool = True,
    **row: Any,
) -> str:
    """Add an image (or replace it: another `build` has other bytes) and its entry; the digest of its index.

    Without `layers` of its own, each platform has one layer, and another that is the same in every image of that
    platform. `run` are fields of each image's RunConfig, `row` those of each platform's row in build.json (`audit`,
    `smoke`).
    """
    layout = project / "output" / "images" / (repository or name)
    start_layout(layout)
    words = {
        "org.opencontainers.image.version": tag,
        "org.opencontainers.image.created": "2024-05-17T10:00:00Z",
        "org.opencontainers.image.revision": "1f2e3d4c" * 5,
    }
    more = {"labels": words} | dict(run or {})
    images = {
        platform: add_image(
            layout,
            parse_platform(platform),
            layers[platform] if layers is not None else _layers(platform, f"{name} {build}"),
            compress=compress,
            types=types,
            **more,
        )
        for platform in platforms
    }
    media_type = OCI_INDEX if types == "oci" else DOCKER_INDEX
    index = Index(
        media_type=media_type, manifests=tuple(images.values()), annotations=words if types == "oci" else None
    )
    top = put_bytes(layout, document_bytes(index), media_type, annotations={REF_NAME: tag})
    write_index_json(layout, [top])
    rows = [
        {"platform": platform, "digest": image.digest, "audit": {"outcome": "passed"}, "smoke": "passed"} | row
        for platform, image in images.items()
    ]
    _write(
        project,
        {
            "component": f"{stack}/{name}",
            "repository": repository or name,
            "tag": tag,
            "digest": top.digest,
            "path": f"images/{repository or name}",
            "key": "k",
            "platforms": rows,
        },
    )
    return top.digest


def _layers(platform: str, seed: str) -> Layers:
    return [[noise(f"base {platform}")], [noise(f"{seed} {platform}")]]


def _write(project: Path, entry: dict[str, Any]) -> None:
    path = project / "output" / "build.json"
    (project / "output" / ".rearch").mkdir(parents=True, exist_ok=True)
    found: dict[str, Any] = (
        json.loads(path.read_text()) if path.exists() else {"rearch": "0", "binaries": [], "images": []}
    )
    others = [each for each in found["images"] if each["path"] != entry["path"]]
    images = sorted([*others, entry], key=lambda each: str(each["path"]))
    path.write_text(json.dumps({**found, "images": images}))
