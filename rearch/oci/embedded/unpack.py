"""ADD of a local tar archive: it is unpacked (Dockerfile reference, "ADD", "Adding local tar archives").

What an archive is, its bytes say, never its name: a .gz that holds no tar is copied as it is. Owners and modes are the
archive's own; --chown concerns the folder alone that it is unpacked into, as with BuildKit.
"""

from __future__ import annotations

import contextlib
import io
import posixpath
from collections.abc import Iterator
from pathlib import Path

from msgspec.structs import replace

from rearch.formats import archive_stream as streams
from rearch.formats.archive_errors import ArchiveError, TruncatedArchive
from rearch.formats.archive_stream import Inflated, Meter, Packed, Plain
from rearch.model.limits import Limits
from rearch.oci.dockerfile.errors import Trouble
from rearch.oci.embedded.changes import Changes
from rearch.oci.embedded.contents import Contents
from rearch.oci.embedded.tree import Node, join
from rearch.oci.entry import EntryKind, LayerEntry
from rearch.oci.read_layer import layer_entries

_RECORD = 512
_COMPRESSED = (
    (b"\x1f\x8b\x08", streams.gzip_decoder),
    (b"\xfd7zXZ\0", streams.xz_decoder),
    (b"BZh", streams.bzip2_decoder),
)
_ZSTD = b"\x28\xb5\x2f\xfd"


def is_archive(path: Path, name: str) -> bool:
    """Whether a file is a tar, plain or compressed with gzip, bzip2, xz or zstd. `name`: see `unpack`.

    A compressed stream that is cut off before the first header ends was meant as something else than what is there,
    and nobody can say any more whether it was a tar. Errors: TruncatedArchive for that; OSError.
    """
    try:
        with _plain(path, name) as stream:
            return _is_header(stream.read(_RECORD))
    except TruncatedArchive:
        raise
    except ArchiveError:  # damaged from the start: no archive
        return False


def _is_header(record: bytes) -> bool:
    """Whether these are a tar header: its checksum is right (POSIX, pax, "ustar Interchange Format")."""
    if len(record) < _RECORD:
        return False
    digits = record[148:156].strip(b" \0")
    if not digits or digits.strip(b"01234567"):
        return False
    return int(digits, 8) == sum(record[:148]) + sum(record[156:]) + 8 * ord(" ")


@contextlib.contextmanager
def _plain(path: Path, name: str) -> Iterator[io.BufferedReader]:
    with path.open("rb", buffering=0) as file:
        start = file.read(_RECORD)
        meter = Meter(name, Limits())
        packed = Packed(file, meter, start)
        yield io.BufferedReader(_decoded(start, packed, meter), streams.OUT)


def _decoded(start: bytes, packed: Packed, meter: Meter) -> io.RawIOBase:
    for magic, make in _COMPRESSED:
        if start.startswith(magic):
            return Inflated(packed, make, meter)
    if start.startswith(_ZSTD):
        from rearch.formats.archive_zstd import InflatedZstd

        return InflatedZstd(packed, meter)
    return Plain(packed, meter)


def unpack(path: Path, name: str, folder: str, changes: Changes, contents: Contents) -> None:
    """Unpack into a folder (a real one, or not there yet) of the tree. `name` is what messages call the archive.

    What is there already is replaced, but for folders. Errors: ArchiveError and its kind, Trouble.
    """
    if folder:
        changes.folders(folder)
    files: dict[str, Node] = {}
    with _plain(path, name) as stream:
        for number, (entry, content) in enumerate(layer_entries(stream, name=name, limits=Limits())):
            place = _place(entry.path, folder, changes)
            if entry.kind is EntryKind.HARDLINK:
                node = _linked(entry, folder, changes, files)
            elif entry.kind is EntryKind.FILE and content is not None:
                kept, size = contents.keep(content)
                whole = replace(entry, content=kept.path, digest=kept.digest, size=size)
                node = Node(entry=whole, same=(name, number))
            else:
                node = Node(entry=entry)
            files[place] = node
            changes.lay(place, node)


def _place(path: str, folder: str, changes: Changes) -> str:
    """Where an entry goes: folders above it are followed through links, and made; never out of the target."""
    above, name = posixpath.split(path)
    place = changes.tree.place(join(folder, above)) or ""
    if folder and place != folder and not place.startswith(f"{folder}/"):
        raise Trouble(f"{path} of the archive would be written to /{place}, through a link out of /{folder}")
    if place:
        own = replace(changes, owner=None)
        own.folders(place)
    return join(place, name)


def _linked(entry: LayerEntry, folder: str, changes: Changes, files: dict[str, Node]) -> Node:
    above, name = posixpath.split(entry.target)
    target = files.get(join(changes.tree.place(join(folder, above)) or "", name))
    if target is None or target.entry.kind is not EntryKind.FILE:
        raise Trouble(f"{entry.path} of the archive is a hard link to {entry.target}, no file that came before")
    return target
