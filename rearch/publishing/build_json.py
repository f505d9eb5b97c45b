"""The images that output/build.json names. engine/index.py writes it; here is what of it is to be relied on."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from msgspec import Struct

from rearch.publishing.errors import DamagedBuildFile

PASSED, NOT_RUN = "passed", "not run"


class PlatformRow(Struct, frozen=True, kw_only=True):
    """One platform of an image: the digest of its manifest, and what was checked of it."""

    platform: str
    digest: str
    audited: bool
    smoke: str


class ImageRow(Struct, frozen=True, kw_only=True):
    """One image. `path`: its layout, below output/."""

    component: str
    repository: str
    tag: str
    digest: str
    path: str
    platforms: tuple[PlatformRow, ...]


def image_rows(path: Path) -> tuple[ImageRow, ...]:
    """What stands there; nothing where there is no such file. A field that is missing is empty.

    Errors: DamagedBuildFile (torn, or not of the shape that it is written in).
    """
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        return ()
    except ValueError as error:
        raise DamagedBuildFile(path, str(error)) from error
    if (why := _misshape(found)) is not None:
        raise DamagedBuildFile(path, why)
    return tuple(_image(entry) for entry in _rows(found, "images") if entry.get("component"))


def _misshape(found: object) -> str | None:
    """Why it cannot be what engine/index.py wrote. A build without images is no fault."""
    if not isinstance(found, dict):
        return "it is no JSON object"
    images = found.get("images", [])
    if not isinstance(images, list) or not all(isinstance(entry, dict) for entry in images):
        return "`images` is no list of objects"
    return None


def _rows(found: object, key: str) -> Iterator[Mapping[str, object]]:
    listed = found.get(key) if isinstance(found, dict) else None
    yield from (entry for entry in (listed if isinstance(listed, list) else []) if isinstance(entry, dict))


def _image(entry: Mapping[str, object]) -> ImageRow:
    return ImageRow(
        component=_text(entry, "component"),
        repository=_text(entry, "repository"),
        tag=_text(entry, "tag"),
        digest=_text(entry, "digest"),
        path=_text(entry, "path"),
        platforms=tuple(_platform(row) for row in _rows(entry, "platforms")),
    )


def _platform(row: Mapping[str, object]) -> PlatformRow:
    audit = row.get("audit")
    return PlatformRow(
        platform=_text(row, "platform"),
        digest=_text(row, "digest"),
        audited=isinstance(audit, dict) and audit.get("outcome") == PASSED,
        smoke=_text(row, "smoke"),
    )


def _text(entry: Mapping[str, object], key: str) -> str:
    found = entry.get(key)
    return found if isinstance(found, str) else ""
