"""The record of a layout: its blobs have their digests as names, so nothing is read again."""

from __future__ import annotations

from pathlib import Path

from rearch.formats.hashing import sha256_file
from rearch.model.step import Artifact

BLOBS = "blobs/sha256"


def layout_artifacts(layout: Path) -> tuple[Artifact, ...]:
    """Every file of a layout, sorted by path."""
    names = sorted(path.name for path in (layout / BLOBS).iterdir())
    blobs = [_artifact(layout, f"{BLOBS}/{name}", name) for name in names]
    return (*blobs, *(_artifact(layout, name, sha256_file(layout / name)) for name in ("index.json", "oci-layout")))


def _artifact(layout: Path, path: str, digest: str) -> Artifact:
    return Artifact(path=path, size=(layout / path).stat().st_size, digest=digest, mode=0o644)
