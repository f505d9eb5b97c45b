"""An entry of a layer, as a value."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

from msgspec import Struct, field

from rearch.model.frozen import FrozenDict


class EntryKind(StrEnum):
    """What tar knows (POSIX pax, typeflag)."""

    FILE = "file"
    DIRECTORY = "directory"
    SYMLINK = "symlink"
    HARDLINK = "hardlink"
    CHARACTER = "character device"
    BLOCK = "block device"
    FIFO = "fifo"


class LayerEntry(Struct, frozen=True, kw_only=True):
    """One entry of a layer.

    `path` is relative, without a leading or final slash, `.` or `..`; surrogates stand for bytes that are not UTF-8.
    `mode` holds the permission bits with setuid, setgid and sticky; `mtime` seconds since 1970; `size` bytes of a
    file. `target` is the text of a symbolic link, or the path of a hard link's other name. `content` is where a file's
    bytes are, and `digest` their sha256 (hexadecimal) where that is known: then they need not be read to
    find out whether the layer was made before. `device` is major and minor number.
    """

    path: str
    kind: EntryKind
    mode: int
    uid: int = 0
    gid: int = 0
    mtime: int = 0
    size: int = 0
    target: str = ""
    content: Path | None = None
    digest: str | None = None
    xattrs: Mapping[str, bytes] = field(default_factory=FrozenDict)
    device: tuple[int, int] = (0, 0)
