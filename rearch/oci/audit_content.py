"""Looks at the content of one file: is it an ELF file, a program of another system, an archive that holds any?

What a file is, its first bytes say, never its name or mode. Archives are looked into as streams, in one another
up to a depth and for a number of bytes; what cannot be looked into is reported, not passed over.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Iterator
from typing import IO, TYPE_CHECKING, Literal, NoReturn, cast

from msgspec import Struct
from msgspec.structs import replace

from rearch.formats import archive_stream as streams
from rearch.formats.archive import looks_like_tar
from rearch.formats.archive_errors import ArchiveError, CorruptArchive, LimitExceeded
from rearch.formats.archive_stream import Decoder, Inflated, Meter, Packed, Plain
from rearch.formats.archive_tar import RECORD, checked_header, read_tar
from rearch.formats.elf import BrokenElf, read_elf_stream
from rearch.formats.elf_dynamic import Dynamic
from rearch.formats.elf_facts import ElfFacts
from rearch.formats.elf_image import ELF_MAGIC, ElfImage
from rearch.formats.hashing import BLOCK, Readable
from rearch.model.limits import Limits
from rearch.oci import audit_ar
from rearch.oci.audit_foreign import foreign_program, unread_archive
from rearch.oci.audit_seen import ElfSeen, OtherSeen, Place, known_name
from rearch.oci.entry import LayerEntry

if TYPE_CHECKING:
    from collections.abc import Iterable

HEAD = 4096
# Archive in archive in archive; a .tar.gz is two. Each may cost a decompressor's window of memory.
DEPTH = 8
IN_MEMORY = 1 << 20
# The most that one file of a layer may unpack to, and how often its own size: a man page of blanks is no attack.
NESTED = Limits(archive_bytes=8 << 30, archive_entries=1_000_000, archive_ratio=1000)

_COMPRESSED: tuple[tuple[bytes, Callable[[], Decoder]], ...] = (
    (b"\x1f\x8b\x08", streams.gzip_decoder),
    (b"\xfd7zXZ\0", streams.xz_decoder),
    *((b"BZh%d1AY&SY" % level, streams.bzip2_decoder) for level in range(1, 10)),
)
_ZSTD = b"\x28\xb5\x2f\xfd"
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")

Seen = ElfSeen | OtherSeen


class SomethingBehind(CorruptArchive):
    """Behind the end mark of a tar stands what is no other tar."""

    def __init__(self, archive: str) -> None:
        super().__init__(archive, None, "something stands behind the end of the tar")


class _Outer:
    """The content of a file of the layer. Where this fails the layer is at fault, and no archive inside it."""

    def __init__(self, source: Readable) -> None:
        self._source = source
        self.failed = False

    def read(self, size: int, /) -> bytes:
        self.failed = True
        data = self._source.read(size)
        self.failed = False
        return data


class Started:
    """A stream of which the beginning was read already; gives all that it is asked for, but at its end."""

    def __init__(self, start: bytes, source: Readable) -> None:
        self._start = start
        self._source = source

    def read(self, size: int, /) -> bytes:
        data, self._start = self._start[:size], self._start[size:]
        if len(data) == size:
            return data
        pieces = [data]
        missing = size - len(data)
        while missing and (more := self._source.read(missing)):
            pieces.append(more)
            missing -= len(more)
        return b"".join(pieces)


class _Look(Struct, frozen=True):
    """Where we are: the entry's number in the layer, the place, how deep, and what all of this has cost so far."""

    number: int
    place: Place
    mode: int
    size: int
    outer: _Outer
    meter: Meter
    depth: int = 0

    def member(self, name: str, size: int) -> _Look:
        inside = (*self.place.inside, known_name(name).removeprefix("./"))
        return replace(self, place=replace(self.place, inside=inside), size=size, depth=self.depth + 1)

    def unread(self, what: str, kind: Literal["unread", "limit", "behind"] = "unread") -> OtherSeen:
        return OtherSeen(number=self.number, place=self.place, kind=kind, what=what)


def holds_nothing(start: bytes) -> bool:
    """Whether what begins like this is neither a program nor an archive."""
    return not start.startswith(ELF_MAGIC) and not foreign_program(start) and _opener(start) is None


def look_at(start: bytes, rest: Readable, number: int, entry: LayerEntry) -> Iterator[Seen]:
    """What a file of a layer is and holds that an audit has to know of; nothing for the usual text or picture.

    `start` is what was read of it already (HEAD bytes, or all of it); `number` says which entry of the layer it is.
    Errors: those of `rest`, as it raises them.
    """
    place = Place(path=known_name(entry.path))
    look = _Look(number, place, entry.mode, entry.size, _Outer(rest), Meter(str(place), NESTED))
    yield from _look(start, look.outer, look)


def _look(start: bytes, rest: Readable, look: _Look) -> Iterator[Seen]:
    if start.startswith(ELF_MAGIC):
        yield _elf(Started(start, rest), look)
        return
    opened = _opener(start)
    if opened is not None:
        yield from _into(opened, Started(start, rest), look)
        return
    words = foreign_program(start)
    if words is not None:
        yield OtherSeen(number=look.number, place=look.place, kind="foreign", what=words)
    closed = unread_archive(start)
    if closed is not None:
        yield look.unread(f"{closed}, which is not looked into")


_Opener = Callable[[Readable, _Look], "Iterator[Seen]"]


