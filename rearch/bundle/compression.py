"""Compresses a stream in parts that can be made in any order: a part that is known last may stand first.

xz, zstd and bzip2 streams are parts one behind the other, which each of these formats allows. gzip allows that too, but
readers are known that stop after the first member (Apache's commons-compress does, unless it is told), so a
gzip file is one member all the same: deflate blocks of the parts, each ended at a whole byte (Z_FULL_FLUSH), nothing in
one part refers to another, and the checksum in the end is put together from theirs (RFC 1951, RFC 1952).
"""

from __future__ import annotations

import bz2
import lzma
from collections.abc import Iterator, Sequence
from typing import Protocol

from msgspec import Struct

# As in oci/compress.py, which says why: the level of ISA-L whose bytes do not depend on the kind of x86-64.
GZIP_LEVEL = 2
ZSTD_LEVEL = 3
# As xz without options; it takes 94 MiB of memory, and 9 for unpacking.
XZ_PRESET = 6
# Deflate, no name, no time, an operating system that is not known; as ISA-L writes it.
_GZIP_HEAD = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
# An empty last block with fixed codes: RFC 1951, 3.2.3 and 3.2.6.
_DEFLATE_END = b"\x03\0"
# Blocks that are not packed (RFC 1951, 3.2.4): five bytes before at most so many. One without anything is five bytes;
# with an empty block of fixed codes before it, six. So any number of bytes from 20 on can be nothing.
_STORED = 0xFFFF
_STORED_HEAD = 5
_NOTHING_5, _NOTHING_6 = b"\0\0\0\xff\xff", b"\x02\0\0\0\xff\xff"


class Part(Protocol):
    """Takes blocks in order; each call gives what can be written so far."""

    def compress(self, data: bytes, /) -> bytes: ...
    def flush(self) -> bytes: ...


class Sized(Struct, frozen=True, kw_only=True):
    """A part of a length that was chosen before. `crc` and `size` of what is in it."""

    data: bytes
    crc: int
    size: int


class Packing(Protocol):
    """How a file is packed. Each part is begun anew; they are put together in the file's order."""

    def head(self) -> bytes:
        """What stands before the first part."""

    def part(self) -> Part:
        """A new part."""

    def room(self, size: int) -> int | None:
        """How long a part to leave room for is, in which `size` bytes are expected; None: that cannot be chosen."""

    def exactly(self, data: bytes, room: int) -> Sized | None:
        """A part that long; None where it is too short for the data."""

    def tail(self, parts: Sequence[Part | Sized]) -> bytes:
        """What stands behind the last; `parts` are all of them, flushed, in the file's order."""


def packing_like(start: bytes) -> Packing:
    """The kind that made a file which begins so; none for a plain tar.

    Of the level only bzip2 tells in its first bytes; of the others it is a usual one.
    """
    if start.startswith(b"\x1f\x8b"):
        return _Gzip()
    if start.startswith(b"\xfd7zXZ\0"):
        return _Xz()
    if start.startswith(b"BZh"):
        return _Bzip2(int(start[3:4]) if start[3:4] in (b"%d" % level for level in range(1, 10)) else 9)
    return _Zstd() if start.startswith(b"\x28\xb5\x2f\xfd") else _Plain()


class _Joined:
    """Parts that are whole streams: nothing stands around them."""

    def head(self) -> bytes:
        return b""

    def room(self, size: int) -> int | None:
        del size
        return None

    def exactly(self, data: bytes, room: int) -> Sized | None:
        del data, room
        return None

    def tail(self, parts: Sequence[Part | Sized]) -> bytes:
        del parts
        return b""


class _Plain(_Joined):
    def part(self) -> Part:
        return _Unpacked()


class _Unpacked:
    def compress(self, data: bytes, /) -> bytes:
        return data

    def flush(self) -> bytes:
        return b""


class _Xz(_Joined):
    def part(self) -> Part:
        return lzma.LZMACompressor(format=lzma.FORMAT_XZ, check=lzma.CHECK_CRC64, preset=XZ_PRESET)


class _Bzip2(_Joined):
    def __init__(self, level: int) -> None:
        self._level = level

    def part(self) -> Part:
        return bz2.BZ2Compressor(self._level)


class _Zstd(_Joined):
    def part(self) -> Part:
        import zstandard

        return zstandard.ZstdCompressor(level=ZSTD_LEVEL, write_checksum=True, write_content_size=False).compressobj()


class _Gzip:
    def head(self) -> bytes:
        return _GZIP_HEAD

    def part(self) -> Part:
        return _Deflate()

    def room(self, size: int) -> int | None:
        """With a margin, since sums get lines and a script is replaced: what is left of it is empty blocks."""
        most = size + size // 8 + 4096
        return most + _STORED_HEAD * _stored_blocks(most)

    def exactly(self, data: bytes, room: int) -> Sized | None:
        from isal import isal_zlib

        left = room - len(data) - _STORED_HEAD * _stored_blocks(len(data))
        fives, sixes = divmod(left, _STORED_HEAD)
        if fives < sixes:
            return None
        packed = b"".join((*_stored(data), _NOTHING_6 * sixes, _NOTHING_5 * (fives - sixes)))
        return Sized(data=packed, crc=isal_zlib.crc32(data), size=len(data))

    def tail(self, parts: Sequence[Part | Sized]) -> bytes:
        from isal import isal_zlib

        crc = size = 0
        for part in parts:
            assert isinstance(part, _Deflate | Sized)
            crc = isal_zlib.crc32_combine(crc, part.crc, part.size)
            size += part.size
        return _DEFLATE_END + crc.to_bytes(4, "little") + (size & 0xFFFFFFFF).to_bytes(4, "little")


def _stored_blocks(size: int) -> int:
    return -(-size // _STORED)


def _stored(data: bytes) -> Iterator[bytes]:
    """None of them the last."""
    for at in range(0, len(data), _STORED):
        piece = data[at : at + _STORED]
        yield b"\0" + len(piece).to_bytes(2, "little") + (len(piece) ^ _STORED).to_bytes(2, "little") + piece


class _Deflate:
    """Deflate blocks that end at a whole byte, none of them the last."""

    def __init__(self) -> None:
        from isal import isal_zlib

        self._crc32 = isal_zlib.crc32
        self._full = isal_zlib.Z_FULL_FLUSH
        self._inner = isal_zlib.compressobj(GZIP_LEVEL, isal_zlib.DEFLATED, -15)
        self.crc = 0
        self.size = 0

    def compress(self, data: bytes, /) -> bytes:
        self.crc = self._crc32(data, self.crc)
        self.size += len(data)
        return self._inner.compress(data)

    def flush(self) -> bytes:
        return self._inner.flush(self._full)
