"""Compressed bytes in, plain bytes out, with the limits watched: every decompressor works in bounded memory."""

from __future__ import annotations

import bz2
import io
import lzma
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from rearch.formats.archive_errors import CorruptArchive, LimitExceeded, TruncatedArchive
from rearch.formats.hashing import Readable

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

    from rearch.model.limits import Limits

READ = 1 << 16
OUT = 1 << 18
# xz -9 needs 65 MiB to unpack.
XZ_MEMORY = 96 << 20
# Below this nobody is hurt, and small files of zeros have any ratio.
RATIO_FLOOR = 64 << 20


class Meter:
    """Counts what an archive costs, and stops it at the limits. `archive` is its name for messages."""

    def __init__(self, archive: str, limits: Limits) -> None:
        self.archive = archive
        self.entries = 0
        self.packed = 0
        self.unpacked = 0
        self._limits = limits

    def entry(self, name: str | None, size: int = 0) -> None:
        """One entry more (or header that stands for none), which says that it has `size` bytes."""
        self.entries += 1
        if self.entries > self._limits.archive_entries:
            allowed = self._limits.archive_entries
            raise LimitExceeded(self.archive, name, "archive_entries", allowed, f"more than {allowed} entries")
        if size > self._limits.archive_bytes:
            self._too_large(name, size)

    def grow(self, size: int) -> None:
        """`size` bytes more were unpacked."""
        self.unpacked += size
        if self.unpacked > self._limits.archive_bytes:
            self._too_large(None, self.unpacked)
        ratio = self._limits.archive_ratio
        if self.unpacked > RATIO_FLOOR and self.unpacked > ratio * self.packed:
            what = f"{self.unpacked} bytes of {self.packed}, more than {ratio} times as much"
            raise LimitExceeded(self.archive, None, "archive_ratio", ratio, what)

    def spool(self, size: int) -> None:
        """`size` packed bytes lie on the disk, to be read again."""
        if size > self._limits.archive_bytes:
            self._too_large(None, size)

    def _too_large(self, name: str | None, size: int) -> None:
        raise LimitExceeded(
            self.archive, name, "archive_bytes", self._limits.archive_bytes, f"{size} bytes or more on the disk"
        )


class Packed:
    """Bytes as they come from outside, counted. `start` was read already, to find out what it is."""

    def __init__(self, source: Readable, meter: Meter, start: bytes = b"") -> None:
        self._source = source
        self._meter = meter
        self._start = start

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes, none at the end."""
        if self._start:
            data, self._start = self._start[:size], self._start[size:]
        else:
            data = self._source.read(size)
        self._meter.packed += len(data)
        return data


class Decoder(Protocol):
    """What bz2 and lzma decompressors have in common, and the one below imitates."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


class _Deflate:
    """zlib's decompressor in the shape of the others. `bits` as zlib has it: 31 for gzip, -15 for zip's raw streams."""

    def __init__(self, bits: int) -> None:
        self._inner = zlib.decompressobj(bits)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def needs_input(self) -> bool:
        return not self._inner.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, max_length)


def gzip_decoder() -> Decoder:
    return _Deflate(31)


def deflate_decoder() -> Decoder:
    return _Deflate(-15)


def xz_decoder() -> Decoder:
    return lzma.LZMADecompressor(format=lzma.FORMAT_XZ, memlimit=XZ_MEMORY)


def bzip2_decoder() -> Decoder:
    return bz2.BZ2Decompressor()


# What they raise on bad data (bz2: OSError and ValueError).
DECODER_ERRORS = (zlib.error, lzma.LZMAError, OSError, ValueError, EOFError)


class Inflated(io.RawIOBase):
    """The plain bytes of a compressed stream of one or more members, as gzip, xz and bzip2 allow them.

    Errors: CorruptArchive, TruncatedArchive, LimitExceeded.
    """

    def __init__(self, packed: Packed, make: Callable[[], Decoder], meter: Meter) -> None:
        super().__init__()
        self._packed = packed
        self._make = make
        self._decoder = make()
        self._meter = meter
        self._kept = memoryview(b"")
        self._done = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        view = memoryview(buffer).cast("B")
        while not self._kept and not self._done:
            self._kept = memoryview(self._more(max(len(view), OUT)))
        size = min(len(view), len(self._kept))
        view[:size] = self._kept[:size]
        self._kept = self._kept[size:]
        return size

    def _more(self, size: int) -> bytes:
        if self._decoder.eof:
            return self._next_member()
        asked = self._decoder.needs_input
        data = self._packed.read(READ) if asked else b""
        plain = self._grown(data, size)
        # Asked only after the decoder: zlib can have taken all its input and still owe some output.
        if asked and not data and not plain and not self._decoder.eof:
            raise TruncatedArchive(self._meter.archive, None, "a compressed stream")
        return plain

    def _grown(self, data: bytes, size: int) -> bytes:
        try:
            plain = self._decoder.decompress(data, size)
        except DECODER_ERRORS as error:
            raise CorruptArchive(self._meter.archive, None, str(error) or type(error).__name__) from error
        self._meter.grow(len(plain))
        return plain

    def _next_member(self) -> bytes:
        """Go on after the end of a member; zeros behind it are padding, as gzip and xz have it."""
        rest = self._decoder.unused_data.lstrip(b"\0")
        while not rest:
            data = self._packed.read(READ)
            if not data:
                self._done = True
                return b""
            rest = data.lstrip(b"\0")
        self._decoder = self._make()
        return self._grown(rest, OUT)


class Plain(io.RawIOBase):
    """A stream that is not compressed, with the limits watched."""

    def __init__(self, packed: Packed, meter: Meter) -> None:
        super().__init__()
        self._packed = packed
        self._meter = meter

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        view = memoryview(buffer).cast("B")
        data = self._packed.read(len(view))
        view[: len(data)] = data
        self._meter.grow(len(data))
        return len(data)
