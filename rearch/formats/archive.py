"""Unpacks tar (plain, gz, xz, bz2, zst) and zip from anybody, safely, in constant memory.

What an archive is, its first bytes say, never its name. See archive_target.py for why nothing is
written outside the target, archive_tar.py and archive_zip.py for what is refused while reading.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING

from msgspec import Struct

from rearch.formats import archive_stream as streams
from rearch.formats.archive_entry import Entry
from rearch.formats.archive_errors import CannotWrite, StripLeavesNothing, TargetNotEmpty, UnknownFormat
from rearch.formats.archive_stream import Decoder, Inflated, Meter, Packed, Plain
from rearch.formats.archive_tar import RECORD, read_tar
from rearch.formats.archive_target import Target
from rearch.formats.hashing import BLOCK, Readable

if TYPE_CHECKING:
    from rearch.model.limits import Limits

_COMPRESSED: tuple[tuple[bytes, Callable[[], Decoder]], ...] = (
    (b"\x1f\x8b\x08", streams.gzip_decoder),
    (b"\xfd7zXZ\0", streams.xz_decoder),
    (b"BZh", streams.bzip2_decoder),
)
_ZSTD = b"\x28\xb5\x2f\xfd"
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")


class Extracted(Struct, frozen=True, kw_only=True):
    """What was done: entries read, those written (fewer by what `strip` drops), plain bytes read from the archive."""

    entries: int
    written: int
    unpacked: int


def extract(
    source: Path | Readable,
    into: Path,
    *,
    limits: Limits,
    name: str = "",
    strip: int = 0,
    mtime: int | None = None,
    keep_modes: bool = False,
    rooted: bool = False,
    merge: bool = False,
) -> Extracted:
    """Unpack an archive into a folder that is empty or not there yet (`merge`: or that holds other things).

    `source` is a file's path or anything with `read`; `name` is what messages call it (the path's name when left
    out). `strip` leading components of every name are dropped, and what has no more than these is left out.
    Modes become 0755 (folders, and files with any x bit) and 0644, or with `keep_modes` those of the archive
    without setuid, setgid and sticky; owners are never kept. `mtime` (seconds since 1970) replaces all times.
    `rooted` is for root file systems such as Debian packages: see Target.
    Errors: ArchiveError and its kind for the archive, CannotWrite, TargetNotEmpty, StripLeavesNothing. After an
    error the target holds a part of the archive and is to be thrown away.
    """
    label = name or (source.name if isinstance(source, Path) else "archive")
    _prepare(into, label, merge=merge)
    meter = Meter(label, limits)
    target = Target(into, label, strip=strip, mtime=mtime, keep_modes=keep_modes, rooted=rooted)
    example = ""
    with target, _opened(source) as stream:
        for entry in _entries(stream, meter, into):
            target.add(entry)
            example = example or entry.name
        target.finish()
    if not target.written and strip:
        raise StripLeavesNothing(label, strip, example)
    return Extracted(entries=meter.entries, written=target.written, unpacked=meter.unpacked)


def tar_entries(source: Readable, name: str, limits: Limits) -> Iterator[Entry]:
    """The entries of a tar (plain, gz, xz, bz2, zst) as they stand there, for who writes them down by himself.

    Nothing is checked but the format and the limits: names have to go through `parts_of` or Target. `name` is what
    messages call the archive. Errors: ArchiveError and its kind.
    """
    meter = Meter(name, limits)
    with plain_tar(source, meter) as stream:
        yield from read_tar(stream, meter)


def plain_tar(source: Readable, meter: Meter) -> io.BufferedReader:
    """The tar inside, for `read_tar`. Errors: UnknownFormat; while it is read, ArchiveError and its kind."""
    return _plain(source, _read_exactly(source, RECORD), meter)


def _prepare(into: Path, label: str, *, merge: bool) -> None:
    try:
        if not into.exists():
            into.mkdir(parents=True)
            into.chmod(0o755)  # whatever the umask took away
        elif not merge and any(into.iterdir()):
            raise TargetNotEmpty(label, str(into))
    except OSError as error:
        raise CannotWrite(str(into), error) from error


@contextlib.contextmanager
def _opened(source: Path | Readable) -> Iterator[Readable]:
    if isinstance(source, Path):
        with source.open("rb") as file:
            yield file
    else:
        yield source


def _entries(source: Readable, meter: Meter, into: Path) -> Iterator[Entry]:
    start = _read_exactly(source, RECORD)
    if start.startswith(_ZIP):
        yield from _zip_entries(source, start, meter, into)
        return
    with _plain(source, start, meter) as stream:
        yield from read_tar(stream, meter)


def _plain(source: Readable, start: bytes, meter: Meter) -> io.BufferedReader:
    packed = Packed(source, meter, start)
    for magic, make in _COMPRESSED:
        if start.startswith(magic):
            return io.BufferedReader(Inflated(packed, make, meter), streams.OUT)
    if start.startswith(_ZSTD):
        from rearch.formats.archive_zstd import InflatedZstd

        return io.BufferedReader(InflatedZstd(packed, meter), streams.OUT)
    if not looks_like_tar(start):
        raise UnknownFormat(meter.archive, start)
    return io.BufferedReader(Plain(packed, meter), streams.OUT)


def looks_like_tar(start: bytes) -> bool:
    """Whether a tar begins with this record (zeros alone are an empty one).

    ustar and GNU have a magic; older archives have none, so the header's checksum decides.
    """
    return start[257:262] == b"ustar" or _old_tar(start)


def _old_tar(start: bytes) -> bool:
    if len(start) < RECORD or start.count(0) == RECORD:
        return len(start) == RECORD
    stated = start[148:156].strip(b" \0")
    return stated.isdigit() and not stated.strip(b"01234567") and int(stated, 8) == sum(start[:148] + start[156:]) + 256


def _read_exactly(source: Readable, size: int) -> bytes:
    data = b""
    while len(data) < size and (more := source.read(size - len(data))):
        data += more
    return data


def _zip_entries(source: Readable, start: bytes, meter: Meter, into: Path) -> Iterator[Entry]:
    """A zip's table of contents stands at its end: a stream is written down first, beside the target."""
    import tempfile

    from rearch.formats.archive_zip import read_zip

    if isinstance(source, io.BufferedReader | io.BytesIO) and source.seekable():
        yield from read_zip(source, meter)
        return
    with tempfile.TemporaryFile(dir=into.parent) as file:
        _spool(source, start, file, meter)
        yield from read_zip(file, meter)


def _spool(source: Readable, start: bytes, file: IO[bytes], meter: Meter) -> None:
    size, data = 0, start
    while data:
        size += len(data)
        meter.spool(size)
        try:
            file.write(data)
        except OSError as error:
            raise CannotWrite(meter.archive, error) from error
        data = source.read(BLOCK)
