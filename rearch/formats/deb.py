"""Binary packages, deb(5): an `ar` archive of debian-binary, control.tar.* and data.tar.*.

Nothing of a package is run. The data member is handed out as a stream over its part of the file,
for formats.archive to extract; nothing is held in memory but headers and the control file.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from msgspec import Struct

from rearch.errors import HostileInputError
from rearch.formats.debian_control import Stanza, parse_stanzas

if TYPE_CHECKING:
    import tarfile

_MAGIC = b"!<arch>\n"
_HEADER = 60
_NUMBER = re.compile(rb"([0-9]+) *\Z")
_CONTROL_LIMIT = 4 << 20
_MEMBER_LIMIT = 64


class BrokenDeb(HostileInputError):
    """A file that is not a Debian package, or a damaged one."""

    def __init__(self, name: str, why: str) -> None:
        self.name = name
        self.why = why
        super().__init__(f"{name} is no Debian package: {why}")


class Member(Struct, frozen=True, kw_only=True):
    """A member of an ar archive: where its bytes are in the file."""

    name: str
    offset: int
    size: int


class DebMembers(Struct, frozen=True, kw_only=True):
    """The two members that matter."""

    control: Member
    data: Member


def read_members(file: IO[bytes], name: str) -> DebMembers:
    """Find the members of a package in a seekable file. Errors: BrokenDeb."""
    members = {member.name: member for member in _ar_members(file, name)}
    if next(iter(members), None) != "debian-binary":
        raise BrokenDeb(name, "the first member is not debian-binary")
    version = Window(file, members["debian-binary"]).read(16)
    if not version.startswith(b"2."):
        raise BrokenDeb(name, f"format {version.strip()!r} is unknown; 2.0 is wanted")
    return DebMembers(control=_tar_member(members, "control.tar", name), data=_tar_member(members, "data.tar", name))


def _tar_member(members: dict[str, Member], wanted: str, name: str) -> Member:
    found = [member for key, member in members.items() if key == wanted or key.startswith(wanted + ".")]
    if len(found) != 1:
        raise BrokenDeb(name, f"it has {len(found) or 'no'} {wanted}")
    return found[0]


def _ar_members(file: IO[bytes], name: str) -> Iterator[Member]:
    """The ar headers: name 16, mtime 12, owner 6, group 6, mode 8, size 10, then "`\\n"; padded to even offsets."""
    end = file.seek(0, io.SEEK_END)
    file.seek(0)
    if file.read(len(_MAGIC)) != _MAGIC:
        raise BrokenDeb(name, "it is no ar archive")
    offset, seen = len(_MAGIC), set[str]()
    while offset < end:
        file.seek(offset)
        member = _member(file.read(_HEADER), offset + _HEADER, name)
        if member.offset + member.size > end:
            raise BrokenDeb(name, f"it is cut off within {member.name}")
        if member.name in seen or len(seen) >= _MEMBER_LIMIT:
            raise BrokenDeb(name, f"too many members, or two are called {member.name}")
        seen.add(member.name)
        yield member
        offset = member.offset + member.size + member.size % 2


def _member(header: bytes, offset: int, name: str) -> Member:
    size = _NUMBER.match(header[48:58])
    if len(header) != _HEADER or header[58:] != b"`\n" or size is None:
        raise BrokenDeb(name, f"the member header at byte {offset - _HEADER} is damaged")
    return Member(name=header[:16].decode("ascii", "replace").rstrip(" ").rstrip("/"), offset=offset, size=int(size[1]))


class Window(io.RawIOBase):
    """One member of an open file as a file of its own: readable and seekable. Not for two at once on one file."""

    def __init__(self, file: IO[bytes], member: Member) -> None:
        self._file = file
        self._member = member
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._member.size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        wanted = min(len(buffer), max(0, self._member.size - self._at))
        if not wanted:
            return 0
        self._file.seek(self._member.offset + self._at)
        data = self._file.read(wanted)
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


@contextmanager
def open_data(path: Path) -> Iterator[IO[bytes]]:
    """The (compressed) data.tar of a package, as a seekable stream. Errors: BrokenDeb."""
    with path.open("rb") as file:
        yield io.BufferedReader(Window(file, read_members(file, path.name).data), 1 << 18)


def read_control(path: Path) -> Stanza:
    """The control file of a package, as its one stanza. Errors: BrokenDeb, MalformedControl."""
    return parse_control(read_control_text(path), path.name)


def read_control_text(path: Path) -> str:
    """The control file of a package, letter by letter. Errors: BrokenDeb."""
    with path.open("rb") as file:
        member = read_members(file, path.name).control
        return _control_text(io.BufferedReader(Window(file, member)), path.name)


def parse_control(text: str, name: str) -> Stanza:
    """The one stanza of a control file; `name` is the package's file. Errors: BrokenDeb, MalformedControl."""
    stanzas = parse_stanzas(text, f"{name}: control")
    if len(stanzas) != 1:
        raise BrokenDeb(name, f"its control file has {len(stanzas)} stanzas")
    return stanzas[0]


def _control_text(stream: IO[bytes], name: str) -> str:
    import lzma
    import tarfile
    import zlib

    import zstandard

    try:
        with tarfile.open(fileobj=_unpacked(stream), mode="r|") as tar:
            return _first_control(tar, name)
    except (tarfile.TarError, lzma.LZMAError, zlib.error, zstandard.ZstdError, EOFError, OSError) as error:
        raise BrokenDeb(name, f"its control.tar cannot be read ({error})") from None


def _first_control(tar: tarfile.TarFile, name: str) -> str:
    for number, entry in enumerate(tar):
        if number > _MEMBER_LIMIT or entry.size > _CONTROL_LIMIT:
            break
        if entry.name.removeprefix("./") == "control" and entry.isreg():
            content = tar.extractfile(entry)
            assert content is not None
            return content.read().decode("utf-8", "replace")
    raise BrokenDeb(name, "its control.tar has no control file")


def _unpacked(stream: IO[bytes]) -> IO[bytes]:
    """A decompressing reader, by the first bytes: gz, xz, zst, or none. deb(5) knows no other for control.tar."""
    import gzip
    import lzma
    from typing import cast

    import zstandard

    start = stream.read(6)
    stream.seek(0)
    if start.startswith(b"\x1f\x8b"):
        return cast(IO[bytes], gzip.GzipFile(fileobj=stream))
    if start == b"\xfd7zXZ\0":
        return lzma.LZMAFile(stream)
    if start.startswith(b"\x28\xb5\x2f\xfd"):
        return cast(IO[bytes], zstandard.ZstdDecompressor(max_window_size=1 << 27).stream_reader(stream))
    return stream
