"""Reads blobs to their end: is it what its digest says, and does it unpack to what the config says?"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from msgspec import Struct

from rearch.errors import RearchError
from rearch.formats.archive_errors import ArchiveError, BadName
from rearch.formats.hashing import BLOCK, blocks
from rearch.oci.layout_blobs import blob_path
from rearch.oci.layout_errors import MissingBlob
from rearch.oci.read_layer import layer_entries, open_layer
from rearch.oci.types import Descriptor
from rearch.oci.validate_faults import Finding, finding

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

Progress = Callable[[str, int, int, str], None]

# Of one layer. Whoever made it wrong a hundred times needs no longer list.
_NAMES = 100


class LayerFound(Struct, frozen=True, kw_only=True):
    """`diff_id` is None where the blob cannot be unpacked to its end."""

    diff_id: str | None
    findings: tuple[Finding, ...]


def check_blob(layout: Path, descriptor: Descriptor, progress: Progress) -> tuple[Finding, ...]:
    """A blob of any kind: there, of the right size, with the right digest."""
    path = blob_path(layout, descriptor.digest)
    try:
        with path.open("rb", buffering=0) as file:
            digest, size = hashlib.sha256(), 0
            for data in blocks(file):
                digest.update(data)
                size += len(data)
                progress(_label(descriptor), size, descriptor.size, "B")
    except (FileNotFoundError, IsADirectoryError):
        return (finding(MissingBlob(layout, descriptor.digest)),)
    if size != descriptor.size:
        return (_damaged(f"it has {size} bytes, and should have {descriptor.size}"),)
    if digest.hexdigest() != descriptor.hex:
        return (_damaged(f"its digest is sha256:{digest.hexdigest()}"),)
    return ()


def check_layer(layout: Path, descriptor: Descriptor, progress: Progress) -> LayerFound:
    """A layer: its bytes, the names in its tar, and the diff ID that it really has, in one reading."""
    names: list[Finding] = []
    try:
        with open_layer(layout, descriptor) as stream:
            plain = _Watched(stream, _label(descriptor), progress)
            diff_id = _read(plain, f"layer {descriptor.digest[:19]}", names)
    except RearchError as error:
        return LayerFound(diff_id=None, findings=(finding(error),))
    return LayerFound(diff_id=diff_id, findings=tuple(names))


def _read(plain: _Watched, name: str, names: list[Finding]) -> str:
    """Read the tar to its end, whatever is wrong with it. Errors: those of the stream below it."""

    def bad(error: BadName) -> None:
        if len(names) < _NAMES:
            names.append(finding(error))

    try:
        for _ in layer_entries(cast(BinaryIO, io.BufferedReader(plain, BLOCK)), name=name, bad=bad):
            pass
    except ArchiveError as error:
        if plain.failed:
            raise
        names.append(finding(error))
    while plain.read(BLOCK):
        pass
    return plain.digest


class _Watched(io.RawIOBase):
    """The plain tar, hashed as it passes; `failed` when it was the stream itself that raised."""

    def __init__(self, stream: BinaryIO, label: str, progress: Progress) -> None:
        super().__init__()
        self._stream = stream
        self._label = label
        self._progress = progress
        self._digest = hashlib.sha256()
        self._done = 0
        self.failed = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        view = memoryview(buffer).cast("B")
        try:
            data = self._stream.read(len(view))
        except ArchiveError:
            self.failed = True
            raise
        view[: len(data)] = data
        self._digest.update(data)
        self._done += len(data)
        self._progress(self._label, self._done, 0, "B")
        return len(data)

    @property
    def digest(self) -> str:
        return f"sha256:{self._digest.hexdigest()}"


def _damaged(why: str) -> Finding:
    return Finding(text=f"the blob is damaged: {why}")


def _label(descriptor: Descriptor) -> str:
    return f"blob {descriptor.hex[:12]}"
