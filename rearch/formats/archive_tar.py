"""Reads tar: POSIX ustar and pax, GNU's long names, and what came before them.

Our own reader, since Python's `tarfile` reads a pax header of any size into memory, keeps every member, and takes a
lost end for the end. Format: POSIX.1-2017, `pax`, "ustar Interchange Format" and "pax Header Block"; GNU tar's manual,
"Basic Tar Format". Where readers are known to disagree about the bytes (a folder or a link that has a size, global path
headers, sparse maps), the archive is refused: what one program checks must be what another unpacks.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator

from msgspec import Struct, field

from rearch.formats.archive_entry import NOTHING, Entry, EntryKind
from rearch.formats.archive_errors import CorruptArchive, SpecialEntry, TruncatedArchive, Unsupported
from rearch.formats.archive_stream import Meter
from rearch.formats.hashing import BLOCK

RECORD = 512
# Names, link targets and times of one entry: more than this is an attack on memory.
MAX_EXTENSION = 1 << 20

_KINDS = {
    b"0": EntryKind.FILE,
    b"\0": EntryKind.FILE,
    b"7": EntryKind.FILE,  # contiguous: POSIX lets a reader take it for a regular file
    b"1": EntryKind.HARD_LINK,
    b"2": EntryKind.LINK,
    b"5": EntryKind.FOLDER,
}
_KEYS = frozenset((b"path", b"linkpath", b"size", b"mtime"))
_SPECIAL = {b"3": "character device", b"4": "block device", b"6": "fifo"}
_UNSUPPORTED = {b"S": "a sparse file", b"M": "a continuation from another volume", b"D": "an incremental dump"}

_Behind = Callable[[io.BufferedIOBase], "bytes | None"]


class _Pending(Struct):
    """What extension headers said of the entry that comes next; `everywhere` of all that come."""

    local: dict[bytes, bytes] = field(default_factory=dict)
    everywhere: dict[bytes, bytes] = field(default_factory=dict)


class TarContent:
    """The bytes of one entry, straight from the archive's stream."""

    def __init__(self, stream: io.BufferedIOBase, archive: str, name: str, size: int) -> None:
        self._stream = stream
        self._archive = archive
        self._name = name
        self.left = size

    def read(self, size: int = -1, /) -> bytes:
        """At most `size` bytes (and at most a block), none at the end. Errors: TruncatedArchive."""
        wanted = min(self.left, BLOCK if size < 0 else size)
        if not wanted:
            return b""
        data = self._stream.read(wanted)
        if len(data) < wanted:
            raise TruncatedArchive(self._archive, self._name, "the content of an entry")
        self.left -= wanted
        return data

    def skip(self) -> None:
        """Read over what nobody wanted."""
        while self.read():
            pass


def read_tar(
    stream: io.BufferedIOBase,
    meter: Meter,
    *,
    skip_special: bool = False,
    behind: _Behind | None = None,
) -> Iterator[Entry]:
    """The entries of a plain tar stream, read to its very end, so that the compression's checksums are checked too.

    `skip_special` passes over devices and fifos, for a reader that only looks. `behind`, where it is given, is asked at
    each end mark for the checked header of an archive behind it, None at the end of the stream; else what stands there
    is passed over, as tar does. Errors: ArchiveError and its kind.
    """
    pending = _Pending()
    while (header := _next(stream, meter.archive, pending, behind)) is not None:
        kind = header[156:157]
        size = number(header[124:136], meter.archive, "size")
        if kind in (b"x", b"X", b"g", b"L", b"K"):
            meter.entry(None)
            _extend(pending, kind, read_extension(stream, size, meter.archive), meter.archive)
        elif kind == b"V":
            meter.entry(None)  # a volume's label: no file, and no content
        elif skip_special and kind in _SPECIAL:
            meter.entry(None)
            pending.local = {}
        else:
            yield from _entry(stream, header, size, pending, meter)
            pending.local = {}
    while stream.read(BLOCK):
        pass


