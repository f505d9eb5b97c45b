"""The layers of a base, held against its config when it is taken in, so that no image is built on a broken one.

The config names the tars by `rootfs.diff_ids`, one for each layer of the manifest (image specification 1.1, "Image
Configuration"). Engines refuse to unpack an image where they differ, only when somebody wants to start it.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from rearch.errors import HostileInputError, VerificationError
from rearch.formats.archive_errors import ArchiveError, shown
from rearch.formats.hashing import BLOCK
from rearch.oci.image_tree_index import remember
from rearch.oci.layout import LayoutImage
from rearch.oci.read_layer import layer_entries, open_layer
from rearch.oci.types import Descriptor

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_HINT = "take the base from its source again, or another base"
_SHOWN = 12
_LISTED = 20

Progress = Callable[[str, int, int, str], None]


class WrongLayerCount(VerificationError):
    """A base whose config names more or fewer layers than its manifest has."""

    def __init__(self, base: str, layers: Sequence[str], diff_ids: Sequence[str]) -> None:
        self.base = base
        self.layers = tuple(layers)
        self.diff_ids = tuple(diff_ids)
        super().__init__(
            f"the base {base} has {len(layers)} layer(s), and its config names {len(diff_ids)}",
            (*_listed("layer", layers), *_listed("diff ID", diff_ids)),
            hint=_HINT,
        )


def _listed(what: str, digests: Sequence[str]) -> Iterator[str]:
    for number, digest in enumerate(digests[:_LISTED], start=1):
        yield f"{what} {number}: {shown(digest)}"
    if len(digests) > _LISTED:
        yield f"... and {len(digests) - _LISTED} more"


class WrongBaseDiffId(VerificationError):
    """A layer of a base that unpacks to something else than the base's config says."""

    def __init__(self, base: str, number: int, layer: str, says: str, found: str) -> None:
        self.base = base
        self.number = number
        self.layer = layer
        self.says = says
        self.found = found
        super().__init__(
            f"the base {base}: layer {number} ({layer}) is not what its config says",
            (f"the config's diff ID is {shown(says)}", f"the layer's tar has the digest {found}"),
            hint=_HINT,
        )


class BadBaseLayer(HostileInputError):
    """A layer of a base, or of another image that is copied from, that no program should unpack."""

    def __init__(self, base: str, number: int, layer: str, error: ArchiveError) -> None:
        self.base = base
        self.number = number
        self.layer = layer
        self.entry = error.entry
        self.why = error.why
        what = error.why if error.entry is None else f"{shown(error.entry)} {error.why}"
        super().__init__(f"the base {base}: layer {number} ({layer}): {what}", hint=_HINT)


@contextmanager
def told_of_base(base: str, number: int, layer: str) -> Iterator[None]:
    """Say of an archive's error whose layer it is in; `number` counts from 1. Errors: BadBaseLayer."""
    try:
        yield
    except ArchiveError as error:
        raise BadBaseLayer(base, number, layer, error) from error


def check_base_layers(layout: Path, image: LayoutImage, base: str, cache: Path, progress: Progress) -> None:
    """Read every layer of an image once, to its end: blob, names and diff ID. `base` is its name for messages.

    What is in a layer is remembered in `cache` (see layer_index), so that a builder need not read it again.
    Errors: WrongLayerCount, before anything is read; WrongBaseDiffId, BadBaseLayer; those of open_layer for the blob.
    """
    layers, diff_ids = image.manifest.layers, image.config.rootfs.diff_ids
    if len(layers) != len(diff_ids):
        raise WrongLayerCount(base, tuple(layer.digest for layer in layers), diff_ids)
    for number, (layer, says) in enumerate(zip(layers, diff_ids, strict=True), start=1):
        with told_of_base(base, number, layer.digest):
            found = _diff_id(layout, layer, cache, progress)
        if found != says:
            raise WrongBaseDiffId(base, number, layer.digest, says, found)


def _diff_id(layout: Path, layer: Descriptor, cache: Path, progress: Progress) -> str:
    with open_layer(layout, layer) as stream:
        plain = _Hashed(stream, f"layer {layer.hex[:_SHOWN]}", progress)
        # To its very end: that is where layer_entries stops.
        entries = tuple(entry for entry, _ in layer_entries(cast(BinaryIO, io.BufferedReader(plain, BLOCK))))
    remember(cache, layer, entries)  # only now is the blob's digest known to be right
    return plain.digest


class _Hashed(io.RawIOBase):
    """A plain tar, hashed as it passes."""

    def __init__(self, stream: BinaryIO, label: str, progress: Progress) -> None:
        super().__init__()
        self._stream = cast(io.BufferedReader, stream)
        self._label = label
        self._progress = progress
        self._digest = hashlib.sha256()
        self._done = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        view = memoryview(buffer).cast("B")
        size = self._stream.readinto(view)
        self._digest.update(view[:size])
        self._done += size
        self._progress(self._label, self._done, 0, "B")
        return size

    @property
    def digest(self) -> str:
        return f"sha256:{self._digest.hexdigest()}"
