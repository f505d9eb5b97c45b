"""Entries -> the bytes of a layer, in one pass: cut into blocks, hashed, compressed, hashed again, written.

The stream is cut into blocks of 1 MiB whatever its entries are, so that the compressor's output depends on the bytes
alone. A second thread hashes a block (hashlib releases the interpreter's lock) while this one compresses it.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal

from msgspec import Struct

from rearch.formats.archive_errors import CannotWrite
from rearch.formats.hashing import BLOCK
from rearch.oci.compress import compressor
from rearch.oci.entry import EntryKind, LayerEntry
from rearch.oci.layer_errors import ContentChanged, ContentUnreadable
from rearch.oci.layer_tar import END, header, padding
from rearch.oci.layout_files import write_all
from rearch.oci.types import Compression

if TYPE_CHECKING:
    from hashlib import _Hash


class Written(Struct, frozen=True, kw_only=True):
    """What was written: the digests (hexadecimal) before and after compression, and the size after it."""

    diff_hex: str
    hex: str
    size: int


def write_layer(entries: Sequence[LayerEntry], file: BinaryIO, compression: Compression | Literal[""]) -> Written:
    """Write the layer to a raw file. Every entry with content has its digest, which is checked on the way.

    Errors: ContentChanged, ContentUnreadable, CannotWrite.
    """
    with ExitStack() as stack:
        blocks = _Blocks(_Sink(file, compression), stack)
        for entry in entries:
            blocks.put(header(entry))
            if entry.kind is EntryKind.FILE and entry.content is not None:
                _put_content(entry, entry.content, blocks)
                blocks.put(padding(entry.size))
        blocks.put(END)
        return blocks.finish()


def compress_stream(stream: BinaryIO, file: BinaryIO, compression: Compression | Literal[""]) -> Written:
    """Write a tar that exists already, as it is, to a raw file. Errors: those of `stream`, CannotWrite."""
    with ExitStack() as stack:
        blocks = _Blocks(_Sink(file, compression), stack)
        while data := stream.read(BLOCK):
            blocks.put(data)
        return blocks.finish()


def content_digest(entry: LayerEntry, content: Path) -> str:
    """The sha256 (hexadecimal) of the entry's file, which is read. Errors: ContentChanged, ContentUnreadable."""
    digest = hashlib.sha256()
    buffer = memoryview(bytearray(min(BLOCK, max(1, entry.size))))
    read_content(entry, content, lambda wanted: buffer[:wanted], digest.update)
    return digest.hexdigest()


def read_content(
    entry: LayerEntry, content: Path, room: Callable[[int], memoryview], filled: Callable[[memoryview], None]
) -> None:
    """Read exactly `entry.size` bytes. `room(wanted)` says where the next ones go, `filled` gets those that came."""
    try:
        with content.open("rb", buffering=0) as file:
            _check_file(entry, content, file)
            left = entry.size
            while left:
                place = room(left)
                got = file.readinto(place)
                if not got:
                    raise ContentChanged(entry.path, content, f"it ends {left} bytes too early")
                filled(place[:got])
                left -= got
    except OSError as error:
        raise ContentUnreadable(entry.path, content, error.strerror or str(error)) from error


def _check_file(entry: LayerEntry, content: Path, file: BinaryIO) -> None:
    found = os.fstat(file.fileno())
    if not stat.S_ISREG(found.st_mode):
        raise ContentUnreadable(entry.path, content, "it is no regular file")
    if found.st_size != entry.size:
        raise ContentChanged(entry.path, content, f"it has {found.st_size} bytes, and had {entry.size}")


def _put_content(entry: LayerEntry, content: Path, blocks: _Blocks) -> None:
    digest = hashlib.sha256()
    check = _Check(entry.path, content, digest, entry.digest)
    read_content(entry, content, blocks.room, lambda data: blocks.filled(data, digest))
    blocks.check(check)


