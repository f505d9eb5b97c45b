"""Where descriptions come from: a registry, or a layout on disk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from rearch.model.reference import Reference
from rearch.oci.layout import read_blob
from rearch.oci.layout_errors import MissingBlob
from rearch.oci.layout_read import read_typed
from rearch.oci.types import INDEXES, MANIFESTS, Descriptor, Index, Manifest
from rearch.registry.client import RegistryClient
from rearch.registry.errors import NotInRegistry, UnknownDocument
from rearch.registry.resolve import CONFIG_LIMIT


def _none(_reference: Reference) -> tuple[Descriptor, ...]:
    return ()


class RegistrySource:
    """A reference. `referrers`: who is asked for what refers to a digest (RegistryPusher.referrers)."""

    def __init__(
        self,
        client: RegistryClient,
        reference: Reference,
        referrers: Callable[[Reference], tuple[Descriptor, ...]] = _none,
    ) -> None:
        self._client = client
        self._reference = reference
        self._referrers = referrers

    @property
    def name(self) -> str:
        return str(self._reference)

    def top(self) -> tuple[Descriptor, bytes]:
        document = self._client.manifest(self._reference)
        described = Descriptor(media_type=document.media_type, digest=document.digest, size=len(document.data))
        return described, document.data

    def document(self, entry: Descriptor) -> bytes | None:
        try:
            return self._client.manifest(self._reference.at(entry.digest)).data
        except NotInRegistry:
            return None

    def config(self, blob: Descriptor) -> bytes | None:
        try:
            return self._client.read_blob(self._reference, blob, CONFIG_LIMIT)
        except NotInRegistry:
            return None

    def referrers(self, entry: Descriptor, /) -> tuple[Descriptor, ...]:
        return self._referrers(self._reference.at(entry.digest))


class LayoutSource:
    """One entry of a layout's index.json."""

    def __init__(self, layout: Path, entry: Descriptor, name: str) -> None:
        self._layout = layout
        self._entry = entry
        self.name = name

    def top(self) -> tuple[Descriptor, bytes]:
        """Errors: UnknownDocument; those of read_typed."""
        if self._entry.media_type not in (*INDEXES, *MANIFESTS):
            raise UnknownDocument(self.name, self._entry.media_type)
        read_typed(self._layout, Index if self._entry.media_type in INDEXES else Manifest, self._entry)
        return self._entry, read_blob(self._layout, self._entry)

    def document(self, entry: Descriptor) -> bytes | None:
        return self._read(entry)

    def config(self, blob: Descriptor) -> bytes | None:
        return self._read(blob)

    def referrers(self, _entry: Descriptor, /) -> tuple[Descriptor, ...]:
        """A layout has no list of them."""
        return ()

    def _read(self, blob: Descriptor) -> bytes | None:
        try:
            return read_blob(self._layout, blob)
        except MissingBlob:
            return None