def _opener(start: bytes) -> _Opener | None:
    """How to look into what begins like this; None where it is no archive."""
    for magic, make in _COMPRESSED:
        if start.startswith(magic):
            return lambda source, look: _inflated(source, make, look)
    if start.startswith(_ZSTD):
        return _zstd
    if start.startswith(_ZIP):
        return _zip
    if start.startswith(audit_ar.MAGIC):
        return _ar
    # A file of zeros is not worth the name of an empty archive.
    return _tar if start[:1] != b"\0" and looks_like_tar(start[:RECORD]) else None


def _into(opener: _Opener, source: Readable, look: _Look) -> Iterator[Seen]:
    if look.depth >= DEPTH:
        yield look.unread(f"an archive in {look.depth} others: deeper is not looked", "limit")
        return
    try:
        yield from opener(source, look)
    except ArchiveError as error:
        if look.outer.failed:
            raise
        why = f"an archive that cannot be read to its end: {error.why}"
        yield look.unread(why, _kind_of(error))


def _kind_of(error: ArchiveError) -> Literal["unread", "limit", "behind"]:
    match error:
        case LimitExceeded():
            return "limit"
        case SomethingBehind():
            return "behind"
    return "unread"


def _inflated(source: Readable, make: Callable[[], Decoder], look: _Look) -> Iterator[Seen]:
    yield from _plain(Inflated(Packed(source, look.meter), make, look.meter), look)


def _zstd(source: Readable, look: _Look) -> Iterator[Seen]:
    from rearch.formats.archive_zstd import InflatedZstd

    yield from _plain(InflatedZstd(Packed(source, look.meter), look.meter), look)


def _plain(raw: io.RawIOBase, look: _Look) -> Iterator[Seen]:
    """What was compressed as a whole has no name of its own. No more of it is unpacked than is wanted."""
    stream = io.BufferedReader(raw, streams.OUT)
    yield from _look(stream.read(HEAD), stream, replace(look, depth=look.depth + 1))


def _tar(source: Readable, look: _Look) -> Iterator[Seen]:
    # Not the look's meter: a tar gives no more than it takes, and that would hide what a decompressor makes of little.
    meter = Meter(look.meter.archive, NESTED)
    stream = io.BufferedReader(Plain(Packed(source, meter), meter), streams.OUT)
    for entry in read_tar(stream, meter, skip_special=True, behind=lambda rest: _next_tar(rest, meter.archive)):
        if entry.size:
            yield from _member(entry.name, entry.size, entry.content, look)


def _next_tar(stream: io.BufferedIOBase, archive: str) -> bytes | None:
    """The first header of a tar behind the end of another: `tar --ignore-zeros` unpacks both, `tar` the first alone."""
    while record := stream.read(RECORD):
        if record.count(0) == len(record):
            continue
        try:
            return checked_header(record, archive) if len(record) == RECORD else _behind(archive)
        except CorruptArchive:
            _behind(archive)
    return None


def _behind(archive: str) -> NoReturn:
    raise SomethingBehind(archive) from None


def _zip(source: Readable, look: _Look) -> Iterator[Seen]:
    """A zip's table of contents stands at its end."""
    from rearch.formats.archive_zip import read_zip

    with _spooled(source) as file:
        for entry in read_zip(file, look.meter):
            if entry.size:
                yield from _member(entry.name, entry.size, entry.content, look)


def _ar(source: Readable, look: _Look) -> Iterator[Seen]:
    for member in audit_ar.read_ar(source, look.meter):
        yield from _member(member.name, member.size, member.content, look)


def _member(name: str, size: int, content: Readable, look: _Look) -> Iterator[Seen]:
    yield from _look(Started(b"", content).read(HEAD), content, look.member(name, size))


def _spooled(source: Readable) -> IO[bytes]:
    """The rest of a stream as a file that can be read at any place: in memory while it is small.

    How much that may be is watched where the bytes come from: the layer's own stream, or the archive's.
    """
    # Closed by who uses it, or with the last reference: a temporary file has no name.
    file = tempfile.SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115
    while data := source.read(BLOCK):
        file.write(data)
    file.seek(0)
    return cast("IO[bytes]", file)


def _elf(source: Readable, look: _Look) -> ElfSeen:
    with _spooled(source) as file:
        size = file.seek(0, io.SEEK_END)
        seen = ElfSeen(
            number=look.number,
            place=look.place,
            mode=look.mode,
            size=size,
            packed=look.depth > 0,
            machine=_machine(file),
        )
        stream = cast("io.BufferedReader", file)
        try:
            facts = read_elf_stream(stream, str(look.place))
            rpath, runpath = _search_paths(stream, facts) if facts is not None else ((), ())
        except BrokenElf as error:
            return replace(seen, broken=error.reason)
        return replace(seen, facts=_without_modules(facts), rpath=rpath, runpath=runpath)


def _machine(file: IO[bytes]) -> int | None:
    """e_machine, also of a file that ends soon after it (gABI, "ELF Header")."""
    file.seek(0)
    head = file.read(20)
    if len(head) < 20 or head[5] not in (1, 2):
        return None
    return int.from_bytes(head[18:20], "little" if head[5] == 1 else "big")


def _without_modules(facts: ElfFacts | None) -> ElfFacts | None:
    """A Go program's list of modules is long, and nothing to an audit."""
    if facts is None or facts.go is None:
        return facts
    return replace(facts, go=replace(facts.go, main=None, deps=()))


def _search_paths(stream: io.BufferedReader, facts: ElfFacts) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if not facts.needed:
        return (), ()
    dynamic = Dynamic(ElfImage(stream, "audit"))
    return _folders(dynamic.texts("DT_RPATH")), _folders(dynamic.texts("DT_RUNPATH"))


def _folders(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(folder for text in texts for folder in text.split(":"))