def _next(stream: io.BufferedIOBase, archive: str, pending: _Pending, behind: _Behind | None) -> bytes | None:
    """The next header, of this archive or one behind it; None at the end of all."""
    header = _header(stream, archive)
    if header is not None:
        return header
    if pending.local:
        raise TruncatedArchive(archive, None, "an entry")
    return behind(stream) if behind is not None else None


def _header(stream: io.BufferedIOBase, archive: str) -> bytes | None:
    """The next header record; None for the record of zeros that ends an archive."""
    header = stream.read(RECORD)
    if len(header) < RECORD:
        where = "a header" if header else "the list of entries: its end mark is missing"
        raise TruncatedArchive(archive, None, where)
    return checked_header(header, archive)


def checked_header(header: bytes, archive: str) -> bytes | None:
    """A header record with the right checksum; None for the record of zeros. Errors: CorruptArchive."""
    if header.count(0) == RECORD:
        return None
    stated = number(header[148:156], archive, "checksum")
    if stated not in _checksums(header):
        raise CorruptArchive(archive, None, "the checksum of a tar header is wrong")
    return header


def _checksums(header: bytes) -> Iterator[int]:
    """The sum of the bytes, its own field taken as blanks; some old programs added signed bytes."""
    summed = header[:148] + b" " * 8 + header[156:]
    yield sum(summed)
    yield sum(summed) - 256 * sum(byte > 127 for byte in summed)


def _entry(stream: io.BufferedIOBase, header: bytes, size: int, pending: _Pending, meter: Meter) -> Iterator[Entry]:
    local, archive = pending.local, meter.archive
    raw = local.get(b"path", ustar_name(header))
    name = os.fsdecode(raw)
    kind = _kind(header[156:157], raw, archive, name)
    if b"size" in local:
        size = decimal(local[b"size"], archive, "size")
    # GNU tar notes the size of the file that a hard link names, and writes no content.
    size = 0 if kind is EntryKind.HARD_LINK else size
    if size and kind is not EntryKind.FILE:
        raise CorruptArchive(archive, name, f"a {kind.value} with {size} bytes of content")
    meter.entry(name, size)
    content = TarContent(stream, archive, name, size) if size else None
    yield Entry(
        name=name,
        kind=kind,
        mode=number(header[100:108], archive, "mode") & 0o7777,
        mtime=_mtime(header, pending, archive),
        size=size,
        target=os.fsdecode(local.get(b"linkpath", header[157:257].partition(b"\0")[0])),
        content=content or NOTHING,
        uid=_owner(header[108:116]),
        gid=_owner(header[116:124]),
    )
    if content is not None:
        content.skip()
        skip_padding(stream, size, archive, name)


def skip_padding(stream: io.BufferedIOBase, size: int, archive: str, name: str | None) -> None:
    """Read over the zeros behind a content of `size` bytes. Errors: TruncatedArchive."""
    padding = -size % RECORD
    if len(stream.read(padding)) < padding:
        raise TruncatedArchive(archive, name, "the content of an entry")


def _kind(letter: bytes, raw: bytes, archive: str, name: str) -> EntryKind:
    if letter in _SPECIAL:
        raise SpecialEntry(archive, name, _SPECIAL[letter])
    if letter in _UNSUPPORTED:
        raise Unsupported(archive, name, _UNSUPPORTED[letter])
    kind = _KINDS.get(letter)
    if kind is None:
        raise Unsupported(archive, name, f"an entry of the unknown type {letter!r}")
    # Before POSIX a folder was a file with a slash behind its name.
    return EntryKind.FOLDER if kind is EntryKind.FILE and raw.endswith(b"/") else kind


def ustar_name(header: bytes) -> bytes:
    """The name in a header record, where no extension says another."""
    name = header[:100].partition(b"\0")[0]
    # GNU's own format ("ustar  ") has times where POSIX has the prefix.
    prefix = header[345:500].partition(b"\0")[0] if header[257:263] == b"ustar\0" else b""
    return prefix + b"/" + name if prefix else name


