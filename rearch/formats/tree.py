"""Folders as values: walked in one order, hashed, cloned, removed.

Names are the bytes that the file system has; `os.fsdecode` carries those that are not UTF-8, and every order is
the order of the bytes, so that no locale and no file system changes a digest.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from enum import Enum
from pathlib import Path
from typing import Literal, assert_never

from msgspec import Struct

from rearch.errors import HostileInputError, StepError
from rearch.formats.hashing import BLOCK

_ATTEMPTS = 3

# Given the path relative to the root, with `/`: whether it (and all below it) is left out.
Ignore = Callable[[str], bool]


class Kind(Enum):
    """The value is the byte that stands for it in a tree digest."""

    FILE = b"F"
    FOLDER = b"D"
    LINK = b"L"


class SpecialFile(HostileInputError):
    """A device, fifo or socket in a tree of sources or results."""

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(f"{path} is neither a file, a folder nor a link", hint="remove it from the tree")


class TreeChanged(StepError):
    """Something wrote into a tree while it was read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(f"{path} changed while it was read", hint="run again when nothing writes there")


class TreeConflict(StepError):
    """A clone would replace something that is already there."""

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(f"{path} is already there", ("two trees that are laid over each other both hold it",))


class TreeEntry(Struct, frozen=True, kw_only=True):
    """One thing in a tree. `path` is relative to the root, with `/`; `stat` is its own, never a link target's."""

    path: str
    kind: Kind
    stat: os.stat_result

    @property
    def executable(self) -> bool:
        """Whether it is a file with the owner's x bit."""
        return self.kind is Kind.FILE and bool(self.stat.st_mode & stat.S_IXUSR)


def walk(root: Path, ignore: Ignore | None = None) -> Iterator[TreeEntry]:
    """Everything below `root` (itself left out), a folder before what it holds, names in the order of their bytes.

    Links are not followed. Errors: SpecialFile; TreeChanged when a folder gained or lost a name during the walk.
    """
    yield from _walk(os.fspath(root), "", ignore)


def _walk(folder: str, prefix: str, ignore: Ignore | None) -> Iterator[TreeEntry]:
    before = os.stat(folder, follow_symlinks=False)  # noqa: PTH116 - text paths: this runs for every file
    with os.scandir(folder) as scan:
        names = sorted((item.name for item in scan), key=os.fsencode)
    for name in names:
        path = prefix + name
        if ignore is not None and ignore(path):
            continue
        entry = _entry(f"{folder}/{name}", path)
        yield entry
        if entry.kind is Kind.FOLDER:
            yield from _walk(f"{folder}/{name}", f"{path}/", ignore)
    after = os.stat(folder, follow_symlinks=False)  # noqa: PTH116
    if after.st_mtime_ns != before.st_mtime_ns:
        raise TreeChanged(Path(folder))


def _entry(full: str, path: str) -> TreeEntry:
    try:
        found = os.lstat(full)
    except FileNotFoundError:
        raise TreeChanged(Path(full)) from None
    if stat.S_ISREG(found.st_mode):
        return TreeEntry(path=path, kind=Kind.FILE, stat=found)
    if stat.S_ISDIR(found.st_mode):
        return TreeEntry(path=path, kind=Kind.FOLDER, stat=found)
    if stat.S_ISLNK(found.st_mode):
        return TreeEntry(path=path, kind=Kind.LINK, stat=found)
    raise SpecialFile(Path(full))


def link_text(link: Path | str) -> str:
    """The target of a link, letter by letter (`Path.readlink` would make `a` of `./a`). Errors: OSError."""
    return os.readlink(link)  # noqa: PTH115


def tree_digest(root: Path, *, ignore: Ignore | None = None) -> str:
    """One sha256 (hexadecimal) for all that a build can see in a tree.

    Hashed are, for each entry in the order of `walk`, fields ended by a zero byte, which no path can hold:
    `F`, `x` or `-`, path, sha256 of the content | `D`, path | `L`, path, target. Times, owners and the other
    mode bits do not enter: they differ between checkouts of the same thing.
    Errors: as `walk`; TreeChanged when a file's size or time differs before and after it was read.
    """
    digest = hashlib.sha256()
    for entry in walk(root, ignore):
        for value in _record(root, entry):
            digest.update(value + b"\0")
    return digest.hexdigest()


def path_digest(path: Path) -> str:
    """The tree digest of a folder; of a file, a sha256 over whether its owner can run it, and its content."""
    if path.is_dir():
        return tree_digest(path)
    found = path.stat()
    mode = b"x" if found.st_mode & stat.S_IXUSR else b"-"
    return hashlib.sha256(b"F\0" + mode + b"\0" + _steady_sha256(path, found).encode()).hexdigest()


