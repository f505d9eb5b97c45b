"""Entries of an archive as values, and what a name must be like."""

from __future__ import annotations

from enum import Enum

from msgspec import Struct

from rearch.formats.archive_errors import BadName
from rearch.formats.hashing import Readable

# A component longer than this fits no file system; the others keep paths short enough for every tool that
# comes after us (PATH_MAX is 4096, and the target's own path comes before).
MAX_COMPONENT = 255
MAX_PATH = 2048
MAX_DEPTH = 128
MAX_TARGET = 4095

Parts = tuple[str, ...]


class EntryKind(Enum):
    """The value is the word for messages."""

    FILE = "file"
    FOLDER = "folder"
    LINK = "symbolic link"
    HARD_LINK = "hard link"


class Entry(Struct, frozen=True, kw_only=True):
    """One entry as the archive has it, unchecked. `name` and `target` as `os.fsdecode` makes them.

    `mode` holds permission bits, `mtime` seconds since 1970. `content` has exactly `size` bytes and must be
    read before the next entry is asked for; it is empty but for files. `uid` and `gid` are numbers of a tar header;
    None where the archive says none (zip), or what is no number: whoever wants them has to complain.
    """

    name: str
    kind: EntryKind
    mode: int
    mtime: int
    size: int = 0
    target: str = ""
    content: Readable
    uid: int | None = None
    gid: int | None = None


class Nothing:
    """The content of an entry that has none."""

    def read(self, _size: int = -1, /) -> bytes:
        return b""


NOTHING = Nothing()


def parts_of(archive: str, name: str) -> Parts:
    """The components of an entry's name: `./a//b/` is `("a", "b")`, the top folder is `()`. Errors: BadName."""
    if name.startswith("/"):
        raise BadName(archive, name, "is absolute")
    _plain(archive, name)
    parts = tuple(part for part in name.split("/") if part not in ("", "."))
    if ".." in parts:
        raise BadName(archive, name, "has '..' in its name")
    if len(parts) > MAX_DEPTH:
        raise BadName(archive, name, f"is {len(parts)} folders deep; {MAX_DEPTH} is the limit")
    if any(len(part) > MAX_COMPONENT // 4 and len(_bytes(part)) > MAX_COMPONENT for part in parts):
        raise BadName(archive, name, f"has a part of more than {MAX_COMPONENT} bytes in its name")
    if len(name) > MAX_PATH // 4 and len(_bytes("/".join(parts))) > MAX_PATH:
        raise BadName(archive, name, f"has a name of more than {MAX_PATH} bytes")
    return parts


def check_target(archive: str, name: str, target: str) -> None:
    """Whether a symbolic link's target is a text that a link can have. Errors: BadName."""
    if not target or len(_bytes(target)) > MAX_TARGET:
        raise BadName(archive, name, f"is a link with a target of {len(_bytes(target))} bytes")
    if _has_control(target):
        raise BadName(archive, name, "is a link with control characters in its target")


def _plain(archive: str, name: str) -> None:
    if _has_control(name):
        raise BadName(archive, name, "has control characters in its name")


def _has_control(text: str) -> bool:
    return not text.isprintable() and any(char < " " or char == "\x7f" for char in text)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
