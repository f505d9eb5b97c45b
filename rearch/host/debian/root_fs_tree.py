"""Several packages in one tree, with dpkg's rules for what two of them bring (Debian policy 6.6, 7.6.1, dpkg(1)).

A folder belongs to all, and keeps owner and mode of the first; it is never replaced by a link, nor a link to a folder
by a folder. A file belongs to one package: two that bring the same are refused, unless one says that it replaces the
other. Where entries are written, and that none lands outside, is formats/archive_target.py's affair.
"""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from rearch.errors import StepError
from rearch.formats.archive_entry import Entry, EntryKind, Parts, parts_of
from rearch.formats.archive_links import resolve
from rearch.formats.archive_target import Target
from rearch.formats.deb import BrokenDeb
from rearch.host.debian.root_fs_package import UnpackedPackage

# Folders that a merged /usr has as links; debootstrap's functions, setup_merged_usr. The first three are always there,
# the others where a package has something in them.
ALWAYS_MERGED = ("bin", "lib", "sbin")
MERGED = (*ALWAYS_MERGED, "lib32", "lib64", "libo32", "libx32")


class FileConflict(StepError):
    """Two packages bring one file, and neither says that it replaces the other."""

    def __init__(self, path: str, first: str, second: str) -> None:
        self.path = path
        self.packages = (first, second)
        super().__init__(
            f"/{path} is in {first} and in {second}, and neither replaces the other",
            hint="they cannot be installed together: leave one of them out of `packages`",
        )


