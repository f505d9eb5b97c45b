"""A file tree on disk -> entries of a layer."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from msgspec import Struct

from rearch.errors import StepError
from rearch.formats.archive_links import resolve
from rearch.formats.tree import Kind, TreeEntry, link_text, walk
from rearch.oci.entry import EntryKind, LayerEntry


class Owned(Struct, frozen=True):
    """Owner and mode of something, as RootFsBuilder tells them: `uid:gid:mode`."""

    uid: int
    gid: int
    mode: int

    @classmethod
    def parse(cls, text: str) -> Owned:
        uid, gid, mode = text.split(":")
        return cls(int(uid), int(gid), int(mode, 8))


class LeavesTree(StepError):
    """A path that goes through links which lead out of the tree, or in circles."""

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(
            f"{path} leads nowhere inside the image", hint="a link of a package is on its way: name its end"
        )


def inside(root: Path, path: str) -> str:
    """Where a path of the image really is, all links followed as in the image; relative to `root`, empty for it.

    Errors: LeavesTree.
    """
    parts = tuple(part for part in path.split("/") if part not in ("", "."))
    real = resolve(root, parts, rooted=True)
    if real is None:
        raise LeavesTree(path)
    return "/".join(real)


def file_inside(root: Path, path: str) -> Path | None:
    """The file that a path of the image leads to, never one of this host; None where there is none."""
    place = root / inside(root, path)
    try:
        return place if stat.S_ISREG(os.lstat(place).st_mode) else None
    except (FileNotFoundError, NotADirectoryError):
        return None


def tree_entries(root: Path, owners: Mapping[str, str], latest: int) -> Iterator[LayerEntry]:
    """All of a tree, folders before what they hold, names in the order of their bytes.

    `owners`: path -> `uid:gid:mode` of what is not 0:0 with the mode that it has on the disk. No time is later than
    `latest`. Of several names of one file the first is the file and the others are hard links to it.
    """
    first: dict[tuple[int, int], str] = {}
    for found in walk(root):
        owned = Owned.parse(owners[found.path]) if found.path in owners else None
        yield _entry(root, found, owned, latest, first)


def _entry(
    root: Path, found: TreeEntry, owned: Owned | None, latest: int, first: dict[tuple[int, int], str]
) -> LayerEntry:
    kind, target = _kind(root, found, first)
    is_file = kind is EntryKind.FILE
    mode = 0o777 if kind is EntryKind.SYMLINK else owned.mode if owned else stat.S_IMODE(found.stat.st_mode)
    return LayerEntry(
        path=found.path,
        kind=kind,
        mode=mode,
        uid=owned.uid if owned else 0,
        gid=owned.gid if owned else 0,
        mtime=min(int(found.stat.st_mtime), latest),
        size=found.stat.st_size if is_file else 0,
        target=target,
        content=Path(os.path.join(root, found.path)) if is_file else None,  # noqa: PTH118 - names that are not UTF-8
    )


def _kind(root: Path, found: TreeEntry, first: dict[tuple[int, int], str]) -> tuple[EntryKind, str]:
    """What it is in a layer, and a link's target."""
    match found.kind:
        case Kind.FOLDER:
            return EntryKind.DIRECTORY, ""
        case Kind.LINK:
            return EntryKind.SYMLINK, link_text(os.path.join(root, found.path))  # noqa: PTH118
        case Kind.FILE:
            if found.stat.st_nlink == 1:
                return EntryKind.FILE, ""
            name = first.setdefault((found.stat.st_dev, found.stat.st_ino), found.path)
            return (EntryKind.FILE, "") if name == found.path else (EntryKind.HARDLINK, name)
