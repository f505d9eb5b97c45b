"""Compressed layers and archives -> plain bytes, in bounded memory."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Literal, cast

from rearch.formats.archive_errors import CorruptArchive
from rearch.formats.archive_stream import OUT, Decoder, Inflated, Meter, Packed, Plain, bzip2_decoder, xz_decoder
from rearch.formats.archive_zstd import InflatedZstd
from rearch.formats.hashing import Readable

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

Packing = Literal["gzip", "zstd", "xz", "bzip2", ""]

_MAGIC: tuple[tuple[bytes, Packing], ...] = (
    (b"\x1f\x8b\x08", "gzip"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\xfd7zXZ\0", "xz"),
    (b"BZh", "bzip2"),
)
MAGIC_SIZE = 6


def packing_of(start: bytes) -> Packing:
    """How a stream that begins so (at least MAGIC_SIZE bytes, or all of it) is compressed; "" for none of these."""
    return next((packing for magic, packing in _MAGIC if start.startswith(magic)), "")


def unpacked(source: Readable, packing: Packing, meter: Meter) -> io.BufferedReader:
    """The plain bytes. Errors while it is read: CorruptArchive, TruncatedArchive, LimitExceeded, Unsupported."""
    return io.BufferedReader(_raw(Packed(source, meter), packing, meter), OUT)


def _raw(packed: Packed, packing: Packing, meter: Meter) -> io.RawIOBase:
    match packing:
        case "gzip":
            return _Gzip(packed, meter)
        case "zstd":
            return InflatedZstd(packed, meter)
        case "xz":
            return Inflated(packed, xz_decoder, meter)
        case "bzip2":
            return Inflated(packed, bzip2_decoder, meter)
        case "":
            return Plain(packed, meter)


class _Gzip(io.RawIOBase):
    """Inflated by ISA-L, whose errors are of no family that Inflated knows."""

    def __init__(self, packed: Packed, meter: Meter) -> None:
        super().__init__()
        from isal.igzip_lib import IsalError

        self._error = cast(type[Exception], IsalError)
        self._meter = meter
        self._inner = Inflated(packed, _isal, meter)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        try:
            return self._inner.readinto(buffer)
        except self._error as error:
            raise CorruptArchive(self._meter.archive, None, str(error)) from error


def _isal() -> Decoder:
    from isal import igzip_lib

    return cast(Decoder, igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP))
