"""What is joined: sources, and the entries of the index that they give."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct
from msgspec.structs import replace

from rearch.model.frozen import FrozenDict
from rearch.model.platform import platform_key
from rearch.model.publish import SpecPlatform
from rearch.oci.join_errors import NestedIndex, NoImage, NoPlatform, NotInIndex
from rearch.oci.layout_read import IMAGE_NAME, REFERENCE_TYPE, is_attestation
from rearch.oci.types import INDEXES, MANIFESTS, REF_NAME, Descriptor, ImageConfig, PlatformObject

# BuildKit, docs/attestations/attestation-storage.md: the digest of the image that an attestation is about.
REFERENCE_DIGEST = "vnd.docker.reference.digest"
ATTESTATION = "attestation-manifest"
NAMES = (REF_NAME, IMAGE_NAME)


class OneImage(Struct, frozen=True, kw_only=True):
    """An image. `name` is its reference, for messages; `config` the platform in its config (`config_platform`).

    `wanted` is what the spec says that it is for. `annotations` are for its descriptor.
    """

    name: str
    descriptor: Descriptor
    config: PlatformObject
    wanted: SpecPlatform | None = None
    annotations: Mapping[str, str] = FrozenDict()


class WholeIndex(Struct, frozen=True, kw_only=True):
    """An index: all of its images, or those of the `wanted` platform.

    `configs` has the platforms of those entries that have none themselves (`without_platform`), by digest.
    """

    name: str
    entries: tuple[Descriptor, ...]
    configs: Mapping[str, PlatformObject] = FrozenDict()
    wanted: SpecPlatform | None = None
    annotations: Mapping[str, str] = FrozenDict()


Joined = OneImage | WholeIndex


class Taken(Struct, frozen=True, kw_only=True):
    """An entry of the index to be, and the source that it has to be fetched from. `about` is an image's digest for
    what is no image itself; empty where nothing says which."""

    source: str
    descriptor: Descriptor
    is_image: bool = True
    about: str = ""


def config_platform(config: ImageConfig) -> PlatformObject:
    """What an image says of itself."""
    return PlatformObject(
        architecture=config.architecture,
        os=config.os,
        variant=config.variant or None,
        os_version=config.os_version or None,
        os_features=config.os_features or None,
    )


def is_image_entry(entry: Descriptor) -> bool:
    """Whether an entry of an index is an image, and no attestation, signature or bill of materials."""
    return entry.artifact_type is None and not is_attestation(entry)


def without_platform(entries: Iterable[Descriptor]) -> tuple[Descriptor, ...]:
    """The images whose config has to be read, because the index does not say what they are for."""
    return tuple(
        each for each in entries if each.platform is None and each.media_type in MANIFESTS and is_image_entry(each)
    )


def same_platform(platform: PlatformObject) -> tuple[str, ...]:
    """Equal for two descriptions of one platform: `linux/arm64` and `linux/arm64/v8`."""
    more = (platform.os_version or "", *(platform.os_features or ()))
    return platform_key(platform.os, platform.architecture, platform.variant or "", *more)


def image_of(source: OneImage) -> tuple[Taken, str]:
    """The entry of an image, and what there is to say about it. Errors: NoImage."""
    if source.descriptor.media_type not in MANIFESTS:
        raise NoImage(source.name, source.descriptor.media_type)
    platform = _resolved(source.wanted, source.config)
    note = ""
    if (platform.os, platform.architecture) != (source.config.os, source.config.architecture):
        note = f"{source.name}: its config says {source.config}, and it is joined as {platform}"
    return Taken(source=source.name, descriptor=_entry(source.descriptor, platform, source.annotations)), note


def entries_of(source: WholeIndex) -> Iterator[Taken]:
    """The entries of an index: images, then what is said about them.

    Errors: NestedIndex, NoImage, NoPlatform, NotInIndex.
    """
    images = [_image(source, each) for each in source.entries if is_image_entry(each)]
    chosen = [each for each in images if source.wanted is None or _fits(source.wanted, _platform(each))]
    if not chosen:
        there = [str(each.descriptor.platform) for each in images]
        raise NotInIndex(source.name, str(source.wanted or "any platform"), there)
    yield from chosen
    digests = {each.descriptor.digest for each in chosen}
    for entry in source.entries:
        if not is_image_entry(entry):
            about = about_of(entry)
            if source.wanted is None or about in digests:
                yield Taken(source=source.name, descriptor=_plain(entry), is_image=False, about=about)


def about_of(entry: Descriptor) -> str:
    """The digest of the image that an attestation is about, or nothing."""
    annotations = entry.annotations or {}
    return annotations.get(REFERENCE_DIGEST, "") if annotations.get(REFERENCE_TYPE) == ATTESTATION else ""


def _image(source: WholeIndex, entry: Descriptor) -> Taken:
    if entry.media_type in INDEXES:
        raise NestedIndex(source.name, entry.digest)
    if entry.media_type not in MANIFESTS:
        raise NoImage(f"{source.name}: {entry.digest}", entry.media_type)
    platform = entry.platform or source.configs.get(entry.digest)
    if platform is None:
        raise NoPlatform(source.name, entry.digest)
    return Taken(source=source.name, descriptor=_entry(entry, platform, source.annotations))


def _platform(taken: Taken) -> PlatformObject:
    assert taken.descriptor.platform is not None
    return taken.descriptor.platform


def _fits(wanted: SpecPlatform, platform: PlatformObject) -> bool:
    """Whether an entry is what the spec wants. What is left out fits all; but `arm` alone is arm/v7, as everywhere."""
    whole = PlatformObject(
        os=wanted.os or platform.os,
        architecture=wanted.architecture or platform.architecture,
        variant=wanted.variant or (None if wanted.architecture else platform.variant),
        os_version=wanted.osversion or platform.os_version,
        os_features=wanted.osfeatures or platform.os_features,
    )
    return same_platform(whole) == same_platform(platform)


def _resolved(wanted: SpecPlatform | None, config: PlatformObject) -> PlatformObject:
    """The platform for the descriptor: as the spec says, the rest from the config.

    manifest-tool, v2/pkg/registry/push.go, resolvePlatform; but nothing is taken from a config for another system or
    architecture: `v7` of arm means nothing on arm64.
    """
    if wanted is None:
        return config
    system, architecture = wanted.os or config.os, wanted.architecture or config.architecture
    same = (system, architecture) == (config.os, config.architecture)
    return PlatformObject(
        os=system,
        architecture=architecture,
        variant=wanted.variant or (config.variant if same else None),
        os_version=wanted.osversion or (config.os_version if same else None),
        os_features=wanted.osfeatures or (config.os_features if same else None),
    )


def _entry(descriptor: Descriptor, platform: PlatformObject, annotations: Mapping[str, str]) -> Descriptor:
    plain = _plain(descriptor)
    together = {**(plain.annotations or {}), **annotations}
    return replace(plain, platform=platform, annotations=FrozenDict(sorted(together.items())) or None)


def _plain(descriptor: Descriptor) -> Descriptor:
    """Without the names that it has in a layout: they are not those of the new index."""
    kept = {key: value for key, value in (descriptor.annotations or {}).items() if key not in NAMES}
    return replace(descriptor, annotations=FrozenDict(kept) or None)