def _record(root: Path, entry: TreeEntry) -> tuple[bytes, ...]:
    path = os.fsencode(entry.path)
    match entry.kind:
        case Kind.FILE:
            mode = b"x" if entry.executable else b"-"
            return entry.kind.value, mode, path, _steady_sha256(root / entry.path, entry.stat).encode()
        case Kind.FOLDER:
            return entry.kind.value, path
        case Kind.LINK:
            return entry.kind.value, path, os.fsencode(link_text(root / entry.path))
    assert_never(entry.kind)


def _steady_sha256(path: Path, before: os.stat_result) -> str:
    """The hash of a file that nobody writes to meanwhile."""
    digest, size = hashlib.sha256(), 0
    try:
        with path.open("rb", buffering=0) as file:
            while data := file.read(BLOCK):
                digest.update(data)
                size += len(data)
            after = os.fstat(file.fileno())
    except FileNotFoundError:
        raise TreeChanged(path) from None
    same = (before.st_ino, before.st_size, before.st_mtime_ns) == (after.st_ino, after.st_size, after.st_mtime_ns)
    if not same or size != after.st_size:
        raise TreeChanged(path)
    return digest.hexdigest()


def clone_tree(
    source: Path, target: Path, *, how: Literal["link", "copy"] = "link", ignore: Ignore | None = None
) -> None:
    """Make `target` hold what `source` holds; folders that are there already are filled up, files never replaced.

    `link` makes hard links: for trees that are only read, or whose files are replaced and not written to. It
    falls back to a copy across file systems and at the link limit. `copy` shares blocks where the file
    system can (reflinks), and gives the owner the right to write. Links are kept as they are, times are kept.
    Errors: TreeConflict, SpecialFile, TreeChanged, OSError of the file system.
    """
    folders = [(source, target)]
    target.mkdir(parents=True, exist_ok=True)
    for entry in walk(source, ignore):
        origin, place = source / entry.path, target / entry.path
        match entry.kind:
            case Kind.FOLDER:
                _make_folder(place)
                folders.append((origin, place))
            case Kind.FILE:
                _clone_file(origin, place, how)
            case Kind.LINK:
                _clone_link(origin, place, entry.stat)
            case _:
                assert_never(entry.kind)
    for origin, place in reversed(folders):
        found = origin.stat()
        place.chmod(stat.S_IMODE(found.st_mode) | stat.S_IRWXU)
        os.utime(place, ns=(found.st_atime_ns, found.st_mtime_ns))


def _make_folder(place: Path) -> None:
    try:
        place.mkdir()
    except FileExistsError:
        if place.is_symlink() or not place.is_dir():
            raise TreeConflict(place) from None


def _clone_link(origin: Path, place: Path, found: os.stat_result) -> None:
    try:
        os.symlink(link_text(origin), place)  # noqa: PTH211 - Path would rewrite the text
    except FileExistsError:
        raise TreeConflict(place) from None
    os.utime(place, ns=(found.st_atime_ns, found.st_mtime_ns), follow_symlinks=False)


def _clone_file(origin: Path, place: Path, how: Literal["link", "copy"]) -> None:
    from rearch.formats.clone import copy_file, link_file

    try:
        if how == "link":
            link_file(origin, place)
        else:
            copy_file(origin, place)
    except FileExistsError:
        raise TreeConflict(place) from None


def remove_tree(path: Path) -> None:
    """Remove a folder with all that it holds, a file or a link (not its target); fine when it is not there.

    Folders that their owner may not write to are made writable first, as Go's module cache needs it. Errors: OSError.
    """
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
        return
    for _ in range(_ATTEMPTS):
        try:
            shutil.rmtree(path)
        except FileNotFoundError:  # another process removes the same tree: what is left is still to be done
            if not path.exists():
                return
        except PermissionError:
            _open_up(path)
        except OSError as error:
            if error.errno != errno.ENOTEMPTY:  # a process that was just ended had one more file to write
                raise
        else:
            return
    shutil.rmtree(path)


def _open_up(path: Path) -> None:
    """Give the owner all rights on every folder, from the top down."""
    folders = [path]
    while folders:
        folder = folders.pop()
        folder.chmod(stat.S_IMODE(folder.lstat().st_mode) | stat.S_IRWXU)
        with os.scandir(folder) as scan:
            folders += [Path(item.path) for item in scan if item.is_dir(follow_symlinks=False)]
