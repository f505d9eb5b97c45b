"""A folder as a volume (rearch.volumes.place.Place): a disk that is carried over, or the data of another engine.

No link on the way to a file is followed: the way is walked folder by folder, each opened from the one before.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from errno import EDQUOT, ENOSPC
from pathlib import Path
from typing import BinaryIO, assert_never

from rearch.errors import StepError
from rearch.formats.elf import BrokenElf, read_elf_stream
from rearch.formats.elf_facts import ElfFacts
from rearch.formats.hashing import copy_hashed, sha256_stream
from rearch.model.volumes import STAGING
from rearch.volumes.errors import VolumeFull, VolumeMissing
from rearch.volumes.place import staged
from rearch.volumes.things import File, Folder, Found, FoundFile, FoundFolder, FoundLink, FoundOther, Link, Thing

_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_KINDS = {stat.S_IFIFO: "pipe", stat.S_IFSOCK: "socket", stat.S_IFCHR: "device", stat.S_IFBLK: "device"}


class NoFolder(StepError):
    """The place of a volume on this machine is no folder: a link, a file. `path` is its own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(
            f"{path} is no folder (links are not followed there)",
            hint="move it away, or name another place: --to FOLDER",
        )


class FolderVolume:
    """A folder that is there. Made by `folder_volume`."""

    def __init__(self, root: Path, top: int) -> None:
        self._root = root
        self._top = top

    @property
    def name(self) -> str:
        return str(self._root)

    @property
    def sets_owners(self) -> bool:
        return os.geteuid() == 0

    def look(self, path: str, *, brief: bool = False) -> Found | None:
        """What is at the path; also nothing where a folder on the way is missing. Errors: OSError."""
        del brief  # costs nothing here
        try:
            with self._parent(path) as (folder, name):
                return _found(folder, name)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def users(self) -> tuple[str, ...]:
        return ()

    def names(self) -> Iterator[str]:
        """Everything in it, sorted. Errors: OSError."""
        for folder, folders, files in os.walk(self._root):
            folders.sort()
            for name in sorted((*folders, *files)):
                yield str((Path(folder) / name).relative_to(self._root))

    def stage(self, files: Sequence[File], mtime: int) -> None:
        """Errors: VolumeFull, OSError."""
        try:
            os.mkdir(STAGING, 0o700, dir_fd=self._top)
            for number, file in enumerate(files):
                with self._parent(staged(number)) as (folder, name):
                    self._write(file, folder, name, mtime)
        except OSError as error:
            if error.errno in (ENOSPC, EDQUOT):
                raise VolumeFull(str(self._root), sum(file.size for file in files)) from None
            raise

    def swap(self, things: Sequence[Thing], mtime: int) -> None:
        """Errors: OSError."""
        del mtime  # files have theirs
        number = 0
        for thing in things:
            with self._parent(thing.path) as (folder, name):
                match thing:
                    case File():
                        os.rename(staged(number), name, src_dir_fd=self._top, dst_dir_fd=folder)
                        number += 1
                    case Folder():
                        self._make(thing, folder, name)
                    case Link():
                        _link(thing, folder, name)
                    case _:
                        assert_never(thing)
                os.fsync(folder)

    def tidy(self) -> None:
        """Errors: OSError."""
        with suppress(FileNotFoundError):
            shutil.rmtree(STAGING, dir_fd=self._top)

    def _write(self, file: File, folder: int, name: str, mtime: int) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with file.source.open("rb") as source, os.fdopen(os.open(name, flags, 0o600, dir_fd=folder), "wb") as copy:
            copy_hashed(source, copy)
            copy.flush()
            self._own(copy.fileno(), file)
            os.utime(copy.fileno(), (mtime, mtime))
            os.fsync(copy.fileno())

    def _make(self, thing: Folder, folder: int, name: str) -> None:
        with suppress(FileExistsError):
            os.mkdir(name, 0o700, dir_fd=folder)
        handle = os.open(name, _OPEN, dir_fd=folder)
        try:
            self._own(handle, thing)
        finally:
            os.close(handle)

    def _own(self, handle: int, thing: File | Folder) -> None:
        """The owner first: a change of it takes setuid bits away."""
        if self.sets_owners:
            os.fchown(handle, thing.uid, thing.gid)
        os.fchmod(handle, thing.mode)

    @contextmanager
    def _parent(self, path: str) -> Iterator[tuple[int, str]]:
        """The folder that a path is in, open, and its name there. Errors: OSError, NotADirectoryError for a link."""
        *above, name = path.split("/")
        handle = os.dup(self._top)
        try:
            for part in above:
                handle, before = os.open(part, _OPEN, dir_fd=handle), handle
                os.close(before)
            yield handle, name
        finally:
            os.close(handle)


@contextmanager
def folder_volume(root: Path, *, write: bool, create: bool = False) -> Iterator[FolderVolume]:
    """The folder, made where it is missing if `create`; taken away again if nothing could be put into it.

    Errors: VolumeMissing, NoFolder; OSError.
    """
    new = not os.path.lexists(root)
    if new and not (create and write):
        raise VolumeMissing(root.name, str(root.parent))
    if new:
        root.mkdir(parents=True)
    try:
        top = os.open(root, _OPEN)
    except NotADirectoryError:
        raise NoFolder(root) from None
    try:
        yield FolderVolume(root, top)
    except BaseException:
        if new:
            with suppress(OSError):
                root.rmdir()
        raise
    finally:
        os.close(top)


def _found(folder: int, name: str) -> Found:
    facts = os.stat(name, dir_fd=folder, follow_symlinks=False)
    kind, mode = stat.S_IFMT(facts.st_mode), stat.S_IMODE(facts.st_mode)
    if kind == stat.S_IFDIR:
        return FoundFolder(mode=mode, uid=facts.st_uid, gid=facts.st_gid)
    if kind == stat.S_IFLNK:
        return FoundLink(target=os.readlink(name, dir_fd=folder))
    if kind != stat.S_IFREG:
        return FoundOther(kind=_KINDS.get(kind, "special file"))
    handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=folder)
    with os.fdopen(handle, "rb") as stream:
        sha256 = sha256_stream(stream)
        return FoundFile(
            mode=mode, uid=facts.st_uid, gid=facts.st_gid, size=facts.st_size, sha256=sha256, elf=_elf(stream, name)
        )


def _elf(stream: BinaryIO, name: str) -> ElfFacts | None:
    try:
        return read_elf_stream(stream, name)
    except BrokenElf:
        return None


def _link(link: Link, folder: int, name: str) -> None:
    """Made beside and renamed: at no time is there none."""
    beside = f"{STAGING}-{name}"[:255]
    with suppress(FileNotFoundError):
        os.unlink(beside, dir_fd=folder)
    os.symlink(link.target, beside, dir_fd=folder)
    os.rename(beside, name, src_dir_fd=folder, dst_dir_fd=folder)
