"""Layers made in a folder of a test, with the memory of those that were made before."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from rearch.formats.hashing import sha256_file
from rearch.oci.entry import EntryKind, LayerEntry
from rearch.oci.layer import MadeLayer, make_layer
from rearch.oci.layout import blob_path, start_layout
from rearch.oci.types import Compression, Types

Packing = Compression | Literal[""]


def directory(path: str) -> LayerEntry:
    return LayerEntry(path=path, kind=EntryKind.DIRECTORY, mode=0o755)


def file(path: str, content: Path, *, digest: bool = True) -> LayerEntry:
    known = sha256_file(content) if digest else None
    return LayerEntry(
        path=path, kind=EntryKind.FILE, mode=0o644, size=content.stat().st_size, content=content, digest=known
    )


class Place:
    """A folder with contents, layouts and the memory of layers."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.layers = base / "layers"
        self._layouts = 0

    def content(self, data: bytes, name: str = "content") -> Path:
        (self.base / name).write_bytes(data)
        return self.base / name

    def make(self, *entries: LayerEntry, compression: Packing = "gzip", types: Types = "oci") -> tuple[MadeLayer, Path]:
        """The layer, and the new layout that it is in."""
        self._layouts += 1
        layout = self.base / f"layout-{self._layouts}"
        start_layout(layout)
        made = make_layer(
            entries,
            layout=layout,
            layers=self.layers,
            compression=compression,
            media_types=types,
        )
        return made, layout

    def tar(self, *entries: LayerEntry) -> bytes:
        made, layout = self.make(*entries, compression="")
        return blob_path(layout, made.descriptor.digest).read_bytes()
