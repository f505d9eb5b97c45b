"""Reads zip, from its table of contents, checked against what stands before each file.

Our own reader, since Python's `zipfile` reads a table of any size into memory. Format: PKWARE's APPNOTE.TXT 6.3.10
(section numbers below). Refused: encryption, several disks, bytes before the first file, ranges that overlap (one
packed block that many entries unpack), a name in the table that differs from the one before the file, and backslashes
in names (4.4.17.1).
"""

from __future__ import annotations

import os
import stat
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import IO

from rearch.formats import archive_stream as streams
from rearch.formats.archive_entry import MAX_TARGET, NOTHING, Entry, EntryKind
from rearch.formats.archive_errors import BadName, CorruptArchive, SpecialEntry, Unsupported
from rearch.formats.archive_stream import Decoder, Meter
from rearch.formats.archive_zip_table import Record, Table, Window, exactly, read_records, read_table
from rearch.formats.hashing import BLOCK

_LOCAL = struct.Struct("<4s5H3L2H")  # 4.3.7
_SPECIAL = {
    stat.S_IFCHR: "character device",
    stat.S_IFBLK: "block device",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
}
_METHODS: dict[int, Callable[[], Decoder] | None] = {
    0: None,
    8: streams.deflate_decoder,
    12: streams.bzip2_decoder,
}


def read_zip(file: IO[bytes], meter: Meter) -> Iterator[Entry]:
    """The entries of a zip file that can be read at any place. Errors: ArchiveError and its kind."""
    for _, entry in read_zip_lines(file, meter):
        yield entry


def read_zip_lines(file: IO[bytes], meter: Meter) -> Iterator[tuple[Record, Entry]]:
    """The same, each with its line of the table of contents, for who writes the zip again."""
    table = read_table(file, meter.archive)
    used = 0
    for record in read_records(file, table, meter.archive):
        meter.entry(record.name, record.size)
        used += _LOCAL.size + len(record.raw) + record.packed
        if used > table.offset:
            raise CorruptArchive(meter.archive, record.name, "its bytes are those of another entry too")
        for entry in _entry(file, record, table, meter):
            yield record, entry


def _entry(file: IO[bytes], record: Record, table: Table, meter: Meter) -> Iterator[Entry]:
    content = _content(file, record, table, meter)
    kind, mode = _kind(record, meter.archive)
    target = ""
    if kind is EntryKind.LINK:
        if record.size > MAX_TARGET:
            raise BadName(meter.archive, record.name, f"is a link with a target of {record.size} bytes")
        target = os.fsdecode(b"".join(iter(content.read, b"")))
    if kind is EntryKind.FOLDER and record.size:
        raise CorruptArchive(meter.archive, record.name, f"a folder with {record.size} bytes of content")
    yield Entry(
        name=record.name,
        kind=kind,
        mode=mode,
        mtime=record.mtime,
        size=record.size if kind is EntryKind.FILE else 0,
        target=target,
        content=content if kind is EntryKind.FILE else NOTHING,
    )
    while content.read():  # to the end, so that the checksum is checked
        pass


def _kind(record: Record, archive: str) -> tuple[EntryKind, int]:
    """4.4.15: who writes zip on Unix puts st_mode into the upper half of the external attributes."""
    if b"\\" in record.raw:
        raise BadName(archive, record.name, "has a backslash in its name")
    mode = record.attributes >> 16
    form = stat.S_IFMT(mode)
    if form in _SPECIAL:
        raise SpecialEntry(archive, record.name, _SPECIAL[form])
    if record.raw.endswith(b"/"):
        return EntryKind.FOLDER, stat.S_IMODE(mode) or 0o755
    if form == stat.S_IFLNK:
        return EntryKind.LINK, 0o777
    if form == stat.S_IFDIR:
        return EntryKind.FOLDER, stat.S_IMODE(mode) or 0o755
    return EntryKind.FILE, stat.S_IMODE(mode) or 0o644


def _content(file: IO[bytes], record: Record, table: Table, meter: Meter) -> ZipContent:
    archive, name = meter.archive, record.name
    if record.flags & 0x2041:  # 4.4.4: encrypted, strong encryption, masked headers
        raise Unsupported(archive, name, "encryption")
    if record.method not in _METHODS:
        raise Unsupported(archive, name, f"the compression method {record.method}")
    local = _LOCAL.unpack(exactly(file, record.offset, _LOCAL.size, archive))
    names, extras = local[9], local[10]
    if local[0] != b"PK\x03\x04" or file.read(names) != record.raw or local[3] != record.method:
        raise CorruptArchive(archive, name, "the table of contents and the header before the file differ")
    start = record.offset + _LOCAL.size + names + extras
    if start + record.packed > table.offset:
        raise CorruptArchive(archive, name, "its bytes reach into the table of contents")
    return ZipContent(Window(file, start, record.packed), record, meter)


class ZipContent:
    """The bytes of one entry, unpacked; size and checksum are checked at its end."""

    def __init__(self, packed: Window, record: Record, meter: Meter) -> None:
        make = _METHODS[record.method]
        self._packed = packed
        self._record = record
        self._meter = meter
        self._decoder = make() if make is not None else None
        self._kept = memoryview(b"")
        self._left = record.size
        self._crc = 0
        self._over = False

    def read(self, size: int = -1, /) -> bytes:
        """At most `size` bytes (and at most a block), none at the end. Errors: CorruptArchive, LimitExceeded."""
        wanted = BLOCK if size < 0 else min(size, BLOCK)
        while not self._kept and not self._over:
            more = self._more(wanted)
            self._check(more)
            self._kept = memoryview(more)
        data, self._kept = self._kept[:wanted], self._kept[wanted:]
        return bytes(data)

    def _more(self, size: int) -> bytes:
        if self._decoder is None:
            return self._take(size)
        if self._decoder.eof:
            return b""
        asked = self._decoder.needs_input
        data = self._take(streams.READ) if asked else b""
        try:
            plain = self._decoder.decompress(data, size)
        except streams.DECODER_ERRORS as error:
            raise CorruptArchive(self._meter.archive, self._record.name, str(error)) from error
        if asked and not data and not plain and not self._decoder.eof:
            raise CorruptArchive(self._meter.archive, self._record.name, "its compressed content is cut off")
        return plain

    def _take(self, size: int) -> bytes:
        data = self._packed.read(size) or b""
        self._meter.packed += len(data)
        return data

    def _check(self, data: bytes) -> None:
        """Count what came; at the end compare it with what the table says."""
        self._meter.grow(len(data))
        self._crc = zlib.crc32(data, self._crc)
        self._left -= len(data)
        ended = not data and (self._decoder is None or self._decoder.eof)
        if self._left < 0 or (ended and self._left):
            raise CorruptArchive(self._meter.archive, self._record.name, "its size is not the one that is stated")
        if ended:
            self._over = True
            if self._crc != self._record.crc:
                raise CorruptArchive(self._meter.archive, self._record.name, "its checksum is wrong")
