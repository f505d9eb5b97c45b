"""The entries of a layer without their contents, unpacked once for each blob and then remembered by its digest.

What is remembered counts for a blob that is there and has that digest: it is hashed each time, and not unpacked.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from rearch.model.frozen import FrozenDict
from rearch.oci.entry import EntryKind, LayerEntry
from rearch.oci.read_layer import layer_entries, open_layer
from rearch.oci.types import LAYERS, Descriptor

T = TypeVar("T")

# To be raised when the form below, or what layer_entries reads, changes.
_FORM = 1


def layer_index(layout: Path, layer: Descriptor, cache: Path | None) -> tuple[LayerEntry, ...]:
    """All entries of a layer in their order, whiteouts as they are, `content` None.

    `cache` is a folder shared by all runs. What is found there was written by `remember`, whole or not at all; anything
    else in the file's place is as if there were none. Errors: those of open_layer and layer_entries, whatever is
    remembered.
    """
    known = recall(cache, layer)
    if known is not None:
        check_layer_blob(layout, layer)
        return known
    with open_layer(layout, layer) as stream:
        entries = tuple(entry for entry, _ in layer_entries(stream))
    remember(cache, layer, entries)
    return entries


def check_layer_blob(layout: Path, layer: Descriptor) -> None:
    """Hash the blob, and unpack nothing. Errors: UnknownLayerType, MissingBlob, WrongBlob, as before it was read."""
    with open_layer(layout, layer):
        pass  # leaving it compares size and digest


def recall(cache: Path | None, layer: Descriptor) -> tuple[LayerEntry, ...] | None:
    """The remembered entries, whether the blob is still whole or not; None where there are none."""
    return remembered(_place(cache, layer), lambda rows: tuple(_entry(row) for row in rows))


def remember(cache: Path | None, layer: Descriptor, entries: Iterable[LayerEntry]) -> None:
    """Write the entries down for `recall`. Errors: OSError."""
    place = _place(cache, layer)
    if place is not None:
        write_memory(place, [_row(entry) for entry in entries])


def _place(cache: Path | None, layer: Descriptor) -> Path | None:
    return memory_place(cache, "index", layer, _FORM)


def memory_place(cache: Path | None, what: str, layer: Descriptor, form: int) -> Path | None:
    """Where something is remembered of a layer; None without a cache, or for a type that cannot be read.

    How it is packed belongs to it: what was read of a blob as gzip says nothing of one that is labelled as plain.
    """
    packing = LAYERS.get(layer.media_type)
    if cache is None or packing is None:
        return None
    return cache / what / layer.hex[:2] / f"{layer.hex}.{packing or 'tar'}.{form}.json"


def remembered(place: Path | None, read: Callable[[Any], T]) -> T | None:
    """What `write_memory` left in a file, through `read`; None where it is not there or is not that any more."""
    if place is None:
        return None
    try:
        digest, _, data = place.read_bytes().partition(b"\n")
        if digest != hashlib.sha256(data).hexdigest().encode():
            return None
        found = read(json.loads(data))
        os.utime(place)  # still wanted: what is old is collected
    except (OSError, ValueError, TypeError, KeyError, IndexError, RecursionError):
        return None
    return found


def write_memory(place: Path, value: object) -> None:
    """JSON values into a file that appears whole or not at all; two who write the same do no harm.

    The first line is the digest of the rest: what is remembered of a base decides whether it is let through.
    """
    data = json.dumps(value, separators=(",", ":")).encode("ascii")  # ASCII: a path's stray bytes stay what they are
    place.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=place.parent, prefix=".", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(hashlib.sha256(data).hexdigest().encode() + b"\n" + data)
        Path(name).replace(place)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise


def _row(entry: LayerEntry) -> list[object]:
    xattrs = {name: value.hex() for name, value in sorted(entry.xattrs.items())}
    plain = [entry.path, entry.kind.value, entry.mode, entry.uid, entry.gid, entry.mtime, entry.size, entry.target]
    return [*plain, xattrs, list(entry.device)]


def _entry(row: list[Any]) -> LayerEntry:
    path, kind, mode, uid, gid, mtime, size, target, xattrs, device = row
    if not isinstance(path, str) or not isinstance(target, str):
        raise TypeError("a path is a text")
    return LayerEntry(
        path=path,
        kind=EntryKind(kind),
        mode=int(mode),
        uid=int(uid),
        gid=int(gid),
        mtime=int(mtime),
        size=int(size),
        target=target,
        xattrs=FrozenDict({str(name): bytes.fromhex(value) for name, value in xattrs.items()}),
        device=(int(device[0]), int(device[1])),
    )
