"""Unpacks zstd streams of one or more frames (RFC 8878), and notices when the last one is cut off.

zstandard's stream reader works in bounded memory, but takes a frame that ends too early for a whole one. So the
frames' and blocks' headers are followed here as the packed bytes pass: a few of them for each 128 KiB.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, cast

from rearch.formats.archive_errors import CorruptArchive, TruncatedArchive, Unsupported
from rearch.formats.archive_stream import READ, Meter, Packed

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

# What the zstd program itself takes without being told: `--ultra -22` and `--long` pack with this window. Memory while
# unpacking is the window that the sender chose (2 to 8 MiB at usual levels) and no more than what rearch itself takes.
MAX_WINDOW = 1 << 27
_MAGIC = 0xFD2FB528
_SKIPPABLE = range(0x184D2A50, 0x184D2A60)
_RLE, _RESERVED = 1, 3


class InflatedZstd(io.RawIOBase):
    """The plain bytes. Errors: CorruptArchive, TruncatedArchive, Unsupported, LimitExceeded."""

    def __init__(self, packed: Packed, meter: Meter) -> None:
        super().__init__()
        import zstandard

        self._meter = meter
        self._error = zstandard.ZstdError
        unpacker = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW)
        followed = cast("IO[bytes]", _Followed(packed, meter.archive))  # only `read` is used
        self._inner = unpacker.stream_reader(followed, read_size=READ, read_across_frames=True)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        try:
            size = int(self._inner.readinto(buffer))
        except self._error as error:
            raise CorruptArchive(self._meter.archive, None, str(error)) from error
        self._meter.grow(size)
        return size


class _Followed:
    """Packed bytes on their way to the unpacker. Their end is only an end between two frames."""

    def __init__(self, packed: Packed, archive: str) -> None:
        self._packed = packed
        self._archive = archive
        self._frames = Frames(archive)

    def read(self, size: int = -1, /) -> bytes:
        data = self._packed.read(READ if size < 0 else size)
        self._frames.follow(data)
        if not data and not self._frames.complete:
            raise TruncatedArchive(self._archive, None, "a compressed stream")
        return data


class Frames:
    """Where a zstd stream is, as its bytes pass. Names as in RFC 8878, section 3.1."""

    def __init__(self, archive: str) -> None:
        self._archive = archive
        self._kept = b""
        self._over = 0
        self._checksum = False
        self._descriptor = 0
        self._expect(4, self._magic)

    @property
    def complete(self) -> bool:
        """Whether the bytes so far end with a frame."""
        return self._next == self._magic and not self._over and not self._kept

    def follow(self, data: bytes) -> None:
        """Read the headers in these bytes, and step over the rest. Errors: CorruptArchive, Unsupported."""
        at = 0
        while at < len(data):
            step = min(self._over, len(data) - at)
            self._over -= step
            at += step
            missing = self._wanted - len(self._kept)
            self._kept += data[at : at + missing]
            at += missing
            if len(self._kept) == self._wanted:
                header, self._kept = self._kept, b""
                self._next(header)

    def _expect(self, size: int, then: Callable[[bytes], None]) -> None:
        self._wanted = size
        self._next = then

    def _magic(self, header: bytes) -> None:
        number = int.from_bytes(header, "little")
        if number in _SKIPPABLE:
            self._expect(4, self._skippable)
        elif number == _MAGIC:
            self._expect(1, self._frame_descriptor)
        else:
            raise CorruptArchive(self._archive, None, "something else behind a zstd frame")

    def _skippable(self, header: bytes) -> None:
        self._over = int.from_bytes(header, "little")
        self._expect(4, self._magic)

    def _frame_descriptor(self, header: bytes) -> None:
        self._descriptor = flags = header[0]
        self._checksum = bool(flags & 4)
        single_segment = bool(flags & 0x20)
        content_size = (1 if single_segment else 0, 2, 4, 8)[flags >> 6]
        self._expect((not single_segment) + (0, 1, 2, 4)[flags & 3] + content_size, self._frame_header)

    def _frame_header(self, header: bytes) -> None:
        if not self._descriptor & 0x20:
            base = 1 << (10 + (header[0] >> 3))
            window = base + base // 8 * (header[0] & 7)
            if window > MAX_WINDOW:
                raise Unsupported(
                    self._archive, None, f"a zstd window of {window >> 20} MiB ({MAX_WINDOW >> 20} at most)"
                )
        self._expect(3, self._block)

    def _block(self, header: bytes) -> None:
        value = int.from_bytes(header, "little")
        last, kind, size = value & 1, value >> 1 & 3, value >> 3
        if kind == _RESERVED:
            raise CorruptArchive(self._archive, None, "a zstd block of no known kind")
        self._over = 1 if kind == _RLE else size
        if last:
            self._over += 4 if self._checksum else 0
            self._expect(4, self._magic)
        else:
            self._expect(3, self._block)
