"""Reads `ar` archives from a stream, to look into them: Debian packages, and static libraries of any size.

Format: ar(5), with the long names of System V and GNU (a member `//` of names, `/123` for an offset in it) and of BSD
(`#1/20`: the name's 20 bytes stand before the content).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from rearch.formats.archive_errors import CorruptArchive, TruncatedArchive, Unsupported
from rearch.formats.archive_stream import Meter
from rearch.formats.hashing import BLOCK, Readable

MAGIC = b"!<arch>\n"
_HEADER = 60
_NAMES_LIMIT = 4 << 20
_NAME_LIMIT = 4096
_NUMBER = re.compile(rb"([0-9]{1,10}) *\Z")


class ArMember(Struct, frozen=True):
    """One member; `content` has to be read before the next one is asked for."""

    name: str
    size: int
    content: ArContent


class ArContent:
    """The bytes of one member, straight from the archive's stream."""

    def __init__(self, stream: Readable, archive: str, size: int) -> None:
        self._stream = stream
        self._archive = archive
        self.left = size

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes, none at the end. Errors: TruncatedArchive."""
        wanted = min(self.left, size)
        data = self._stream.read(wanted) if wanted else b""
        if wanted and not data:
            raise TruncatedArchive(self._archive, None, "a member")
        self.left -= len(data)
        return data


def read_ar(stream: Readable, meter: Meter) -> Iterator[ArMember]:
    """The members of an archive that hold content of their own; the tables of names and symbols are passed over.

    `stream` gives all that it is asked for, but at its end. Errors: ArchiveError and its kind.
    """
    if stream.read(len(MAGIC)) != MAGIC:
        raise CorruptArchive(meter.archive, None, "it is no ar archive")
    names = b""
    while header := stream.read(_HEADER):
        raw, size = _parsed(header, meter.archive)
        content = ArContent(stream, meter.archive, size)
        if raw == b"//":
            names = _all(content, _NAMES_LIMIT, meter.archive)
        elif raw not in (b"/", b"/SYM64/", b"__.SYMDEF"):
            name = _name(raw, names, content, meter.archive)
            meter.entry(name, content.left)
            yield ArMember(name, content.left, content)
        while content.read(BLOCK):
            pass
        if size % 2:
            stream.read(1)


def _parsed(header: bytes, archive: str) -> tuple[bytes, int]:
    """Name 16, mtime 12, owner 6, group 6, mode 8, size 10, then "`\\n"."""
    size = _NUMBER.match(header[48:58])
    if len(header) < _HEADER:
        raise TruncatedArchive(archive, None, "a member's header")
    if header[58:] != b"`\n" or size is None:
        raise CorruptArchive(archive, None, "the header of a member is none")
    return header[:16].rstrip(b" "), int(size[1])


def _name(raw: bytes, names: bytes, content: ArContent, archive: str) -> str:
    if raw.startswith(b"#1/") and raw[3:].isdigit():
        return _text(_all_of(content, int(raw[3:]), archive).rstrip(b"\0"))
    if raw.startswith(b"/") and raw[1:].isdigit():
        return _text(names[int(raw[1:]) :].partition(b"\n")[0].rstrip(b"/"))
    return _text(raw.rstrip(b"/"))


def _text(raw: bytes) -> str:
    return raw[:_NAME_LIMIT].decode("utf-8", "backslashreplace")


def _all_of(content: ArContent, size: int, archive: str) -> bytes:
    if size > min(_NAME_LIMIT, content.left):
        raise CorruptArchive(archive, None, "a member's name is longer than the member")
    data = b""
    while len(data) < size:
        data += content.read(size - len(data))
    return data


def _all(content: ArContent, limit: int, archive: str) -> bytes:
    if content.left > limit:
        raise Unsupported(archive, None, f"a table of names of {content.left} bytes")
    data = b""
    while more := content.read(BLOCK):
        data += more
    return data
