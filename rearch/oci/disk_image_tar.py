"""A tar with an image in it, as files by name: its members are found in one reading, and read where they lie."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO, cast

from msgspec import Struct

from rearch.errors import UsageError
from rearch.formats.archive import looks_like_tar
from rearch.formats.archive_errors import CannotWrite, DuplicateEntry, LinkEscapes
from rearch.formats.archive_stream import Meter
from rearch.formats.archive_tar import RECORD
from rearch.formats.hashing import Readable, blocks
from rearch.model.limits import Limits
from rearch.oci.entry import EntryKind, LayerEntry
from rearch.oci.layout_blobs import DOCUMENT_LIMIT
from rearch.oci.layout_errors import BlobTooLarge
from rearch.oci.layout_files import write_all
from rearch.oci.read_layer_stream import MAGIC_SIZE, packing_of, unpacked
from rearch.oci.read_layer_tar import layer_entries

# Links in a `docker save` lead to another layer of the same archive, at once.
_HOPS = 8


class NoArchive(UsageError):
    """A file that cannot be read as an archive with an image."""

    def __init__(self, path: Path, why: str) -> None:
        self.path = path
        self.why = why
        super().__init__(
            f"{path} is no archive with an image: {why}",
            hint="a file is wanted as `docker save` or `skopeo copy ... oci-archive:FILE` writes it",
        )


class _Member(Struct, frozen=True, kw_only=True):
    """Where its bytes are; `link` is the name of another member instead."""

    offset: int = 0
    size: int = 0
    link: str | None = None


class TarFiles:
    """The members of an open archive: the files of an image layout, or of a docker archive."""

    def __init__(self, path: Path, file: BinaryIO, members: Mapping[str, _Member]) -> None:
        self._path = path
        self._file = file
        self._members = members

    def __str__(self) -> str:
        return str(self._path)

    def __contains__(self, name: str) -> bool:
        return self._find(name) is not None

    @contextmanager
    def open_file(self, name: str) -> Iterator[tuple[Readable, int]]:
        """A member, and its size in bytes; links are followed. Errors: FileNotFoundError, LinkEscapes."""
        member = self._find(name)
        if member is None:
            raise FileNotFoundError(2, "it is not in the archive", name)
        yield _Part(self._file, member), member.size

    def read(self, name: str) -> bytes:
        """A small member. Errors: NoArchive when it is not there, BlobTooLarge."""
        try:
            with self.open_file(name) as (stream, size):
                if size > DOCUMENT_LIMIT:
                    raise BlobTooLarge(self, name, size, DOCUMENT_LIMIT)
                return b"".join(blocks(stream))
        except FileNotFoundError:
            raise NoArchive(self._path, f"it has no file {name}") from None

    def _find(self, name: str) -> _Member | None:
        for _ in range(_HOPS):
            member = self._members.get(posixpath.normpath(name))
            if member is None or member.link is None:
                return member
            name = member.link
        raise LinkEscapes(str(self._path), name, "itself")


class _Part:
    """The bytes of one member. Every reading says where, so that several can be open."""

    def __init__(self, file: BinaryIO, member: _Member) -> None:
        self._file = file
        self._at = member.offset
        self._end = member.offset + member.size

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes, none at the end."""
        self._file.seek(self._at)
        data = self._file.read(min(size, self._end - self._at))
        self._at += len(data)
        return data


@contextmanager
def open_tar(path: Path, scratch: Path, limits: Limits) -> Iterator[TarFiles]:
    """Open an archive and find its members; a compressed one is unpacked into a nameless file in `scratch` first.

    Errors: NoArchive, CannotWrite, ArchiveError and its kind (hostile names, limits, truncation).
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise NoArchive(path, error.strerror or str(error)) from None
    with file, TemporaryFile(dir=scratch) as spool:
        plain = cast(BinaryIO, file)
        if packing := packing_of(file.peek(MAGIC_SIZE)):
            plain = cast(BinaryIO, spool)
            _spool(path, unpacked(file, packing, Meter(path.name, limits)), plain)
        start = plain.read(RECORD)
        if not looks_like_tar(start):
            raise NoArchive(path, "it is no tar")
        plain.seek(0)
        yield TarFiles(path, plain, dict(_members(path, plain, limits)))


def _spool(path: Path, stream: Readable, spool: BinaryIO) -> None:
    for data in blocks(stream):
        try:
            write_all(spool, data)
        except OSError as error:
            raise CannotWrite(f"{path.name}, unpacked,", error) from error
    spool.seek(0)


def _members(path: Path, file: BinaryIO, limits: Limits) -> Iterator[tuple[str, _Member]]:
    seen: set[str] = set()
    for entry, _ in layer_entries(file, name=path.name, limits=limits):
        if entry.kind is EntryKind.DIRECTORY:
            continue
        if entry.path in seen:
            raise DuplicateEntry(path.name, entry.path)
        seen.add(entry.path)
        # The header was read, the content was not.
        if (member := _member(path, entry, file.tell())) is not None:
            yield entry.path, member


def _member(path: Path, entry: LayerEntry, offset: int) -> _Member | None:
    match entry.kind:
        case EntryKind.FILE:
            return _Member(offset=offset, size=entry.size)
        case EntryKind.HARDLINK:
            return _Member(link=entry.target)
        case EntryKind.SYMLINK:
            target = posixpath.normpath(posixpath.join(posixpath.dirname(entry.path), entry.target))
            if target.startswith(("/", "../")):
                raise LinkEscapes(path.name, entry.path, entry.target)
            return _Member(link=target)
        case _:
            return None
