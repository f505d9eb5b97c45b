"""Checks a whole image layout: every digest, size and diff ID is computed again, and all faults are listed at once.

Rules: OCI image specification 1.1 (image-layout.md, image-index.md, manifest.md, config.md, layer.md, descriptor.md)
and Docker's "Image Manifest Version 2, Schema 2". Blobs are streamed; one that is named several times is read once.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from rearch.errors import RearchError
from rearch.oci.layout_blobs import blob_path, read_blob
from rearch.oci.layout_read import MAX_DEPTH, is_attestation, read_top
from rearch.oci.types import (
    INDEXES,
    LAYERS,
    MANIFESTS,
    OCI_INDEX,
    Descriptor,
    ImageConfig,
    Index,
    Manifest,
    read_document,
)
from rearch.oci.validate_blobs import LayerFound, Progress, check_blob, check_layer
from rearch.oci.validate_documents import config_findings, index_findings, is_image, kind_findings, manifest_findings
from rearch.oci.validate_faults import Fault, Finding, finding

__all__ = ["Fault", "validate"]

M = TypeVar("M", bound=BaseModel)

_BLOB = re.compile(r"[0-9a-f]{64}\Z")


def _silent(_label: str, _done: int, _total: int, _unit: str) -> None:
    """Nobody looks."""


def validate(layout: Path, *, progress: Progress = _silent) -> tuple[Fault, ...]:
    """All faults of a layout, in the order in which one comes to them from index.json; none: it is whole.

    `progress(label, done, total, unit)` is told of bytes; a total of 0 is not known. Errors: none for what is wrong
    in the layout; OSError where it cannot be read.
    """
    walk = _Walk(layout, progress)
    walk.top()
    walk.strangers()
    return tuple(dict.fromkeys(walk.faults))


class _Walk:
    """One walk through a layout. `named` are the blobs that some document names."""

    def __init__(self, layout: Path, progress: Progress) -> None:
        self.faults: list[Fault] = []
        self._layout = layout
        self._progress = progress
        self._named: set[str] = set()
        self._layers: dict[tuple[str, int, str], LayerFound] = {}
        self._plain: set[tuple[str, int]] = set()

    def top(self) -> None:
        """index.json, and everything below it."""
        try:
            index, raw = read_top(self._layout), json.loads((self._layout / "index.json").read_bytes())
        except RearchError as error:
            self._add("index.json", [finding(error)])
            return
        self._add("index.json", kind_findings(raw, OCI_INDEX))
        self._index(index, OCI_INDEX, "index.json", 0)

    def strangers(self) -> None:
        """What lies in blobs/ and is named by nobody."""
        for path in sorted((self._layout / "blobs").glob("*/*")):
            place = str(path.relative_to(self._layout))
            if path.parent.name != "sha256" or not _BLOB.match(path.name) or not path.is_file():
                self._add(place, [Finding(text="it is no blob", warning=True)])
            elif path.name not in self._named:
                self._add(place, [Finding(text="no document names this blob", warning=True)])
                found = Descriptor(media_type="", digest=f"sha256:{path.name}", size=path.stat().st_size)
                self._add(place, check_blob(self._layout, found, self._progress))

    def _add(self, place: str, findings: Iterable[Finding]) -> None:
        self.faults += [Fault(place=place, text=each.text, warning=each.warning) for each in findings]

    def _index(self, index: Index, media_type: str, place: str, depth: int) -> None:
        self._add(place, index_findings(index, media_type, top=depth == 0))
        for entry in index.manifests:
            label = f" ({entry.platform})" if entry.platform is not None and not is_attestation(entry) else ""
            if entry.media_type in INDEXES:
                self._nested(entry, f"{place} > index {_short(entry)}", depth + 1)
            elif entry.media_type in MANIFESTS:
                self._manifest(entry, f"{place} > manifest {_short(entry)}{label}")
            else:
                self._blob(entry, f"{place} > {_short(entry)}")

    def _nested(self, entry: Descriptor, place: str, depth: int) -> None:
        if depth > MAX_DEPTH:
            self._add(place, [Finding(text=f"indexes stand in indexes, more than {MAX_DEPTH} deep")])
        elif (read := self._document(Index, entry, place)) is not None:
            index, raw = read
            self._add(place, kind_findings(raw, entry.media_type))
            self._index(index, entry.media_type, place, depth)

    def _manifest(self, entry: Descriptor, place: str) -> None:
        if (read := self._document(Manifest, entry, place)) is None:
            return
        manifest, raw = read
        self._add(place, kind_findings(raw, entry.media_type))
        if is_image(manifest) and not is_attestation(entry):
            self._image(manifest, entry, place)
            return
        self._blob(manifest.config, f"{place} > config")
        for number, layer in enumerate(manifest.layers, 1):
            self._blob(layer, f"{place} > layer {number}")

    def _image(self, manifest: Manifest, entry: Descriptor, place: str) -> None:
        self._add(place, manifest_findings(manifest, entry.media_type))
        read = self._document(ImageConfig, manifest.config, f"{place} > config")
        diff_ids: tuple[str, ...] = ()
        if read is not None:
            self._add(f"{place} > config", config_findings(read[0], len(manifest.layers), entry.platform))
            diff_ids = read[0].rootfs.diff_ids
        for number, layer in enumerate(manifest.layers):
            wanted = diff_ids[number] if number < len(diff_ids) else None
            self._layer(layer, wanted, f"{place} > layer {number + 1}")

    def _layer(self, layer: Descriptor, wanted: str | None, place: str) -> None:
        """A layer; what is in it is told once, that its diff ID is another for every config."""
        if layer.media_type not in LAYERS or (layer.urls and not blob_path(self._layout, layer.digest).exists()):
            self._blob(layer, place)
            return
        self._named.add(layer.hex)
        key = (layer.digest, layer.size, LAYERS[layer.media_type])
        if key not in self._layers:
            self._layers[key] = check_layer(self._layout, layer, self._progress)
            self._add(place, self._layers[key].findings)
        found = self._layers[key].diff_id
        if None not in (found, wanted) and found != wanted:
            self._add(place, [Finding(text=f"its diff ID is {found}, and the config says {wanted}")])

    def _blob(self, descriptor: Descriptor, place: str) -> None:
        self._named.add(descriptor.hex)
        if descriptor.urls and not blob_path(self._layout, descriptor.digest).exists():
            text = f"the blob is not here; it is to be had from {', '.join(descriptor.urls)}"
            self._add(place, [Finding(text=text, warning=True)])
        elif (descriptor.digest, descriptor.size) not in self._plain:
            self._plain.add((descriptor.digest, descriptor.size))
            self._add(place, check_blob(self._layout, descriptor, self._progress))

    def _document(self, kind: type[M], descriptor: Descriptor, place: str) -> tuple[M, dict[str, Any]] | None:
        """A document, read and as JSON; None, and a fault, for one that cannot be read."""
        self._named.add(descriptor.hex)
        try:
            data = read_blob(self._layout, descriptor)
            return read_document(kind, data, descriptor.digest), json.loads(data)
        except RearchError as error:
            self._add(place, [finding(error)])
            return None


def _short(descriptor: Descriptor) -> str:
    return descriptor.digest[:19]
