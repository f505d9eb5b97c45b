"""The tar streams that an engine unpacks into a volume: the new files beside the old ones, and their places.

An engine has no call that renames. But it unpacks hard links, and it takes away what an entry would replace (moby,
pkg/archive/archive.go, Unpack; the API's `noOverwriteDirNonDir`, false by default). So new files go to a folder of
their own first, and come to their places as links to them: no byte is copied then, and no disk can become full.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator, Sequence
from typing import assert_never

from rearch.formats.hashing import blocks
from rearch.model.volumes import STAGING
from rearch.volumes.errors import SourceChanged
from rearch.volumes.place import staged
from rearch.volumes.things import File, Folder, Link, Thing

_END = bytes(2 * tarfile.BLOCKSIZE)
_PROBE = f"{STAGING}/link"


def stage_stream(files: Sequence[File], mtime: int) -> Iterator[bytes]:
    """The files under their staged names, and a hard link to the first: a file system that knows none says so here,
    where nothing is lost yet. Errors: SourceChanged."""
    yield _header(Folder(path=STAGING, mode=0o700), STAGING, mtime)
    for number, file in enumerate(files):
        yield _header(file, staged(number), mtime)
        yield from _content(file)
    if files:
        yield _hard_link(files[0], _PROBE, staged(0), mtime)
    yield _END


def swap_stream(things: Sequence[Thing], mtime: int) -> Iterator[bytes]:
    """Folders, links, and hard links to the staged files, which are numbered in this order."""
    number = 0
    for thing in things:
        if isinstance(thing, File):
            yield _hard_link(thing, thing.path, staged(number), mtime)
            number += 1
        else:
            yield _header(thing, thing.path, mtime)
    yield _END


def tidy_stream() -> Iterator[bytes]:
    """An empty file replaces the staging folder, as the API says; then a link to nothing replaces that file, which no
    engine can make: the place stays empty, and the engine answers with an error."""
    entry = tarfile.TarInfo(STAGING)
    yield entry.tobuf(tarfile.PAX_FORMAT)
    entry.type, entry.linkname = tarfile.LNKTYPE, f"{STAGING}-none"
    yield entry.tobuf(tarfile.PAX_FORMAT)
    yield _END


def _header(thing: Thing, path: str, mtime: int) -> bytes:
    entry = tarfile.TarInfo(path)
    entry.mtime = mtime
    match thing:
        case File():
            entry.size, entry.mode, entry.uid, entry.gid = thing.size, thing.mode, thing.uid, thing.gid
        case Folder():
            entry.type = tarfile.DIRTYPE
            entry.mode, entry.uid, entry.gid = thing.mode, thing.uid, thing.gid
        case Link():
            entry.type, entry.linkname, entry.mode = tarfile.SYMTYPE, thing.target, 0o777
        case _:
            assert_never(thing)
    return entry.tobuf(tarfile.PAX_FORMAT)


def _hard_link(file: File, path: str, target: str, mtime: int) -> bytes:
    """With the file's mode, owner and time: an engine sets them on the link, which is the file."""
    entry = tarfile.TarInfo(path)
    entry.type, entry.linkname, entry.mtime = tarfile.LNKTYPE, target, mtime
    entry.mode, entry.uid, entry.gid = file.mode, file.uid, file.gid
    return entry.tobuf(tarfile.PAX_FORMAT)


def _content(file: File) -> Iterator[bytes]:
    """Exactly as many bytes as the header says, and zeros up to the next block."""
    left = file.size
    with file.source.open("rb") as stream:
        for data in blocks(stream):
            left -= len(data)
            if left < 0:
                raise SourceChanged(file)
            yield data
    if left:
        raise SourceChanged(file)
    yield bytes(-file.size % tarfile.BLOCKSIZE)
