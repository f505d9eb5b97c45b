"""Bundles that are a folder: a refit of one is another folder, with modes, owners (as root), times and attributes."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from msgspec.structs import replace

from rearch.bundle.entries import Item
from rearch.bundle.values import APPLY, SUMS
from rearch.formats.archive_entry import NOTHING, Entry, EntryKind
from rearch.formats.archive_errors import CannotWrite
from rearch.formats.archive_stream import Meter
from rearch.formats.tree import Kind, TreeEntry, link_text, walk
from rearch.model.limits import Limits

_KINDS = {Kind.FILE: EntryKind.FILE, Kind.FOLDER: EntryKind.FOLDER, Kind.LINK: EntryKind.LINK}


class FolderBundle:
    """A folder, in the order of the bytes of its names. Two names of one file are two files."""

    is_folder = True

    def __init__(self, path: Path, name: str, limits: Limits) -> None:
        self.name = name
        self.path = path
        self.rootless = any((path / one).exists() for one in (APPLY, SUMS))
        self._meter = Meter(name, limits)

    def __enter__(self) -> FolderBundle:
        return self

    def __exit__(self, *_error: object) -> None:
        pass

    def items(self) -> Iterator[Item]:
        """Everything in it. Errors: SpecialFile, TreeChanged; OSError."""
        for found in walk(self.path):
            size = found.stat.st_size if found.kind is Kind.FILE else 0
            self._meter.entry(found.path, size)
            self._meter.packed += size
            self._meter.grow(size)
            yield from self._item(found, size)

    def writer(self, target: Path) -> FolderWriter:
        """A writer into an empty folder."""
        return FolderWriter(self, target)

    def _item(self, found: TreeEntry, size: int) -> Iterator[Item]:
        full = self.path / found.path
        entry = Entry(
            name=found.path,
            kind=_KINDS[found.kind],
            mode=found.stat.st_mode & 0o7777,
            mtime=int(found.stat.st_mtime),
            size=size,
            target=link_text(full) if found.kind is Kind.LINK else "",
            content=NOTHING,
            uid=found.stat.st_uid,
            gid=found.stat.st_gid,
        )
        if found.kind is not Kind.FILE:
            yield Item(entry=entry)
            return
        with full.open("rb") as file:
            yield Item(entry=replace(entry, content=file))


class FolderWriter:
    """Makes the same things again below another folder; folders get their times at the end."""

    def __init__(self, bundle: FolderBundle, target: Path) -> None:
        self._bundle = bundle
        self._target = target
        self._folders: list[str] = []
        self._reserved: list[tuple[Item, str]] = []

    def keep(self, item: Item, blocks: Iterable[bytes]) -> None:
        name = item.entry.name
        try:
            match item.entry.kind:
                case EntryKind.FOLDER:
                    (self._target / name).mkdir(0o700)
                    self._folders.append(name)
                case EntryKind.LINK:
                    (self._target / name).symlink_to(item.entry.target)
                    self._dress(name, name)
                case _:
                    self.put(item, name, item.entry.size, blocks)
        except OSError as error:
            raise CannotWrite(str(self._target / name), error) from error

    def put(self, item: Item, name: str, size: int, blocks: Iterable[bytes], *, mode: int | None = None) -> None:
        del size  # the file has the one that it gets
        place = self._target / name
        try:
            with place.open("xb") as file:
                for data in blocks:
                    file.write(data)
                file.flush()
                os.fsync(file.fileno())
            self._dress(item.entry.name, name, mode)
        except OSError as error:
            raise CannotWrite(str(place), error) from error

    def reserve(self, item: Item, name: str) -> int:
        self._reserved.append((item, name))
        return len(self._reserved) - 1

    def fill(self, number: int, data: bytes) -> None:
        item, name = self._reserved[number]
        self.put(item, name, len(data), (data,))

    def finish(self) -> None:
        try:
            for name in reversed(self._folders):
                self._dress(name, name)
            self._dress("", "")
        except OSError as error:
            raise CannotWrite(str(self._target), error) from error

    def close(self) -> None:
        pass

    def _dress(self, source: str, name: str, mode: int | None = None) -> None:
        """Owner first: changing it takes setuid away."""
        origin, place = self._bundle.path / source, self._target / name
        if os.geteuid() == 0:
            found = origin.lstat()
            os.chown(place, found.st_uid, found.st_gid, follow_symlinks=False)
        shutil.copystat(origin, place, follow_symlinks=False)
        if mode is not None:
            place.chmod(mode)
