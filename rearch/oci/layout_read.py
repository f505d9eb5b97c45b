"""Reads an image layout: every blob that is used is checked for its size and digest."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from rearch.model.platform import Platform
from rearch.model.reference import BadReference, parse_reference
from rearch.oci.layout_blobs import DOCUMENT_LIMIT, Place, open_file, read_blob
from rearch.oci.layout_errors import (
    AmbiguousImage,
    BlobTooLarge,
    MislabelledDocument,
    NoLayout,
    NoSuchImage,
    NoSuchPlatform,
    TooManyDocuments,
)
from rearch.oci.types import (
    DOCKER_CONFIG,
    INDEXES,
    MANIFESTS,
    OCI_CONFIG,
    REF_NAME,
    BadDocument,
    Descriptor,
    ImageConfig,
    Index,
    Manifest,
    PlatformObject,
    read_document,
)

# containerd writes the whole reference here, and the tag alone into REF_NAME.
IMAGE_NAME = "io.containerd.image.name"
# BuildKit's attestations stand in the index as manifests for unknown/unknown (its attestation-storage.md).
REFERENCE_TYPE = "vnd.docker.reference.type"
MAX_DEPTH = 4
_DOCUMENTS = 4096

M = TypeVar("M", bound=Struct)


class LayoutImage(Struct, frozen=True, kw_only=True):
    """One image of a layout. `descriptor` has a platform, from the config where the index gives none."""

    descriptor: Descriptor
    manifest: Manifest
    config: ImageConfig


def read_top(layout: Place) -> Index:
    """The layout's index.json. Errors: NoLayout, BadDocument, BlobTooLarge."""
    found = {name: _top_file(layout, name) for name in ("oci-layout", "index.json")}
    try:
        marker = json.loads(found["oci-layout"])
    except ValueError:
        marker = None
    version = marker.get("imageLayoutVersion") if isinstance(marker, dict) else None
    if not isinstance(version, str) or not version.startswith("1."):
        raise NoLayout(layout, f"oci-layout says version {version!r}; 1.0.0 is wanted")
    return read_document(Index, found["index.json"], f"{layout}/index.json")


def _top_file(layout: Place, name: str) -> bytes:
    try:
        with open_file(layout, name) as (file, _):
            data = file.read(DOCUMENT_LIMIT + 1)
    except OSError as error:
        raise NoLayout(layout, f"{name}: {error.strerror or error}") from None
    if len(data) > DOCUMENT_LIMIT:
        raise BlobTooLarge(layout, name, len(data), DOCUMENT_LIMIT)
    return data


def read_typed(layout: Place, kind: type[M], descriptor: Descriptor) -> M:
    """A document of the layout, of the kind that its descriptor says.

    A document that can be taken for a manifest and for an index is refused (CVE-2021-41190). Errors: those of
    read_blob, BadDocument, MislabelledDocument.
    """
    data = read_blob(layout, descriptor)
    document = read_document(kind, data, f"{layout}: {descriptor.digest}")
    raw = json.loads(data)
    says = raw.get("mediaType", descriptor.media_type)
    if kind in (Manifest, Index) and says != descriptor.media_type:
        raise MislabelledDocument(layout, descriptor.digest, descriptor.media_type, str(says))
    if kind in (Manifest, Index) and "manifests" in raw and ("layers" in raw or "config" in raw):
        raise BadDocument(f"{layout}: {descriptor.digest}", ("it is a manifest and an index at once",))
    return document


def read_image(layout: Place, *, ref: str = "", platform: Platform | None = None) -> LayoutImage:
    """One image of a layout: the one called `ref`, for `platform`. What is left out must leave no choice.

    Indexes in the index are followed. The platform is that of the descriptor, which the config must confirm; where
    the descriptor has none, the config's. Attestations and other artifacts are no images. Errors: NoLayout,
    NoSuchImage, NoSuchPlatform, AmbiguousImage (exit code 2); those of read_typed (exit code 3).
    """
    images = image_descriptors(layout, ref)
    if platform is None:
        chosen = images
    else:
        chosen = tuple(each for each in images if _platform(layout, each).known == platform)
        if images and not chosen:
            there = sorted({str(_platform(layout, each)) for each in images})
            raise NoSuchPlatform(layout, ref, str(platform), there)
    if not chosen:
        raise NoSuchImage(layout, ref, ())
    if len(chosen) > 1:
        raise AmbiguousImage(layout, ref, tuple(f"{_platform(layout, each)} {each.digest}" for each in chosen))
    return load_image(layout, chosen[0])


