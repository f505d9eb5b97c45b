"""What a volume has to hold, and what was found in it, as values."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from rearch.formats.elf_facts import ElfFacts
from rearch.model.platform import Platform


class File(Struct, frozen=True, kw_only=True):
    """A file that the volume has to hold at `path` (relative, parts split by /). `source` is where its bytes lie on
    this machine, `sha256` and `size` what they have to be. A `program` must be an ELF file of the platform; any other
    may be one, and then of the platform too."""

    path: str
    mode: int
    uid: int
    gid: int
    source: Path
    size: int
    sha256: str
    platform: Platform
    program: bool


class Folder(Struct, frozen=True, kw_only=True):
    """A folder. One that is `implied`, on the way to something else, is made where it is missing and else kept as it
    is."""

    path: str
    mode: int = 0o755
    uid: int = 0
    gid: int = 0
    implied: bool = False


class Link(Struct, frozen=True, kw_only=True):
    """A symbolic link; `target` as it stands in the link."""

    path: str
    target: str


Thing = File | Folder | Link


class Content(Struct, frozen=True, kw_only=True):
    """All that one volume has to hold: folders first, each behind the one that it is in. `mtime` of files, in seconds
    since 1970."""

    volume: str
    platform: Platform
    things: tuple[Thing, ...]
    mtime: int = 0


class FoundFile(Struct, frozen=True, kw_only=True):
    """`sha256` is empty for a file that is too large to be one of ours (it was not read); `elf` None: no ELF file, or a
    damaged one."""

    mode: int
    uid: int
    gid: int
    size: int
    sha256: str
    elf: ElfFacts | None = None


class FoundFolder(Struct, frozen=True, kw_only=True):
    mode: int
    uid: int
    gid: int


class FoundLink(Struct, frozen=True, kw_only=True):
    target: str


class FoundOther(Struct, frozen=True, kw_only=True):
    """A device, a pipe, a socket: `kind` in a word."""

    kind: str


Found = FoundFile | FoundFolder | FoundLink | FoundOther


def parents(path: str) -> Iterator[str]:
    """The folders on the way to a path, the outermost first."""
    parts = path.split("/")
    yield from ("/".join(parts[:count]) for count in range(1, len(parts)))
