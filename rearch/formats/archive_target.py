"""Writes entries below one folder, and nowhere else.

Every path is walked from an open descriptor of the target, component by component, without following links, and files
are made with O_EXCL: the file system itself is the list of what was there before, so that two names which it takes for
one are found too, and memory does not grow with the number of entries.

Why links cannot lead out: nothing is written through a link, so the folder that a link lies in is a real one inside
the target. A target of the shape `../../a/b` (all `..` first, no more of them than the folder is deep) climbs over real
folders only, and each name after that is real or a link of which the same holds. Other shapes (`a/../b`, where `a` may
be a link to anywhere deeper or higher) are followed at the end, when all links are there.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from rearch.formats.archive_entry import Entry, EntryKind, Parts, check_target, parts_of
from rearch.formats.archive_errors import (
    BadHardLink,
    BadName,
    CannotWrite,
    DuplicateEntry,
    LinkEscapes,
    NotAFolder,
    SpecialEntry,
    ThroughLink,
)
from rearch.formats.archive_links import leads_out, resolve
from rearch.formats.hashing import blocks
from rearch.formats.tree import link_text

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
# The year 9999: what is beyond it no file system and no tool reads.
_LAST_TIME = 253402300799


class Target:
    """The folder that an archive is unpacked into; `finish` sets the folders' times and checks the links.

    `strip` leading components are dropped. `mtime`: every file gets this time (None: its own). `keep_modes`: the
    permission bits of the archive (never setuid, setgid, sticky; the owner can always read and write), else 0755
    and 0644. `rooted`: a root file system, in which absolute links are read as relative to the target and in which
    entries below a link to a folder go into that folder, as dpkg does it (`/lib -> usr/lib`).
    """

    def __init__(
        self, root: Path, archive: str, *, strip: int, mtime: int | None, keep_modes: bool, rooted: bool
    ) -> None:
        self._root = root
        self._archive = archive
        self._strip = strip
        self._mtime = mtime
        self._keep_modes = keep_modes
        self._rooted = rooted
        self._top = os.open(root, _FOLDER)
        self._parent: tuple[Parts, int] = ((), self._top)
        self._folders: dict[Parts, int | None] = {}
        self._odd_links: list[tuple[str, Parts]] = []
        self._newest = 0
        self.written = 0

    def add(self, entry: Entry) -> None:
        """Write one entry. Errors: ArchiveError and its kind, CannotWrite."""
        parts = parts_of(self._archive, entry.name)[self._strip :]
        if not parts:
            return
        self._newest = max(self._newest, min(max(entry.mtime, 0), _LAST_TIME))
        with self._explained(entry.name):
            match entry.kind:
                case EntryKind.FOLDER:
                    self._folder(parts, entry)
                case EntryKind.FILE:
                    self._file(parts, entry)
                case EntryKind.LINK:
                    self._link(parts, entry)
                case EntryKind.HARD_LINK:
                    self._hard_link(parts, entry)
        self.written += 1

    def finish(self) -> None:
        """Finish: follow the links that need it, and set the folders' times. Errors: LinkEscapes."""
        for name, parts in self._odd_links:
            if resolve(self._root, parts, rooted=self._rooted) is None:
                raise LinkEscapes(self._archive, name, link_text(self._path(parts)))
        # What lies deeper is later in the order of making, and setting its time does not change its parent's.
        for parts, stated in self._folders.items():
            self._set_time(self._path(parts), self._newest if stated is None else stated)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._leave_parent()
        os.close(self._top)

    def _path(self, parts: Parts) -> str:
        return os.path.join(self._root, *parts)  # noqa: PTH118 - also for names that are not UTF-8

    @contextlib.contextmanager
    def _explained(self, name: str) -> Iterator[None]:
        try:
            yield
        except FileExistsError:
            raise DuplicateEntry(self._archive, name) from None
        except OSError as error:
            raise CannotWrite(f"{self._archive}: {name!r} in {self._root}", error) from error

    # --- folders

    def _folder(self, parts: Parts, entry: Entry) -> None:
        parts = self._real(parts)
        if not parts:
            return
        parent = self._enter(parts[:-1], entry.name)
        try:
            os.mkdir(parts[-1], 0o755, dir_fd=parent)
        except FileExistsError:
            self._must_be_folder(parts, parent, entry.name)
        mode = (entry.mode & 0o777) | stat.S_IRWXU if self._keep_modes else 0o755
        os.chmod(parts[-1], mode, dir_fd=parent)
        self._folders[parts] = entry.mtime

    def _must_be_folder(self, parts: Parts, parent: int, name: str) -> None:
        found = os.stat(parts[-1], dir_fd=parent, follow_symlinks=False)
        if stat.S_ISLNK(found.st_mode):
            raise ThroughLink(self._archive, name, "/".join(parts))
        if not stat.S_ISDIR(found.st_mode):
            raise NotAFolder(self._archive, name, "/".join(parts))

    def _enter(self, parts: Parts, name: str) -> int:
        """A descriptor of the folder, which is made where it is missing. It stays open until another is entered."""
        if self._parent[0] == parts:
            return self._parent[1]
        self._leave_parent()
        here = self._top
        for depth, part in enumerate(parts):
            try:
                below = self._step(here, parts[: depth + 1], part, name)
            finally:
                if here != self._top:
                    os.close(here)
            here = below
        self._parent = (parts, here)
        return here

    def _step(self, here: int, parts: Parts, part: str, name: str) -> int:
        try:
            return os.open(part, _FOLDER, dir_fd=here)
        except FileNotFoundError:
            os.mkdir(part, 0o755, dir_fd=here)
            self._folders[parts] = None
            below = os.open(part, _FOLDER, dir_fd=here)
            os.fchmod(below, 0o755)  # whatever the umask took away
            return below
        except OSError as error:
            if error.errno not in (errno.ENOTDIR, errno.ELOOP):
                raise
            self._must_be_folder(parts, here, name)
            raise

    def _leave_parent(self) -> None:
        if self._parent[1] != self._top:
            os.close(self._parent[1])
        self._parent = ((), self._top)

    def _real(self, parts: Parts) -> Parts:
        """Where a path of a root file system really is; elsewhere links are not followed, so it is what it says."""
        if not self._rooted:
            return parts
        real = resolve(self._root, parts, rooted=True)
        return parts if real is None else real

    def _place(self, parts: Parts, name: str) -> tuple[int, str]:
        if not self._rooted:
            return self._enter(parts[:-1], name), parts[-1]
        return self._enter(self._real(parts[:-1]), name), parts[-1]

    # --- what lies in folders

    def _file(self, parts: Parts, entry: Entry) -> None:
        parent, last = self._place(parts, entry.name)
        bits = (entry.mode & 0o777) | stat.S_IRUSR | stat.S_IWUSR
        mode = bits if self._keep_modes else 0o755 if entry.mode & 0o111 else 0o644
        with os.fdopen(os.open(last, _NEW, 0o600, dir_fd=parent), "wb", buffering=0) as file:
            for data in blocks(entry.content):
                _write(file.fileno(), data)
            os.fchmod(file.fileno(), mode)
            self._set_time(file.fileno(), entry.mtime)

    def _link(self, parts: Parts, entry: Entry, text: str | None = None) -> None:
        target = entry.target if text is None else text
        check_target(self._archive, entry.name, target)
        parent, last = self._place(parts, entry.name)
        real = (*self._parent[0], last)
        match leads_out(real, target, rooted=self._rooted):
            case True:
                raise LinkEscapes(self._archive, entry.name, target)
            case None:
                self._odd_links.append((entry.name, real))
        os.symlink(target, last, dir_fd=parent)
        stamp = self._time(entry.mtime)
        os.utime(last, (stamp, stamp), dir_fd=parent, follow_symlinks=False)

    def _hard_link(self, parts: Parts, entry: Entry) -> None:
        origin = self._real_origin(entry)
        try:
            found = os.lstat(origin)
        except (FileNotFoundError, NotADirectoryError):
            raise BadHardLink(self._archive, entry.name, entry.target) from None
        if stat.S_ISLNK(found.st_mode):
            # A second name elsewhere would give a relative link another meaning: it is checked like a new one.
            self._link(parts, entry, link_text(origin))
            return
        if not stat.S_ISREG(found.st_mode):
            raise SpecialEntry(self._archive, entry.name, "hard link to a folder")
        parent, last = self._place(parts, entry.name)
        os.link(origin, last, dst_dir_fd=parent, follow_symlinks=False)

    def _real_origin(self, entry: Entry) -> str:
        """Where the file that a hard link names is: its target is a name of the archive, stripped as all names are."""
        try:
            wanted = parts_of(self._archive, entry.target)[self._strip :]
        except BadName:
            wanted = ()
        if not wanted:
            raise BadHardLink(self._archive, entry.name, entry.target)
        folder = resolve(self._root, wanted[:-1], rooted=self._rooted)
        if folder is None or (not self._rooted and folder != wanted[:-1]):
            raise BadHardLink(self._archive, entry.name, entry.target)
        return self._path((*folder, wanted[-1]))

    # --- times

    def _time(self, stated: int) -> int:
        return min(max(stated if self._mtime is None else self._mtime, 0), _LAST_TIME)

    def _set_time(self, place: int | str, stated: int) -> None:
        stamp = self._time(stated)
        os.utime(place, (stamp, stamp))


def _write(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]
