"""What an index or an image is: platforms, sizes, annotations, attestations, base; and what is wrong with it.

Read from documents alone, wherever they lie (describe_sources): no layer is fetched.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from rearch.model.frozen import NOTHING
from rearch.oci.join_entries import about_of, config_platform, is_image_entry, same_platform
from rearch.oci.layout_read import platforms_agree
from rearch.oci.types import (
    DOCKER_CONFIG,
    INDEXES,
    MANIFESTS,
    OCI_CONFIG,
    BadDocument,
    Descriptor,
    ImageConfig,
    Index,
    Manifest,
    PlatformObject,
    read_document,
)

PARALLEL = 4
MOST_ENTRIES = 1000
BASE_NAME, BASE_DIGEST = "org.opencontainers.image.base.name", "org.opencontainers.image.base.digest"
# Of a layer of an attestation (BuildKit, docs/attestations/attestation-storage.md).
PREDICATE = "in-toto.io/predicate-type"

M = TypeVar("M", bound=Struct)


class DocumentSource(Protocol):
    """Where the documents of one image or index are. For several threads."""

    @property
    def name(self) -> str:
        """For messages."""

    def top(self) -> tuple[Descriptor, bytes]:
        """The index or manifest that is described."""

    def document(self, entry: Descriptor) -> bytes | None:
        """An index or manifest that an index names; None when it is not there."""

    def config(self, blob: Descriptor) -> bytes | None:
        """A config; None when it is not there."""

    def referrers(self, entry: Descriptor, /) -> tuple[Descriptor, ...]:
        """What refers to it; nothing where that is not asked for."""


class Base(Struct, frozen=True, kw_only=True):
    """What an image says to be built on. Either may be empty."""

    name: str = ""
    digest: str = ""


class DescribedImage(Struct, frozen=True, kw_only=True):
    """One image. `descriptor` as the index has it; `platform` from there, else from the config.

    `size`: bytes of manifest, config and layers, as they are stored. `annotations` are those of the manifest.
    `attested`: the predicate types of its attestations. `faults`: what is wrong, a line each.
    """

    descriptor: Descriptor
    platform: PlatformObject | None
    layers: tuple[Descriptor, ...] = ()
    config: Descriptor | None = None
    created: str = ""
    size: int = 0
    annotations: Mapping[str, str] = NOTHING
    base: Base = Base()
    attested: tuple[str, ...] = ()
    referrers: tuple[Descriptor, ...] = ()
    faults: tuple[str, ...] = ()


class DescribedOther(Struct, frozen=True, kw_only=True):
    """What stands in an index and is no image. `about`: the digest of the image that it is about, or empty."""

    descriptor: Descriptor
    kind: str
    about: str = ""
    predicates: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()


class Description(Struct, frozen=True, kw_only=True):
    """`top` describes the index, or the one image."""

    name: str
    top: Descriptor
    annotations: Mapping[str, str]
    images: tuple[DescribedImage, ...]
    others: tuple[DescribedOther, ...] = ()
    referrers: tuple[Descriptor, ...] = ()
    faults: tuple[str, ...] = ()

    @property
    def is_index(self) -> bool:
        return self.top.media_type in INDEXES

    @property
    def all_faults(self) -> tuple[str, ...]:
        """Everything that is wrong, with the digest of what it is wrong with."""
        parts: tuple[DescribedImage | DescribedOther, ...] = (*self.images, *self.others)
        return (*self.faults, *(f"{part.descriptor.digest}: {fault}" for part in parts for fault in part.faults))


def describe(source: DocumentSource) -> Description:
    """Read and describe. A child that is not there, or is labelled wrongly, is a fault of the description.

    Errors: those of the source; BadDocument.
    """
    top, data = source.top()
    if top.media_type in INDEXES:
        return _index(source, top, data)
    image = _read_image(source, top, data)
    return Description(name=source.name, top=top, annotations=image.annotations, images=(image,))


def _index(source: DocumentSource, top: Descriptor, data: bytes) -> Description:
    index = read_document(Index, data, source.name)
    if len(index.manifests) > MOST_ENTRIES:
        problem = f"it has {len(index.manifests)} entries; {MOST_ENTRIES} is the limit"
        raise BadDocument(source.name, (problem,))
    annotations = index.annotations or NOTHING
    with ThreadPoolExecutor(PARALLEL, thread_name_prefix="describe") as pool:
        parts = [*pool.map(lambda entry: _entry(source, entry, annotations), index.manifests)]
        referrers = source.referrers(top)
    others = tuple(part for part in parts if isinstance(part, DescribedOther))
    images = tuple(_attested(part, others) for part in parts if isinstance(part, DescribedImage))
    return Description(
        name=source.name,
        top=top,
        annotations=annotations,
        images=images,
        others=others,
        referrers=referrers,
        faults=tuple(_twice(images)),
    )


def _attested(image: DescribedImage, others: Sequence[DescribedOther]) -> DescribedImage:
    mine = [other for other in others if other.about == image.descriptor.digest]
    predicates = [predicate for other in mine for predicate in other.predicates]
    return replace(image, attested=tuple(dict.fromkeys(predicates)))


def _twice(images: Sequence[DescribedImage]) -> Iterator[str]:
    platforms = [image.platform for image in images if image.platform is not None]
    names = {same_platform(platform): str(platform) for platform in platforms}
    for key, number in Counter(map(same_platform, platforms)).items():
        if number > 1:
            yield f"there are {number} images for {names[key]}: which one is taken depends on who asks"


def _entry(
    source: DocumentSource, entry: Descriptor, annotations: Mapping[str, str]
) -> DescribedImage | DescribedOther:
    if entry.media_type not in MANIFESTS:
        return DescribedOther(descriptor=entry, kind=entry.artifact_type or entry.media_type)
    data = source.document(entry)
    if not is_image_entry(entry):
        return _other(source, entry, data)
    if data is None:
        return DescribedImage(descriptor=entry, platform=entry.platform, faults=(_GONE,))
    return _read_image(source, entry, data, annotations)


_GONE = "it is not there: whoever pulls it fails (removed by a clean-up, perhaps)"


def _other(source: DocumentSource, entry: Descriptor, data: bytes | None) -> DescribedOther:
    about = about_of(entry)
    kind = entry.artifact_type or ("attestation" if about else "no image")
    if data is None:
        return DescribedOther(descriptor=entry, kind=kind, about=about, faults=(_GONE,))
    manifest = _document(source, Manifest, entry, data)
    found = ((layer.annotations or NOTHING).get(PREDICATE) for layer in manifest.layers)
    return DescribedOther(
        descriptor=entry,
        kind=kind,
        about=about,
        predicates=tuple(dict.fromkeys(predicate for predicate in found if predicate)),
    )


def _read_image(
    source: DocumentSource, entry: Descriptor, data: bytes, above: Mapping[str, str] = NOTHING
) -> DescribedImage:
    manifest = _document(source, Manifest, entry, data)
    config = _config(source, manifest)
    platform = entry.platform or (config_platform(config) if config else None)
    own = manifest.annotations or NOTHING
    labels = (config.config.labels if config and config.config else None) or NOTHING
    return DescribedImage(
        descriptor=entry,
        platform=platform,
        layers=manifest.layers,
        config=manifest.config,
        created=(config.created if config else None) or "",
        size=entry.size + manifest.config.size + sum(layer.size for layer in manifest.layers),
        annotations=own,
        base=_base((entry.annotations or NOTHING, own, labels, above)),
        referrers=source.referrers(entry),
        faults=tuple(_image_faults(entry, data, manifest, config)),
    )


def _config(source: DocumentSource, manifest: Manifest) -> ImageConfig | None:
    """None for what is no image (signatures and the like have other configs), and for what is not there."""
    if manifest.config.media_type not in (OCI_CONFIG, DOCKER_CONFIG):
        return None
    data = source.config(manifest.config)
    return None if data is None else _document(source, ImageConfig, manifest.config, data)


def _image_faults(entry: Descriptor, data: bytes, manifest: Manifest, config: ImageConfig | None) -> Iterator[str]:
    if len(data) != entry.size:
        yield f"the index says that it has {entry.size} bytes; it has {len(data)}"
    if config is None:
        if manifest.config.media_type in (OCI_CONFIG, DOCKER_CONFIG):
            yield f"its config {manifest.config.digest} is not there"
        return
    says = config_platform(config)
    if entry.platform is not None and not platforms_agree(entry.platform, says):
        yield f"it is labelled {entry.platform}, and its config says {says}"


def _base(places: Sequence[Mapping[str, str]]) -> Base:
    """The nearest word on it. Labels are inherited from the base, so annotations come before them."""
    for place in places:
        if BASE_NAME in place or BASE_DIGEST in place:
            return Base(name=place.get(BASE_NAME, ""), digest=place.get(BASE_DIGEST, ""))
    return Base()


def _document(source: DocumentSource, kind: type[M], entry: Descriptor, data: bytes) -> M:
    return read_document(kind, data, f"{source.name}: {entry.digest}")
