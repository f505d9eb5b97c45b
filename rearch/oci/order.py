"""What a builder is told, and what it leaves. The same for all builders, which live on both sides of the wall."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from msgspec import Struct

from rearch.model.frozen import FrozenDict
from rearch.model.platform import Platform
from rearch.oci.types import Compression, Descriptor, History, ImageConfig, Types


class ImageOrder(Struct, frozen=True, kw_only=True):
    """Build this Dockerfile for one platform.

    `template` is where the Dockerfile came from, for messages. `context` is a folder, private to the build, with files
    and links only. `stages` maps names that FROM and COPY --from can use, beside `scratch` and the Dockerfile's own, to
    folders with an OCI layout of one image each. `args` are build arguments. `epoch`: seconds since 1970 that every
    file made here is dated. `layout` is a folder that holds `blobs/sha256/` already: the builder leaves there the
    layers of the result, those of its base included. `layers` is a folder shared by all runs, where layers
    that were made once are found again. `scratch` is the builder's own, and empty. `digests`: path in the context ->
    sha256 of the content, for files that were hashed before.
    """

    dockerfile: str
    template: str
    context: Path
    platform: Platform
    stages: Mapping[str, Path]
    args: Mapping[str, str]
    epoch: int
    compression: Compression
    media_types: Types
    layout: Path
    layers: Path
    scratch: Path
    say: Callable[[str], None]
    digests: Mapping[str, str] = FrozenDict()


class BuiltImage(Struct, frozen=True, kw_only=True):
    """The result: layers (descriptors with their media type; the lowest first) that are in the layout, and the config.

    `config.rootfs.diff_ids` are the layers' diff IDs; `config.history` has one line that is not `empty_layer` for each.
    `base_layers` says how many layers are the base's.
    """

    config: ImageConfig
    layers: tuple[Descriptor, ...]
    base_layers: int


def dated(line: str, created: str, *, empty: bool = False) -> History:
    """A line of history, as builders write it."""
    return History(created=created, created_by=line, empty_layer=True if empty else None)
