"""Reads a zip's table of contents (the central directory): sections of PKWARE's APPNOTE.TXT 6.3.10 in the comments.

The table is read entry by entry: its size is whatever the sender liked.
"""

from __future__ import annotations

import calendar
import io
import os
import struct
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING

from msgspec import Struct

from rearch.formats.archive_errors import CorruptArchive, TruncatedArchive, Unsupported

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_END = struct.Struct("<4s4H2LH")  # 4.3.16
_LOCATOR = struct.Struct("<4sLQL")  # 4.3.15
_END64 = struct.Struct("<4sQ2H2L4Q")  # 4.3.14
_CENTRAL = struct.Struct("<4s6H3L5H2L")  # 4.3.12


class Table(Struct, frozen=True, kw_only=True):
    """Where the central directory is, and how many entries it claims."""

    offset: int
    size: int
    count: int


class Record(Struct, frozen=True, kw_only=True):
    """One entry of the table; `offset` is where its local header is, `line` are its bytes in the table."""

    raw: bytes
    name: str
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    offset: int
    attributes: int
    mtime: int
    line: bytes = b""


class Window(io.RawIOBase):
    """A part of a file, read at its own place: several can be read in turn from one file."""

    def __init__(self, file: IO[bytes], start: int, size: int) -> None:
        super().__init__()
        self._file = file
        self._at = start
        self._end = start + size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        view = memoryview(buffer).cast("B")
        self._file.seek(self._at)
        data = self._file.read(min(len(view), self._end - self._at))
        view[: len(data)] = data
        self._at += len(data)
        return len(data)


def read_records(file: IO[bytes], table: Table, archive: str) -> Iterator[Record]:
    """The entries of the table, as many as its end record says. Errors: CorruptArchive, Unsupported."""
    reader = io.BufferedReader(Window(file, table.offset, table.size), 1 << 16)
    for _ in range(table.count):
        yield _record(reader, archive)
    if reader.read(1):
        raise CorruptArchive(archive, None, "the table of contents is longer than its number of entries")


def read_table(file: IO[bytes], archive: str) -> Table:
    """Find the table by the end record. Errors: TruncatedArchive, CorruptArchive, Unsupported."""
    size = file.seek(0, os.SEEK_END)
    # The end record is the last thing but for a comment of at most 65535 bytes.
    start = max(0, size - _END.size - 0xFFFF)
    file.seek(start)
    tail = file.read(size - start)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < _END.size:
        raise TruncatedArchive(archive, None, "the list of entries: its end record is missing")
    _, disk, first, here, count, length, offset, comment = _END.unpack_from(tail, at)
    if at + _END.size + comment != len(tail):
        raise CorruptArchive(archive, None, "bytes behind the end record")
    end = start + at
    if 0xFFFF in (count, here, disk) or 0xFFFFFFFF in (length, offset):
        disk, first, here, count, length, offset, end = _table64(file, end, archive)
    if disk or first or here != count:
        raise Unsupported(archive, None, "several disks")
    if offset + length != end:
        raise CorruptArchive(archive, None, "the table of contents is not where the end record says")
    return Table(offset=offset, size=length, count=count)


def _table64(file: IO[bytes], end: int, archive: str) -> tuple[int, int, int, int, int, int, int]:
    """The zip64 end record, by way of its locator: disk, first disk, entries here, entries, size, offset, its place."""
    place = end - _LOCATOR.size
    signature, _, at, _ = _LOCATOR.unpack(exactly(file, place, _LOCATOR.size, archive))
    if signature != b"PK\x06\x07" or at + _END64.size > place:
        raise CorruptArchive(archive, None, "the zip64 end record is missing")
    signature, length, _, _, disk, first, here, count, size, offset = _END64.unpack(
        exactly(file, at, _END64.size, archive)
    )
    if signature != b"PK\x06\x06" or at + 12 + length != place:
        raise CorruptArchive(archive, None, "the zip64 end record does not fit")
    return disk, first, here, count, size, offset, at


def exactly(file: IO[bytes], place: int, size: int, archive: str) -> bytes:
    """`size` bytes at `place`. Errors: TruncatedArchive, CorruptArchive."""
    if place < 0:
        raise CorruptArchive(archive, None, "a record before the beginning")
    file.seek(place)
    data = file.read(size)
    if len(data) < size:
        raise TruncatedArchive(archive, None, "a header")
    return data


def _record(reader: io.BufferedIOBase, archive: str) -> Record:
    fixed = reader.read(_CENTRAL.size)
    if len(fixed) < _CENTRAL.size or fixed[:4] != b"PK\x01\x02":
        raise CorruptArchive(archive, None, "the table of contents ends before its number of entries")
    (_, _, _, flags, method, time, date, crc, packed, size, names, extras, comment, disk, _, attributes, offset) = (
        _CENTRAL.unpack(fixed)
    )
    rest = reader.read(names + extras + comment)
    if len(rest) < names + extras + comment:
        raise CorruptArchive(archive, None, "the table of contents is cut off")
    raw, extra = rest[:names], rest[names : names + extras]
    name = os.fsdecode(raw)
    if disk not in (0, 0xFFFF):
        raise Unsupported(archive, name, "several disks")
    fields = _extra_fields(extra)
    size, packed, offset = _wide((size, packed, offset), fields.get(1, b""), archive, name)
    mtime = _unix_time(fields.get(0x5455, b""))
    return Record(
        raw=raw,
        name=name,
        flags=flags,
        method=method,
        crc=crc,
        packed=packed,
        size=size,
        offset=offset,
        attributes=attributes,
        mtime=_dos_time(date, time) if mtime is None else mtime,
        line=fixed + rest,
    )


def _extra_fields(data: bytes) -> dict[int, bytes]:
    """4.5.1: number, length, content; what does not fit is padding, which some programs write."""
    found: dict[int, bytes] = {}
    while len(data) >= 4:
        number, length = struct.unpack_from("<2H", data)
        found.setdefault(number, data[4 : 4 + length])
        data = data[4 + length :]
    return found


def _wide(values: tuple[int, int, int], extra: bytes, archive: str, name: str) -> tuple[int, int, int]:
    """4.5.3: size, packed size and offset that need 64 bits stand in field 1, only those, in this order."""
    found = []
    for value in values:
        if value != 0xFFFFFFFF:
            found.append(value)
            continue
        if len(extra) < 8:
            raise CorruptArchive(archive, name, "a size of 64 bits is missing")
        found.append(int.from_bytes(extra[:8], "little"))
        extra = extra[8:]
    return found[0], found[1], found[2]


def _unix_time(extra: bytes) -> int | None:
    """Info-ZIP's extended timestamp (its extrafld.txt): flags, then the modification time in seconds since 1970."""
    return int.from_bytes(extra[1:5], "little", signed=True) if len(extra) >= 5 and extra[0] & 1 else None


def _dos_time(date: int, time: int) -> int:
    """4.4.6, which has no time zone: read as UTC, so that it is the same on every machine. 0 for no date at all."""
    year, month, day = 1980 + (date >> 9), (date >> 5) & 15, date & 31
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return 0
    return calendar.timegm((year, month, day, time >> 11, (time >> 5) & 63, 2 * (time & 31), 0, 0, 0))