class _Check(Struct, frozen=True):
    """What the content was to be. Another content would be remembered under a wrong key for ever."""

    path: str
    content: Path
    digest: _Hash
    wanted: str | None

    def __call__(self) -> None:
        if self.digest.hexdigest() != self.wanted:
            raise ContentChanged(self.path, self.content, f"its sha256 was {self.wanted}")


class _Sink:
    """Compresses blocks into a file. `_same`: what is written is the tar itself, and has its digest."""

    def __init__(self, file: BinaryIO, compression: Compression | Literal[""]) -> None:
        self._file = file
        self._compressor = compressor(compression)
        self._same = not compression
        self._digest = hashlib.sha256()
        self._size = 0

    def take(self, block: memoryview) -> None:
        """Compress and write the block; it is not needed afterwards."""
        self._write(self._compressor.compress(block))

    def finish(self, diff_hex: str) -> Written:
        self._write(self._compressor.flush())
        digest = diff_hex if self._same else self._digest.hexdigest()
        return Written(diff_hex=diff_hex, hex=digest, size=self._size)

    def _write(self, data: bytes | memoryview) -> None:
        if not self._same:
            self._digest.update(data)
        self._size += len(data)
        try:
            write_all(self._file, data)
        except OSError as error:
            raise CannotWrite("a layer", error) from error


class _Buffer:
    """One block, and what is to be done with parts of it, in order: hash them, check a file's digest."""

    def __init__(self) -> None:
        self.data = memoryview(bytearray(BLOCK))
        self.used = 0
        self.jobs: list[Callable[[], None]] = []
        self.busy: Future[None] | None = None

    def hash_all(self, digest: _Hash) -> None:
        digest.update(self.data[: self.used])
        for job in self.jobs:
            job()

    def reuse(self) -> None:
        """Wait until nobody needs it any more, and begin again. Errors: what the jobs found."""
        if self.busy is not None:
            self.busy.result()
        self.busy, self.used = None, 0
        self.jobs.clear()


class _Blocks:
    """The tar as blocks: two buffers in turn. While one is hashed and compressed, nothing is read; while it is only
    still being hashed, the other is filled."""

    def __init__(self, sink: _Sink, stack: ExitStack) -> None:
        self._sink = sink
        self._stack = stack
        self._digest = hashlib.sha256()
        self._now = _Buffer()
        self._other: _Buffer | None = None
        self._thread: ThreadPoolExecutor | None = None

    def room(self, wanted: int) -> memoryview:
        """Where the next bytes go: at least one byte, at most `wanted`."""
        if self._now.used == BLOCK:
            self._emit()
        return self._now.data[self._now.used : min(BLOCK, self._now.used + wanted)]

    def filled(self, data: memoryview, digest: _Hash) -> None:
        """These bytes of the room are there; they belong to a file with this digest."""
        self._now.used += len(data)
        self._now.jobs.append(lambda: digest.update(data))

    def check(self, check: Callable[[], None]) -> None:
        """To be called when everything so far is hashed."""
        self._now.jobs.append(check)

    def put(self, data: bytes) -> None:
        """Copy these bytes."""
        view = memoryview(data)
        while view:
            room = self.room(len(view))
            room[:] = view[: len(room)]
            self._now.used += len(room)
            view = view[len(room) :]

    def finish(self) -> Written:
        """Hash and compress the last block. Errors: what the jobs found; CannotWrite."""
        if self._other is not None:
            self._other.reuse()
        self._now.hash_all(self._digest)
        self._sink.take(self._now.data[: self._now.used])
        return self._sink.finish(self._digest.hexdigest())

    def _emit(self) -> None:
        if self._thread is None:  # most layers of configuration files never come here
            self._thread = self._stack.enter_context(ThreadPoolExecutor(1, "layer hash"))
        self._now.busy = self._thread.submit(self._now.hash_all, self._digest)
        self._sink.take(self._now.data)
        self._now, self._other = self._other or _Buffer(), self._now
        self._now.reuse()
