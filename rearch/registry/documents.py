"""What a registry sends as a manifest: of which type it is, whatever the headers say."""

from __future__ import annotations

import json
from typing import Any

from msgspec import Struct

from rearch.model.digest import Digest
from rearch.model.reference import Reference
from rearch.oci.types import DOCKER_INDEX, DOCKER_MANIFEST, INDEXES, MANIFESTS, OCI_INDEX, OCI_MANIFEST, BadDocument
from rearch.registry.errors import OldManifest, UnknownDocument

ACCEPT = ", ".join((OCI_INDEX, DOCKER_INDEX, OCI_MANIFEST, DOCKER_MANIFEST))
# "Registries SHOULD accept manifests of at least 4 megabytes" (distribution specification, "Pushing Manifests").
MANIFEST_LIMIT = 4 << 20
_OLD = (
    "application/vnd.docker.distribution.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v1+prettyjws",
)


class Document(Struct, frozen=True, kw_only=True):
    """A manifest or index as it came. `digest` is that of `data`; `name` says what it is, for messages."""

    reference: Reference
    media_type: str
    data: bytes
    digest: str

    @property
    def name(self) -> str:
        """For messages."""
        return self.reference.name

    @property
    def is_index(self) -> bool:
        """Whether it joins several images."""
        return self.media_type in INDEXES


def make_document(reference: Reference, data: bytes, content_type: str) -> Document:
    """The document with its type. Errors: OldManifest, UnknownDocument, BadDocument (also for an ambiguous one)."""
    media_type = _media_type(reference.name, data, content_type.partition(";")[0].strip().lower())
    return Document(reference=reference, media_type=media_type, data=data, digest=str(Digest.of(data)))


def _media_type(what: str, data: bytes, stated: str) -> str:
    try:
        found: Any = json.loads(data)
    except (ValueError, RecursionError):
        raise BadDocument(what, ("it is not JSON",)) from None
    if not isinstance(found, dict):
        raise BadDocument(what, ("it is not a JSON object",))
    if found.get("schemaVersion") == 1 or stated in _OLD:
        raise OldManifest(what)
    inside = found.get("mediaType")
    # One text must not be an image to the one and an index to the other (CVE-2021-41190).
    if "manifests" in found and ("config" in found or "layers" in found):
        raise BadDocument(what, ("it is both an index and a manifest",))
    known = (*INDEXES, *MANIFESTS)
    if inside is not None and stated in known and inside != stated:
        raise BadDocument(what, (f"it says to be {inside!r:.80}, the registry says {stated}",))
    if inside is None and stated not in known:
        inside = OCI_INDEX if "manifests" in found else OCI_MANIFEST if "layers" in found else None
    media_type = str(inside or stated)
    if media_type not in known:
        raise UnknownDocument(what, media_type)
    if ("manifests" in found) != (media_type in INDEXES):
        raise BadDocument(what, (f"its type is {media_type}, and its content is not",))
    return media_type
