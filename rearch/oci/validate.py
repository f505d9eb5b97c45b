"""Checks a whole image layout: every digest, size and diff ID is computed again, and all faults are listed at once.

Rules: OCI image specification 1.1 (image-layout.md, image-index.md, manifest.md, config.md, layer.md, descriptor.md)
and Docker's "Image Manifest Version 2, Schema 2". Blobs are streamed; one that is named several times is read once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rearch.oci.layout_blobs import blob_path
from rearch.oci.layout_read import MAX_DEPTH, is_attestation
from rearch.oci.types import (
    INDEXES,
    LAYERS,
    MANIFESTS,
    OCI_INDEX,
    Descriptor,
    ImageConfig,
    Index,
    Manifest,
)
from rearch.oci.validate_blobs import LayerFound, Progress, check_blob, check_layer
from rearch.oci.validate_documents import config_findings, index_findings, is_image, kind_findings, manifest_findings
from rearch.oci.validate_faults import Fault, Finding
from rearch.oci.validate_read import descriptors_in, marker_findings, read_blob_document, read_index_json

__all__ = ["Fault", "validate"]

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
    """One walk through a layout.

    `named` are the blobs that some document names, `entered` the indexes (and what is no valid document) that were
    looked into: those that lie about digests can name each other in circles. `unread`: some document was not read to
    its end, and can name anything.
    """

    def __init__(self, layout: Path, progress: Progress) -> None:
        self.faults: list[Fault] = []
        self._layout = layout
        self._progress = progress
        self._named: set[str] = set()
        self._entered: set[str] = set()
        self._unread = False
        self._layers: dict[tuple[str, int, str], LayerFound] = {}
        self._plain: set[tuple[str, int]] = set()

    def top(self) -> None:
        """oci-layout, index.json, and everything below it."""
        self._add("oci-layout", marker_findings(self._layout))
        read = read_index_json(self._layout)
        self._add("index.json", read.findings)
        if read.document is None:
            self._guess(read.raw, "index.json", 0)
            return
        self._add("index.json", kind_findings(read.raw, OCI_INDEX))
        self._index(read.document, OCI_INDEX, "index.json", 0)

    def strangers(self) -> None:
        """What lies in blobs/ and is named by nobody."""
        who = "no document that can be read" if self._unread else "no document"
        for path in sorted((self._layout / "blobs").glob("*/*")):
            place = str(path.relative_to(self._layout))
            if path.parent.name != "sha256" or not _BLOB.match(path.name) or not path.is_file():
                self._add(place, [Finding(text="it is no blob", warning=True)])
            elif path.name not in self._named:
                self._add(place, [Finding(text=f"{who} names this blob", warning=True)])
                found = Descriptor(media_type="", digest=f"sha256:{path.name}", size=path.stat().st_size)
                self._add(place, check_blob(self._layout, found, self._progress))

    def _add(self, place: str, findings: Iterable[Finding]) -> None:
        self.faults += [Fault(place=place, text=each.text, warning=each.warning) for each in findings]

    def _index(self, index: Index, media_type: str, place: str, depth: int) -> None:
        self._add(place, index_findings(index, media_type, top=depth == 0))
        for entry in index.manifests:
            self._entry(entry, place, depth)
        self._subject(index.subject, place)

    def _entry(self, entry: Descriptor, place: str, depth: int) -> None:
        label = f" ({entry.platform})" if entry.platform is not None and not is_attestation(entry) else ""
        if entry.media_type in INDEXES:
            self._nested(entry, f"{place} > index {_short(entry)}", depth + 1)
        elif entry.media_type in MANIFESTS:
            self._manifest(entry, f"{place} > manifest {_short(entry)}{label}", depth)
        else:
            self._unread = True
            self._blob(entry, f"{place} > {_short(entry)}")

    def _nested(self, entry: Descriptor, place: str, depth: int) -> None:
        self._named.add(entry.hex)
        if depth > MAX_DEPTH:
            self._unread = True
            self._add(place, [Finding(text=f"indexes stand in indexes, more than {MAX_DEPTH} deep")])
            return
        read = read_blob_document(Index, self._layout, entry)
        self._add(place, read.findings)
        if read.document is None:
            self._guess(read.raw, place, depth, entry.hex)
            return
        self._add(place, kind_findings(read.raw, entry.media_type))
        if entry.hex not in self._entered:
            self._entered.add(entry.hex)
            self._index(read.document, entry.media_type, place, depth)

    def _manifest(self, entry: Descriptor, place: str, depth: int) -> None:
        self._named.add(entry.hex)
        read = read_blob_document(Manifest, self._layout, entry)
        self._add(place, read.findings)
        manifest = read.document
        if manifest is None:
            self._guess(read.raw, place, depth, entry.hex)
            return
        self._add(place, kind_findings(read.raw, entry.media_type))
        self._subject(manifest.subject, place)
        if is_image(manifest) and not is_attestation(entry):
            self._image(manifest, entry, place)
            return
        self._blob(manifest.config, f"{place} > config")
        for number, layer in enumerate(manifest.layers, 1):
            self._blob(layer, f"{place} > layer {number}")

    def _guess(self, raw: dict[str, Any], place: str, depth: int, key: str = "") -> None:
        """A document that is not valid: what it names all the same. `key` is the digest that leads to it."""
        self._unread = True
        if key in self._entered or depth > MAX_DEPTH:
            return
        self._entered.add(key)
        for entry in descriptors_in(raw, "manifests"):
            self._entry(entry, place, depth + 1)
        for blob in (*descriptors_in(raw, "config"), *descriptors_in(raw, "layers")):
            self._blob(blob, f"{place} > {_short(blob)}")

    def _subject(self, subject: Descriptor | None, place: str) -> None:
        """What a document is about need not be in the layout; where it is, it is no stranger."""
        if subject is not None and blob_path(self._layout, subject.digest).exists():
            self._blob(subject, f"{place} > subject")

    def _image(self, manifest: Manifest, entry: Descriptor, place: str) -> None:
        self._add(place, manifest_findings(manifest, entry.media_type))
        self._named.add(manifest.config.hex)
        read = read_blob_document(ImageConfig, self._layout, manifest.config)
        self._add(f"{place} > config", read.findings)
        diff_ids: tuple[str, ...] = ()
        if read.document is not None:
            self._add(f"{place} > config", config_findings(read.document, len(manifest.layers), entry.platform))
            diff_ids = read.document.rootfs.diff_ids
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


def _short(descriptor: Descriptor) -> str:
    return descriptor.digest[:19]
