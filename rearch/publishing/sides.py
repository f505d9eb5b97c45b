"""The other side of a publish: what is asked of a place, whatever it is, and what it is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from rearch.model.reference import Reference
from rearch.oci.types import (
    INDEXES,
    Descriptor,
    ImageConfig,
    Index,
    Manifest,
    PlatformObject,
    descriptor_of,
    read_document,
)
from rearch.planning.publish_targets import TagPlace
from rearch.planning.publish_values import SendBlob

CONFIG_LIMIT = 8 << 20

BytesMoved = Callable[[int], None]


def ignore_moved(_done: int) -> None:
    """Where nobody looks."""


class Named(Struct, frozen=True, kw_only=True):
    """A manifest or index that a tag names: the bytes as they are there."""

    digest: str
    media_type: str
    data: bytes


class Side(Protocol):
    """A registry, or a folder of layouts. For several threads. `repository` is the target's, prefix included."""

    def tag(self, place: TagPlace) -> str | None:
        """The digest of what a tag names, None where there is none."""

    def read(self, place: TagPlace) -> Named | None:
        """The same, whole."""

    def read_document(self, repository: str, entry: Descriptor) -> bytes:
        """A manifest by its digest."""

    def read_config(self, repository: str, config: Descriptor) -> bytes:
        """A config by its digest."""

    def has(self, repository: str, manifest: str) -> bool:
        """Whether a manifest or index of this digest can be read."""

    def take_blob(self, repository: str, order: SendBlob, origin: Reference) -> bool:
        """Whether a blob that others have at `origin` is there, or could be taken over without fetching it."""

    def send_blob(self, repository: str, order: SendBlob, source: Path, moved: BytesMoved = ignore_moved) -> int:
        """See that the blob is there; the bytes that were sent for it. The caller has hashed `source` in this run.

        `moved` is told how many bytes are there by now.
        """

    def put(self, repository: str, data: bytes, media_type: str) -> None:
        """Put a manifest or index under its digest."""

    def name(self, place: TagPlace, data: bytes, media_type: str, platform: PlatformObject | None) -> None:
        """Let a tag name this manifest or index, whose parts are there."""

    def forget(self, repository: str) -> None:
        """It has lost something: ask for everything."""

    def finish(self, *, well: bool) -> None:
        """The end of a publish."""


class LiveIndex(Struct, frozen=True, kw_only=True):
    """What a tag names, as an index, with the platforms of those entries that do not say theirs."""

    digest: str
    index: Index
    configs: Mapping[str, PlatformObject]

    @property
    def platforms(self) -> Mapping[str, str]:
        """Platform, normalised, as text -> digest of its image."""
        from rearch.oci.join_entries import is_image_entry

        found: dict[str, str] = {}
        for entry in filter(is_image_entry, self.index.manifests):
            platform = entry.platform or self.configs.get(entry.digest)
            if platform is not None:
                found.setdefault(str(platform.known or platform), entry.digest)
        return found


def live_index(side: Side, place: TagPlace) -> LiveIndex | None:
    """Read what a tag names. A single image is an index of one. Errors: BadDocument; those of the side."""
    from rearch.oci.join_entries import without_platform
    from rearch.oci.join_merge import index_of_one

    named = side.read(place)
    if named is None:
        return None
    if named.media_type in INDEXES:
        index = read_document(Index, named.data, str(place))
        configs = {each.digest: _platform(side, place, each) for each in without_platform(index.manifests)}
        return LiveIndex(digest=named.digest, index=index, configs=configs)
    platform = _config(side, place, named.data)
    return LiveIndex(
        digest=named.digest, index=index_of_one(descriptor_of(named.media_type, named.data), platform), configs={}
    )


def _platform(side: Side, place: TagPlace, entry: Descriptor) -> PlatformObject:
    return _config(side, place, side.read_document(place.repository, entry))


def _config(side: Side, place: TagPlace, manifest: bytes) -> PlatformObject:
    from rearch.oci.join_entries import config_platform

    config = read_document(Manifest, manifest, str(place)).config
    data = side.read_config(place.repository, config)
    return config_platform(read_document(ImageConfig, data, f"{place}: config"))
