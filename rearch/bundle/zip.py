"""Bundles that are a zip: entries that stay are copied as they are packed; the order is that of the table of contents.

Sections of PKWARE's APPNOTE.TXT 6.3.10 in the comments. What comes later (sums) is written behind the other files, and
still has its old place in the table, which is what every program goes by.
"""

from __future__ import annotations

import bz2
import os
import struct
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from msgspec import Struct

from rearch.bundle.compression import Part
from rearch.bundle.entries import Item
from rearch.formats.archive_errors import CannotWrite, Unsupported
from rearch.formats.archive_stream import Meter
from rearch.formats.archive_zip import read_zip_lines
from rearch.formats.archive_zip_table import Record, exactly
from rearch.formats.hashing import BLOCK
from rearch.model.limits import Limits

_LOCAL = struct.Struct("<4s5H3L2H")  # 4.3.7
_CENTRAL = struct.Struct("<4s6H3L5H2L")  # 4.3.12
_END = struct.Struct("<4s4H2LH")  # 4.3.16
_LOCATOR = struct.Struct("<4sLQL")  # 4.3.15
_END64 = struct.Struct("<4sQ2H2L4Q")  # 4.3.14
_BEHIND = 0x0008  # 4.4.4: sizes stand behind the content
_ZIP64, _UNICODE_NAME = 0x0001, 0x7075  # 4.5.3, 4.6.9
_LIMIT = 0xFFFFFFFF


class ZipBundle:
    """A zip file, and what is needed to write one like it. To be used as a context."""

    is_folder = False
    rootless = False

    def __init__(self, path: Path, name: str, limits: Limits) -> None:
        self.name = name
        self._meter = Meter(name, limits)
        self.file: IO[bytes] = path.open("rb")

    def __enter__(self) -> ZipBundle:
        return self

    def __exit__(self, *_error: object) -> None:
        self.file.close()

    def items(self) -> Iterator[Item]:
        """The entries, in the order of the table."""
        for record, entry in read_zip_lines(self.file, self._meter):
            yield Item(entry=entry, record=record)

    def writer(self, target: Path) -> ZipWriter:
        """A writer that takes packed content from this file."""
        return ZipWriter(self, target)

    def comment(self) -> bytes:
        """What stands behind the end record; it was checked when the table was read."""
        size = self.file.seek(0, os.SEEK_END)
        self.file.seek(max(0, size - _END.size - 0xFFFF))
        tail = self.file.read()
        return tail[tail.rfind(b"PK\x05\x06") + _END.size :]


class _Line(Struct, kw_only=True):
    """A line of the new table; what is not known yet is filled in later."""

    item: Item
    name: bytes
    mode: int | None = None
    crc: int = 0
    packed: int = 0
    size: int = 0
    offset: int = 0


