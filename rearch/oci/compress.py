"""Compresses a stream of blocks, so that the same blocks give the same bytes wherever the libraries allow it.

gzip is made by ISA-L (python-isal), which picks its code by the CPU. What was seen with isal 1.9.1 (under qemu, and on
a Xeon with AVX-512): levels 0, 1 and 2 give the same bytes on every x86-64 with SSE 4.2 (Nehalem, Sandy Bridge,
Haswell, EPYC, ...), others on older ones, and others again on arm64; level 3 gives other bytes with AVX2 and with
AVX-512 too. So the level is 2: as fast as 1, and a little smaller. There is none that is the same on x86-64 and arm64
hosts. zstd gave the same bytes on all of them; it works in the thread that calls, since with several threads its bytes
depend on their number. Diff IDs are of the bytes before compression, and the same everywhere.

ISA-L's gzip header has no name and no time, and an operating system that is not known. What comes out depends on how
the stream is cut into blocks, too: layer_stream cuts it in the same way always.
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
