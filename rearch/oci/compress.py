"""Compresses a stream of blocks, so that the same blocks give the same bytes on every machine.

gzip is made by ISA-L (python-isal). Its levels 0, 1 and 2 gave the same bytes, with one version of the library, under
qemu's models of Conroe, Nehalem, Sandy Bridge, Haswell and EPYC and on a Xeon with AVX-512; level 3 did not: its AVX2
and AVX-512 code finds other matches. So the level is 2, which is as fast as 1 and packs a little better. The header is
ISA-L's own: no name, no time, an operating system that is not known. zstd works in the thread that calls, for with
several threads its bytes depend on their number; it was the same on all of those CPUs too.

What comes out depends on how the stream is cut into blocks, too: layer_stream cuts it in the same way always.
"""

from __future__ import annotations

from typing import Literal, Protocol

from rearch.oci.types import Compression

GZIP_LEVEL = 2
ZSTD_LEVEL = 3
_GZIP_WINDOW = 31  # 15 bits of window, with gzip's header and trailer (zlib's deflateInit2)


class Compressor(Protocol):
    """Takes blocks in order; each call gives what can be written so far."""

    def compress(self, data: memoryview, /) -> bytes | memoryview: ...
    def flush(self) -> bytes: ...


class _None:
    """Hands on what it gets. The caller is done with a block before it fills it again."""

    def compress(self, data: memoryview, /) -> memoryview:
        return data

    def flush(self) -> bytes:
        return b""


def compressor(compression: Compression | Literal[""]) -> Compressor:
    """A new compressor, for one stream. It releases the interpreter's lock while it works."""
    match compression:
        case "gzip":
            from isal import isal_zlib

            return isal_zlib.compressobj(GZIP_LEVEL, isal_zlib.DEFLATED, _GZIP_WINDOW)
        case "zstd":
            import zstandard

            return zstandard.ZstdCompressor(level=ZSTD_LEVEL, threads=0, write_content_size=False).compressobj()
        case "":
            return _None()


def writer_of(compression: Compression | Literal[""]) -> str:
    """Everything beside the input that decides the bytes: the library, its version and the level."""
    match compression:
        case "gzip":
            import isal

            return f"gzip isa-l {isal.ISAL_VERSION} level {GZIP_LEVEL}"
        case "zstd":
            import zstandard

            return f"zstd {'.'.join(map(str, zstandard.ZSTD_VERSION))} level {ZSTD_LEVEL}"
        case "":
            return "none"