class ZipWriter:
    """Writes a zip entry by entry, and the table at the end."""

    def __init__(self, bundle: ZipBundle, target: Path) -> None:
        self._bundle = bundle
        self._target = target
        self._file = target.open("wb")
        self._lines: list[_Line] = []

    def keep(self, item: Item, blocks: Iterable[bytes]) -> None:
        for _ in blocks:  # whoever hashes them sees them
            pass
        record = _record(item)
        line = self._line(item, item.entry.name, None)
        line.crc, line.packed, line.size = record.crc, record.packed, record.size
        names, extras = _LOCAL.unpack(exactly(self._bundle.file, record.offset, _LOCAL.size, self._bundle.name))[9:]
        self._local(line)
        start = record.offset + _LOCAL.size + names + extras
        for at in range(start, start + record.packed, BLOCK):
            size = min(BLOCK, start + record.packed - at)
            self._write(exactly(self._bundle.file, at, size, self._bundle.name))

    def put(self, item: Item, name: str, size: int, blocks: Iterable[bytes], *, mode: int | None = None) -> None:
        del size  # it is counted
        self._content(self._line(item, name, mode), blocks)

    def reserve(self, item: Item, name: str) -> int:
        self._line(item, name, None)
        return len(self._lines) - 1

    def fill(self, number: int, data: bytes) -> None:
        self._content(self._lines[number], (data,))

    def finish(self) -> None:
        try:
            self._table()
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise CannotWrite(str(self._target), error) from error

    def close(self) -> None:
        self._file.close()

    def _line(self, item: Item, name: str, mode: int | None) -> _Line:
        line = _Line(item=item, name=os.fsencode(name), mode=mode)
        self._lines.append(line)
        return line

    def _content(self, line: _Line, blocks: Iterable[bytes]) -> None:
        """Write the header with zeros for what is not known, the content, and then the header again."""
        self._local(line)
        start = self._file.tell()
        packer = _packer(_record(line.item).method)
        for data in blocks:
            line.crc = zlib.crc32(data, line.crc)
            line.size += len(data)
            self._write(packer.compress(data))
        self._write(packer.flush())
        end = self._file.tell()
        line.packed = end - start
        if max(line.packed, line.size) >= _LIMIT:
            raise Unsupported(self._bundle.name, line.item.entry.name, "a file of 4 GiB or more in a zip")
        self._file.seek(line.offset)
        self._local(line)
        self._file.seek(end)

    def _local(self, line: _Line) -> None:
        record = _record(line.item)
        fields = list(_LOCAL.unpack(exactly(self._bundle.file, record.offset, _LOCAL.size, self._bundle.name)))
        names, extras = fields[9], fields[10]
        here = record.offset + _LOCAL.size + names
        extra = _extra(exactly(self._bundle.file, here, extras, self._bundle.name), renamed=line.name != record.raw)
        line.offset = self._file.tell()
        if max(line.offset, line.packed, line.size) >= _LIMIT:
            raise Unsupported(self._bundle.name, record.name, "4 GiB or more in a zip")
        fields[2] &= ~_BEHIND
        fields[6:] = [line.crc, line.packed, line.size, len(line.name), len(extra)]
        self._write(_LOCAL.pack(*fields) + line.name + extra)

    def _table(self) -> None:
        comment = self._bundle.comment()
        start = self._file.tell()
        for line in self._lines:
            self._file.write(_central(line))
        end = self._file.tell()
        count, size = len(self._lines), end - start
        if end >= _LIMIT:
            raise Unsupported(self._bundle.name, None, "4 GiB or more in a zip")
        if count >= 0xFFFF:
            self._file.write(_END64.pack(b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, size, start))
            self._file.write(_LOCATOR.pack(b"PK\x06\x07", 0, end, 1))
        short = min(count, 0xFFFF)
        self._file.write(_END.pack(b"PK\x05\x06", 0, 0, short, short, size, start, len(comment)) + comment)

    def _write(self, data: bytes) -> None:
        try:
            self._file.write(data)
        except OSError as error:
            raise CannotWrite(str(self._target), error) from error


def _record(item: Item) -> Record:
    assert item.record is not None, "an entry of another container"
    return item.record


def _packer(method: int) -> Part:
    """4.4.5; the reader knows no others."""
    if method == 8:
        return zlib.compressobj(6, zlib.DEFLATED, -15)
    return bz2.BZ2Compressor() if method == 12 else _Stored()


class _Stored:
    def compress(self, data: bytes, /) -> bytes:
        return data

    def flush(self) -> bytes:
        return b""


def _central(line: _Line) -> bytes:
    record = _record(line.item)
    fields = list(_CENTRAL.unpack_from(record.line))
    names, extras, comments = fields[10:13]
    rest = record.line[_CENTRAL.size + names :]
    extra, comment = _extra(rest[:extras], renamed=line.name != record.raw), rest[extras : extras + comments]
    fields[3] &= ~_BEHIND
    fields[7:10] = [line.crc, line.packed, line.size]
    fields[10], fields[11], fields[16] = len(line.name), len(extra), line.offset
    if line.mode is not None:
        form = fields[15] >> 16 & 0o170000
        fields[15] = (form | line.mode) << 16 | fields[15] & 0xFFFF
    return _CENTRAL.pack(*fields) + line.name + extra + comment


def _extra(data: bytes, *, renamed: bool) -> bytes:
    """4.5.1, without sizes of 64 bits, which are not needed here, and without another spelling of an old name."""
    out = b""
    while len(data) >= 4:
        number, length = struct.unpack_from("<2H", data)
        if number != _ZIP64 and not (renamed and number == _UNICODE_NAME):
            out += data[: 4 + length]
        data = data[4 + length :]
    return out + data