class RootTree:
    """The tree below `root`, which must be there and empty. `unpack` each package, then `finish`."""

    def __init__(self, root: Path, *, merged: bool) -> None:
        self._root = root
        self._merged = merged
        self._files: dict[str, UnpackedPackage] = {}
        self._folders: dict[str, int] = {}
        self._special: dict[str, str] = {}
        self._lists: dict[str, dict[str, str]] = {}
        if merged:
            for name in ALWAYS_MERGED:
                self._merge(name)

    def unpack(self, package: UnpackedPackage, entries: Iterable[Entry], label: str) -> None:
        """Write a package's entries. Errors: FileConflict, BrokenDeb, ArchiveError and its kind, CannotWrite."""
        self._lists[package.name] = {}
        with Target(self._root, label, strip=0, mtime=None, keep_modes=True, rooted=True) as target:
            for entry in entries:
                self._one(package, target, entry, parts_of(label, entry.name), label)
            target.finish()

    def lists(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Package -> its paths, as dpkg's .list files have them: as they were shipped, the root as `/.`."""
        for name, paths in self._lists.items():
            yield name, tuple(paths)

    def write(self, files: Iterable[tuple[str, bytes]], time: int) -> None:
        """Files that no package brings, as (path, content). Errors: ArchiveError where a package stands in the way."""
        with Target(self._root, "the records", strip=0, mtime=time, keep_modes=True, rooted=True) as target:
            for path, data in files:
                content = io.BytesIO(data)
                target.add(Entry(name=path, kind=EntryKind.FILE, mode=0o644, mtime=time, content=content))

    def finish(self, time: int) -> Mapping[str, str]:
        """Give folders their first package's time (those that nobody ships: `time`), and make missing links.

        Returns path -> `uid:gid:mode` of what could not be set on the disk.
        """
        for name in MERGED if self._merged else ():
            if (self._root / "usr" / name).is_dir() and not (self._root / name).is_symlink():
                self._merge(name)
        for name in MERGED:
            if (self._root / name).is_symlink():
                os.utime(self._root / name, (time, time), follow_symlinks=False)
        for folder, _names, _files in os.walk(self._root, topdown=False):
            stamp = self._folders.get(os.path.relpath(folder, self._root), time)
            os.utime(folder, (stamp, stamp))
        return dict(sorted(self._special.items()))

    def _merge(self, name: str) -> None:
        (self._root / "usr").mkdir(exist_ok=True)
        if not os.path.lexists(self._root / "usr" / name):
            (self._root / "usr" / name).mkdir()
        (self._root / name).symlink_to(f"usr/{name}")

    def _one(self, package: UnpackedPackage, target: Target, entry: Entry, parts: Parts, label: str) -> None:
        shown = "/" + "/".join(parts) if parts else "/."
        if self._merged and parts and parts[0] in MERGED and not (self._root / parts[0]).is_symlink():
            self._merge(parts[0])
        real = self._real(parts if entry.kind is EntryKind.FOLDER else parts[:-1])
        path = "/".join(real if entry.kind is EntryKind.FOLDER else (*real, *parts[-1:]))
        if not self._wanted(package, entry, path, label):
            return
        self._lists[package.name][shown] = path
        if self._is_there(entry, path):
            return
        target.add(entry)
        self._note(entry, path, label)
        if entry.kind is not EntryKind.FOLDER:
            self._files[path] = package

    def _real(self, parts: Parts) -> Parts:
        real = resolve(self._root, parts, rooted=True)
        return parts if real is None else real

    def _wanted(self, package: UnpackedPackage, entry: Entry, path: str, label: str) -> bool:
        """Whether a package's entry counts, or another package's in its place, which is removed if it does not."""
        if entry.kind is EntryKind.HARD_LINK:
            self._own_origin(package, entry, label)
        owner = self._files.get(path)
        if owner is None or owner is package:
            return True
        if package.replaces(owner.package):
            self._give_up(owner, path)
            return True
        if owner.replaces(package.package):
            return False
        raise FileConflict(path, owner.name, package.name)

    def _own_origin(self, package: UnpackedPackage, entry: Entry, label: str) -> None:
        """A hard link to a file that was replaced would be one to the other package's file."""
        origin = self._origin(entry, label)
        owner = self._files.get(origin, package)
        if owner is not package:
            raise FileConflict(origin, owner.name, package.name)

    def _origin(self, entry: Entry, label: str) -> str:
        parts = parts_of(label, entry.target)
        return "/".join((*self._real(parts[:-1]), *parts[-1:]))

    def _give_up(self, owner: UnpackedPackage, path: str) -> None:
        (self._root / path).unlink()
        self._special.pop(path, None)
        paths = self._lists[owner.name]
        self._lists[owner.name] = {shown: real for shown, real in paths.items() if real != path}

    def _is_there(self, entry: Entry, path: str) -> bool:
        """Whether an entry changes nothing: a folder that is there, or a link where a folder is or the same link."""
        if entry.kind not in (EntryKind.FOLDER, EntryKind.LINK):
            return False
        if path in self._folders or not path:
            return True
        try:
            found = os.lstat(self._root / path)
        except (FileNotFoundError, NotADirectoryError):
            return False
        if entry.kind is EntryKind.FOLDER:
            return False  # made on the way to something: it gets this entry's mode
        if stat.S_ISDIR(found.st_mode):
            return True
        # What nobody brought is a link of a merged /usr: base-files has the same since Debian 13.
        return path in MERGED and path not in self._files and entry.target.lstrip("/") == f"usr/{path}"

    def _note(self, entry: Entry, path: str, label: str) -> None:
        """Remember owner and mode, where the disk has others; a folder's time."""
        if entry.uid is None or entry.gid is None:
            raise BrokenDeb(label, f"{path} belongs to a user or group that is no number")
        if entry.kind is EntryKind.HARD_LINK:  # one file, so one owner and mode, whatever its second header says
            origin = self._special.get(self._origin(entry, label))
            self._special |= {path: origin} if origin is not None else {}
            return
        if entry.kind is EntryKind.FOLDER:
            self._folders[path] = max(0, entry.mtime)
        mode = 0o777 if entry.kind is EntryKind.LINK else entry.mode & 0o7777
        kept = stat.S_IMODE(os.lstat(self._root / path).st_mode)
        if entry.uid or entry.gid or (kept != mode and entry.kind is not EntryKind.LINK):
            self._special[path] = f"{entry.uid}:{entry.gid}:{mode:04o}"
