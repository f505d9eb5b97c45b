"""Makes layers: a tar in the order given, compressed, each once for ever."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from rearch.formats.archive_errors import CannotWrite
from rearch.oci.entry import EntryKind, LayerEntry
from rearch.oci.layer_errors import BadLayerEntry, ContentChanged, ContentUnreadable
from rearch.oci.layer_store import LayerStore, layer_key
from rearch.oci.layer_stream import Written, content_digest, write_layer
from rearch.oci.layer_tar import check_entries
from rearch.oci.layout import link_blob
from rearch.oci.layout_errors import MissingBlob
from rearch.oci.types import Compression, Descriptor, Types, layer_type

__all__ = ["BadLayerEntry", "CannotWrite", "ContentChanged", "ContentUnreadable", "MadeLayer", "make_layer"]

EMPTY = hashlib.sha256().hexdigest()


class MadeLayer(Struct, frozen=True, kw_only=True):
    """A layer that is in the layout. `diff_id`: `sha256:...` of the tar; `made`: not remembered, but written now."""

    descriptor: Descriptor
    diff_id: str
    made: bool


def make_layer(
    entries: Sequence[LayerEntry],
    *,
    layout: Path,
    layers: Path,
    compression: Compression | Literal[""],
    media_types: Types,
) -> MadeLayer:
    """The layer of these entries, in this order; its blob is put into the layout.

    `layers` is the folder shared by all runs in which layers are remembered. A layer that is found there is linked:
    no content is read (but for entries without a digest) and nothing is compressed. Files that are read are
    compared with the sizes and digests of their entries.

    Errors: BadLayerEntry (a path that is no plain relative path or is there twice, a link without a target, ...),
    ContentChanged, ContentUnreadable, CannotWrite.
    """
    check_entries(entries)
    store = LayerStore(layers)
    hashed = tuple(_with_digest(entry) for entry in entries)
    key = layer_key(hashed, compression)
    kind = layer_type(media_types, compression)
    if (found := store.find(key)) is not None:
        with contextlib.suppress(MissingBlob):  # swept away in this moment: it is made again
            link_blob(found.blob, layout, f"sha256:{found.written.hex}")
            return _made(found.written, kind, made=False)
    return _made(_make(hashed, key, store, layout, compression), kind, made=True)


def _make(
    entries: Sequence[LayerEntry], key: str, store: LayerStore, layout: Path, compression: Compression | Literal[""]
) -> Written:
    try:
        with store.new_file() as (file, temporary):
            written = write_layer(entries, file, compression)
            # The layout first: once it has its name in the store, a sweep may take it away.
            link_blob(temporary, layout, f"sha256:{written.hex}")
            store.keep(key, file, temporary, written)
            return written
    except OSError as error:
        raise CannotWrite("a layer", error) from error


def _with_digest(entry: LayerEntry) -> LayerEntry:
    if entry.kind is not EntryKind.FILE:
        return replace(entry, digest=None)
    if entry.digest is not None:
        return entry
    digest = EMPTY if entry.content is None else content_digest(entry, entry.content)
    return replace(entry, digest=digest)


def _made(written: Written, media_type: str, *, made: bool) -> MadeLayer:
    descriptor = Descriptor(media_type=media_type, digest=f"sha256:{written.hex}", size=written.size)
    return MadeLayer(descriptor=descriptor, diff_id=f"sha256:{written.diff_hex}", made=made)