def _mtime(header: bytes, pending: _Pending, archive: str) -> int:
    stated = pending.local.get(b"mtime", pending.everywhere.get(b"mtime"))
    if stated is None:
        return number(header[136:148], archive, "time", signed=True)
    try:
        return int(stated.partition(b".")[0])
    except ValueError:
        raise CorruptArchive(archive, None, f"no time: {stated[:40]!r}") from None


def number(field_bytes: bytes, archive: str, what: str, *, signed: bool = False) -> int:
    """A number of a header: octal digits, or big-endian binary behind a set top bit (GNU, star)."""
    if field_bytes[0] & 0x80:
        value = int.from_bytes(field_bytes, "big", signed=True)
        # Without its top bit: 0x80... is positive, 0xff... negative.
        value = value if field_bytes[0] == 0xFF else value + (1 << (8 * len(field_bytes) - 1))
        if value < 0 and not signed:
            raise CorruptArchive(archive, None, f"a negative {what}")
        return value
    digits = field_bytes.partition(b"\0")[0].strip(b" ")
    if digits.strip(b"01234567"):
        raise CorruptArchive(archive, None, f"no octal number for the {what} of a tar header: {field_bytes!r}")
    return int(digits or b"0", 8)


def _owner(field_bytes: bytes) -> int | None:
    """The number of a user or group. Sources are unpacked without it, so what is no number does not refuse them."""
    if field_bytes[0] & 0x80:
        value = int.from_bytes(field_bytes, "big") & ((1 << (8 * len(field_bytes) - 1)) - 1)
        return value if value < 1 << 32 else None
    digits = field_bytes.partition(b"\0")[0].strip(b" ")
    return None if digits.strip(b"01234567") else int(digits or b"0", 8)


def decimal(text: bytes, archive: str, what: str) -> int:
    """A number of a pax header. Errors: CorruptArchive."""
    if not text.isdigit() or len(text) > 20:
        raise CorruptArchive(archive, None, f"no {what} in a pax header: {text[:40]!r}")
    return int(text)


def read_extension(stream: io.BufferedIOBase, size: int, archive: str) -> bytes:
    """The content of an extension header, which has to fit into memory."""
    if size > MAX_EXTENSION:
        raise Unsupported(archive, None, f"an extension header of {size} bytes; {MAX_EXTENSION} is the limit")
    data = stream.read(size)
    if len(data) < size:
        raise TruncatedArchive(archive, None, "an extension header")
    skip_padding(stream, size, archive, None)
    return data


def _extend(pending: _Pending, kind: bytes, data: bytes, archive: str) -> None:
    match kind:
        case b"L":
            pending.local[b"path"] = data.partition(b"\0")[0]
        case b"K":
            pending.local[b"linkpath"] = data.partition(b"\0")[0]
        case b"g":
            found = pax_records(data, archive)
            if names := found.keys() & {b"path", b"linkpath", b"size"}:
                raise Unsupported(archive, None, f"a global header for {min(names).decode()}")
            pending.everywhere |= found
        case _:
            pending.local |= pax_records(data, archive)


def pax_records(data: bytes, archive: str, wanted: Callable[[bytes], bool] = _KEYS.__contains__) -> dict[bytes, bytes]:
    """The records of a pax header, `<length of the record> <key>=<value>\\n`. Only those that are wanted are kept.

    Errors: CorruptArchive; Unsupported for sparse files.
    """
    found: dict[bytes, bytes] = {}
    at = 0
    while at < len(data):
        space = data.find(b" ", at, at + 21)
        length = decimal(data[at:space], archive, "length") if space > 0 else 0
        key, equals, value = data[space + 1 : at + length - 1].partition(b"=")
        if length <= space + 1 - at or at + length > len(data) or data[at + length - 1] != 0x0A or not equals:
            raise CorruptArchive(archive, None, "a pax header whose lengths do not fit")
        if key.startswith(b"GNU.sparse."):
            raise Unsupported(archive, None, "a sparse file")
        if wanted(key):
            found[key] = value
        at += length
    return found
