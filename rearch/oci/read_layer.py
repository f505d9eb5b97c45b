"""Reads layers: the tar inside the blob, checked on the way, and its entries.

Decompressors work in bounded memory (formats/archive_stream.py); the blob's digest is compared when everything was
read, so what is made from a layer counts only once the block has ended without an error.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from rearch.errors import VerificationError
from rearch.formats.archive_stream import Meter
from rearch.model.limits import Limits
from rearch.oci.layout_blobs import open_blob
from rearch.oci.read_layer_stream import unpacked
from rearch.oci.read_layer_tar import LAYER_LIMITS, layer_entries
from rearch.oci.types import LAYERS, Descriptor

__all__ = ["LAYER_LIMITS", "UnknownLayerType", "layer_entries", "open_layer"]

_SHOWN = 19  # `sha256:` and 12 digits


class UnknownLayerType(VerificationError):
    """A layer of a media type that rearch cannot read."""

    def __init__(self, layout: Path, descriptor: Descriptor) -> None:
        self.layout = layout
        self.descriptor = descriptor
        super().__init__(
            f"{layout}: the layer {descriptor.digest} is of the type {descriptor.media_type!r}",
            (f"rearch reads {', '.join(LAYERS)}",),
            hint="copy the image with `skopeo copy`, which can write another type",
        )


@contextmanager
def open_layer(layout: Path, descriptor: Descriptor, *, limits: Limits = LAYER_LIMITS) -> Iterator[BinaryIO]:
    """The plain tar of a layer, as a buffered stream that cannot be sought.

    When the block ends without an error, the rest of the blob is read (not unpacked), and its digest compared.
    `limits`: bytes unpacked, and how many times as many as were packed.

    Errors: UnknownLayerType, MissingBlob, WrongBlob (size at once, digest at the end); while it is read CorruptArchive,
    TruncatedArchive, LimitExceeded.
    """
    if descriptor.media_type not in LAYERS:
        raise UnknownLayerType(layout, descriptor)
    meter = Meter(f"layer {descriptor.digest[:_SHOWN]}", limits)
    with open_blob(layout, descriptor) as blob, unpacked(blob, LAYERS[descriptor.media_type], meter) as stream:
        yield stream