def image_descriptors(layout: Place, ref: str = "") -> tuple[Descriptor, ...]:
    """The manifests of all images of a layout, or of all that are called `ref`, each once. Errors: as read_image."""
    named = _named(layout, read_top(layout), ref)
    return tuple({each.digest: each for each in _walk(layout, named, [0])}.values())


def load_image(layout: Place, descriptor: Descriptor) -> LayoutImage:
    """The image behind a manifest's descriptor. Errors: those of read_typed; MislabelledDocument for the platform."""
    manifest = read_typed(layout, Manifest, descriptor)
    config = read_typed(layout, ImageConfig, manifest.config)
    mine = PlatformObject(architecture=config.architecture, os=config.os, variant=config.variant)
    says = descriptor.platform or mine
    if not platforms_agree(says, mine):
        raise MislabelledDocument(layout, descriptor.digest, str(says), str(mine))
    with_platform = replace(descriptor, platform=says)
    return LayoutImage(descriptor=with_platform, manifest=manifest, config=config)


def platforms_agree(label: PlatformObject, config: PlatformObject) -> bool:
    """Whether two descriptions can mean one platform. Old images for ARM have no variant in their config."""
    if config.variant is None and (label.os, label.architecture) == (config.os, config.architecture):
        return True
    if label.known is None or config.known is None:
        return (label.os, label.architecture, label.variant) == (config.os, config.architecture, config.variant)
    return label.known == config.known


def ref_names(descriptor: Descriptor) -> tuple[str, ...]:
    """What an entry of index.json is called."""
    annotations = descriptor.annotations or {}
    return tuple(annotations[key] for key in (REF_NAME, IMAGE_NAME) if key in annotations)


def _named(layout: Place, index: Index, ref: str) -> tuple[Descriptor, ...]:
    if not ref:
        return index.manifests
    wanted = {ref, _whole(ref)}
    found = tuple(each for each in index.manifests if not wanted.isdisjoint(ref_names(each)))
    if not found:
        raise NoSuchImage(layout, ref, sorted({name for each in index.manifests for name in ref_names(each)}))
    return found


def _whole(ref: str) -> str:
    """`debian:12` as containerd writes it, with registry and library/."""
    try:
        return str(parse_reference(ref))
    except BadReference:
        return ref


def _walk(layout: Place, entries: Sequence[Descriptor], seen: list[int], depth: int = 0) -> Iterator[Descriptor]:
    """The manifests of images below these entries; `seen` counts the entries."""
    if depth > MAX_DEPTH:
        raise TooManyDocuments(layout, f"indexes stand in indexes, more than {MAX_DEPTH} deep")
    for entry in entries:
        seen[0] += 1
        if seen[0] > _DOCUMENTS:
            raise TooManyDocuments(layout, f"it has more than {_DOCUMENTS} images")
        if entry.media_type in INDEXES:
            yield from _walk(layout, read_typed(layout, Index, entry).manifests, seen, depth + 1)
        elif entry.media_type in MANIFESTS and not is_attestation(entry) and _is_image(layout, entry):
            yield entry


def is_attestation(entry: Descriptor) -> bool:
    """Whether this stands for something said about an image, and not for an image."""
    unknown = entry.platform is not None and (entry.platform.os, entry.platform.architecture) == ("unknown", "unknown")
    return unknown or REFERENCE_TYPE in (entry.annotations or {})


def _is_image(layout: Place, entry: Descriptor) -> bool:
    """Signatures and bills of materials are manifests too, with a config of another type."""
    if entry.artifact_type is not None:
        return False
    if entry.platform is not None:
        return True
    return read_typed(layout, Manifest, entry).config.media_type in (OCI_CONFIG, DOCKER_CONFIG)


def _platform(layout: Place, entry: Descriptor) -> PlatformObject:
    if entry.platform is not None:
        return entry.platform
    platform = load_image(layout, entry).descriptor.platform
    assert platform is not None
    return platform
