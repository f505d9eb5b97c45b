"""What a published image says of itself: its annotations, or its labels where it has none."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from rearch.model.frozen import NOTHING, FrozenDict
from rearch.model.platform import Platform
from rearch.model.reference import Reference
from rearch.oci.types import (
    DOCKER_CONFIG,
    MANIFESTS,
    OCI_CONFIG,
    Descriptor,
    ImageConfig,
    Index,
    Manifest,
    read_document,
)
from rearch.registry.client import RegistryClient
from rearch.registry.documents import Document
from rearch.registry.resolve import CONFIG_LIMIT

_SAYS = "org.opencontainers.image."
_ATTESTATION = "vnd.docker.reference.type"


class Said(Struct, frozen=True, kw_only=True):
    """`annotations` of the index, else those of its first image; `platforms` in the index's order."""

    annotations: Mapping[str, str] = NOTHING
    platforms: tuple[Platform, ...] = ()


def what_it_says(client: RegistryClient, reference: Reference) -> Said:
    """Read it: one request for an index with annotations, up to three for what has only labels.

    Errors: BadDocument; those of RegistryClient.
    """
    document = client.manifest(reference)
    if not document.is_index:
        return Said(annotations=_manifest(client, reference, document))
    index = read_document(Index, document.data, document.name)
    images = [each for each in index.manifests if _is_image(each)]
    platforms = tuple(known for each in images if each.platform and (known := each.platform.known))
    if _speaks(index.annotations):
        return Said(annotations=FrozenDict(index.annotations or {}), platforms=platforms)
    if not images:
        return Said(platforms=platforms)
    first = client.manifest(reference.at(images[0].digest))
    return Said(annotations=_manifest(client, reference, first), platforms=platforms)


def _manifest(client: RegistryClient, reference: Reference, document: Document) -> Mapping[str, str]:
    manifest = read_document(Manifest, document.data, document.name)
    if _speaks(manifest.annotations) or manifest.config.media_type not in (OCI_CONFIG, DOCKER_CONFIG):
        return FrozenDict(manifest.annotations or {})
    data = client.read_blob(reference, manifest.config, CONFIG_LIMIT)
    config = read_document(ImageConfig, data, f"{document.name}: config")
    labels = (config.config.labels if config.config else None) or {}
    return FrozenDict({**labels, **(manifest.annotations or {})})


def _is_image(entry: Descriptor) -> bool:
    return entry.media_type in MANIFESTS and _ATTESTATION not in (entry.annotations or {})


def _speaks(annotations: Mapping[str, str] | None) -> bool:
    return any(name.startswith(_SAYS) for name in annotations or {})
