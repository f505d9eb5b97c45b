"""What maintainer scripts would have done and a recipe declares: a second layer over the packages.

Everything is made in the tree on disk, too, so that what is declared later finds what was declared before. Paths are
followed through links inside the tree, and an entry has the path that it really has: `/bin/sh` is `usr/bin/sh` where
/bin is a link.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from rearch.errors import UsageError
from rearch.formats.accounts import LEAST, AccountTables, parse_tables, with_declared
from rearch.formats.tree import link_text
from rearch.model.image import Accounts, Directory
from rearch.model.step_images import DebianOrigin
from rearch.oci.entry import EntryKind, LayerEntry
from rearch.steps.base_certificates import certificate_files
from rearch.steps.base_tree import LeavesTree, file_inside, inside

_MASTERS = "usr/share/base-passwd"


class DeclaredTwice(UsageError):
    """Something that a recipe declares is there already, as something else."""

    def __init__(self, field: str, path: str, wanted: str, found: str) -> None:
        self.field = field
        self.path = path
        self.wanted = wanted
        self.found = found
        super().__init__(
            f"{path} is there already: {found}",
            (f"base.{field} wants {wanted}",),
            hint=f"take it out of `base.{field}`, or leave out the package that brings it",
        )


class Overlay:
    """Entries over the tree `root`, dated `time`."""

    def __init__(self, root: Path, time: int) -> None:
        self._root = root
        self._time = time
        self._entries: dict[str, LayerEntry] = {}

    def entries(self) -> tuple[LayerEntry, ...]:
        """In the order of their bytes, so that folders come before what they hold."""
        return tuple(sorted(self._entries.values(), key=lambda entry: os.fsencode(entry.path).split(b"/")))

    def file(self, field: str, path: str, data: bytes, mode: int = 0o644) -> None:
        """A file of root's. Errors: DeclaredTwice, LeavesTree."""
        real = self._place(path)
        found = self._found(real)
        if found is not None:
            raise DeclaredTwice(field, path, "a file", found)
        place = self._root / real
        place.write_bytes(data)
        self._add(
            LayerEntry(path=real, kind=EntryKind.FILE, mode=mode, size=len(data), content=place, mtime=self._time)
        )

    def link(self, field: str, path: str, target: str) -> None:
        """A link; the same one that is there already is left alone. Errors: DeclaredTwice, LeavesTree."""
        real = self._place(path)
        found = self._found(real)
        if found == f"a link to {target}":
            return
        if found is not None:
            raise DeclaredTwice(field, path, f"a link to {target}", found)
        os.symlink(target, self._root / real)  # noqa: PTH211 - Path would rewrite the text
        self._add(LayerEntry(path=real, kind=EntryKind.SYMLINK, mode=0o777, target=target, mtime=self._time))

    def directory(self, path: str, mode: int = 0o755, owner: tuple[int, int] = (0, 0)) -> None:
        """A folder; one that is there gets this mode and owner. Errors: DeclaredTwice, LeavesTree."""
        real = inside(self._root, path)
        if not real:
            raise LeavesTree(path)
        found = self._found(real)
        if found is None:
            self._parents(real)
            (self._root / real).mkdir()
        elif found != "a folder":
            raise DeclaredTwice("directories", path, "a folder", found)
        uid, gid = owner
        self._add(LayerEntry(path=real, kind=EntryKind.DIRECTORY, mode=mode, uid=uid, gid=gid, mtime=self._time))

    def _add(self, entry: LayerEntry) -> None:
        self._entries[entry.path] = entry

    def _place(self, path: str) -> str:
        """Where something that may be a link itself is to be made; the folders above it are made."""
        folder, _slash, name = path.rstrip("/").rpartition("/")
        if not name or name == ".":
            raise LeavesTree(path)
        above = inside(self._root, folder)
        real = f"{above}/{name}" if above else name
        self._parents(real)
        return real

    def _parents(self, real: str) -> None:
        above = ""
        for part in real.split("/")[:-1]:
            above = f"{above}/{part}" if above else part
            found = self._found(above)
            if found is None:
                self.directory(f"/{above}")
            elif found != "a folder":
                raise DeclaredTwice("directories", f"/{above}", "a folder", found)

    def _found(self, real: str) -> str | None:
        """What is there, in words."""
        place = self._root / real
        try:
            mode = os.lstat(place).st_mode
        except FileNotFoundError:
            return None
        except NotADirectoryError:
            return None
        if stat.S_ISLNK(mode):
            return f"a link to {link_text(place)}"
        return "a folder" if stat.S_ISDIR(mode) else "a file"


def declared_entries(origin: DebianOrigin, root: Path) -> tuple[LayerEntry, ...]:
    """The second layer of a Debian base. Errors: BadAccounts, MalformedAccounts, DeclaredTwice, LeavesTree."""
    overlay = Overlay(root, origin.time)
    tables = account_tables(root, origin.accounts)
    overlay.file("accounts", "/etc/passwd", tables.passwd)
    overlay.file("accounts", "/etc/group", tables.group)
    for path, directory, owner in _directories(origin.directories, tables):
        overlay.directory(path, int(directory.mode, 8), owner)
    for path, target in sorted(origin.links.items()):
        overlay.link("links", path, target)
    if origin.ca_certificates:
        for path, content in certificate_files(root):
            if isinstance(content, bytes):
                overlay.file("ca_certificates", path, content)
            else:
                overlay.link("ca_certificates", path, content)
    return overlay.entries()


def account_tables(root: Path, accounts: Accounts) -> AccountTables:
    """Debian's fixed accounts where base-passwd is among the packages, else root and nobody; and the declared ones."""
    found = (file_inside(root, f"{_MASTERS}/{name}.master") for name in ("passwd", "group"))
    texts = [master.read_text(encoding="utf-8", errors="surrogateescape") for master in found if master is not None]
    if len(texts) != 2:
        return with_declared(LEAST, accounts)
    return with_declared(parse_tables(texts[0], texts[1], _MASTERS), accounts)


def _directories(
    directories: Mapping[str, Directory], tables: AccountTables
) -> Iterator[tuple[str, Directory, tuple[int, int]]]:
    for path, directory in sorted(directories.items()):
        yield path, directory, tables.owner(directory.owner)
