"""Changes to a source tree that happen all at once or not at all, and never outside it.

Files are replaced, not written to: the tree may be made of hard links into a store that must not be touched.
"""

from __future__ import annotations

import difflib
import os
import posixpath
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from rearch.formats.patch_model import PatchConflict, PatchEscapes
from rearch.formats.tree import Kind, walk

_PLAIN = 0o644


class _File(Struct, frozen=True):
    data: bytes
    mode: int


class Draft:
    """A tree with changes that are not made yet. `who` is the patch or edit, for errors.

    Errors of every method that takes a name: PatchEscapes for a name that is, or lies behind, a symbolic link,
    PatchConflict for one that is a folder or lies below a file.
    """

    def __init__(self, root: Path, who: str) -> None:
        self._root = root
        self._who = who
        self._changes: dict[str, _File | None] = {}

    @property
    def changed(self) -> tuple[str, ...]:
        """Names of files that are written or removed, sorted."""
        return tuple(sorted(self._changes))

    def read(self, name: str) -> bytes | None:
        """A file's content as changed so far; None where there is no file."""
        if name in self._changes:
            change = self._changes[name]
            return None if change is None else change.data
        return (self._root / name).read_bytes() if self._found(name) else None

    def original(self, name: str) -> bytes | None:
        """A file's content on disk; None where there is no file."""
        return (self._root / name).read_bytes() if self._found(name, drafted=False) else None

    def mode(self, name: str) -> int:
        """Permission bits; those of a plain file where there is none."""
        change = self._changes.get(name)
        if change is not None:
            return change.mode
        found = None if name in self._changes else self._found(name)
        return stat.S_IMODE(found.st_mode) if found else _PLAIN

    def write(self, name: str, data: bytes, mode: int | None = None) -> None:
        """Make or replace a file; without `mode` it keeps its own."""
        for folder in _folders(name):
            if self._changes.get(folder) is not None:
                raise PatchConflict(self._who, name, f"lies below {folder}, which is a file")
        self._changes[name] = _File(data, self.mode(name) if mode is None else mode)

    def remove(self, name: str) -> None:
        """Remove a file, and with the commit the folders that are empty then."""
        self._found(name)
        self._changes[name] = None

    def commit(self) -> None:
        """Make the changes. What can run out of disk or rights is done beside the tree first. Errors: OSError."""
        written = {name: change for name, change in self._changes.items() if change is not None}
        stage = Path(tempfile.mkdtemp(prefix=".rearch-", dir=self._root))
        try:
            staged = {name: _stage(stage / str(index), file) for index, (name, file) in enumerate(written.items())}
            for name, change in self._changes.items():
                if change is None:
                    self._unlink(name)
            for name, made in staged.items():
                (self._root / name).parent.mkdir(parents=True, exist_ok=True)
                made.replace(self._root / name)
        finally:
            shutil.rmtree(stage)

    def _unlink(self, name: str) -> None:
        (self._root / name).unlink(missing_ok=True)
        for folder in reversed(_folders(name)):
            path = self._root / folder
            if path.is_dir() and any(path.iterdir()):
                return
            if path.is_dir():
                path.rmdir()

    def _found(self, name: str, *, drafted: bool = True) -> os.stat_result | None:
        for folder in _folders(name):
            if drafted and folder in self._changes:
                continue  # a file that gives way to a folder
            found = _look(self._root / folder)
            if found is None:
                return None
            self._refuse_link(name, folder, found)
            if not stat.S_ISDIR(found.st_mode):
                raise PatchConflict(self._who, name, f"lies below {folder}, which is a file")
        found = _look(self._root / name)
        if found is not None:
            self._refuse_link(name, name, found)
            if not stat.S_ISREG(found.st_mode):
                raise PatchConflict(self._who, name, "is not a regular file")
        return found

    def _refuse_link(self, name: str, part: str, found: os.stat_result) -> None:
        if stat.S_ISLNK(found.st_mode):
            problem = "is a symbolic link" if part == name else f"lies behind the symbolic link {part}"
            raise PatchEscapes(self._who, name, problem)


def _folders(name: str) -> tuple[str, ...]:
    """`a/b/c.go` -> `a`, `a/b`."""
    parts = name.split("/")[:-1]
    return tuple("/".join(parts[: index + 1]) for index in range(len(parts)))


def _look(path: Path) -> os.stat_result | None:
    try:
        return path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None


def _stage(path: Path, file: _File) -> Path:
    path.write_bytes(file.data)
    path.chmod(file.mode | stat.S_IWUSR)
    return path


def file_names(root: Path) -> Iterator[str]:
    """The regular files of a tree, relative, in the order of their bytes. Errors: as formats.tree.walk."""
    return (entry.path for entry in walk(root) if entry.kind is Kind.FILE)


def nearest_names(root: Path, wanted: str, limit: int = 3) -> tuple[str, ...]:
    """Files of the tree whose names look like `wanted`: those of the same base name first, then the most alike."""
    names = list(file_names(root))
    base = posixpath.basename(wanted)
    same = [name for name in names if posixpath.basename(name) == base]
    close = difflib.get_close_matches(wanted, same or names[:20_000], n=limit, cutoff=0.0 if same else 0.5)
    return tuple(close)
