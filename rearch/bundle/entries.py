"""What the tree of a bundle is like, entry by entry: hostile names and links are refused while it is read.

The rules are those of formats/archive_target.py, which asks the file system; here nothing is unpacked, so that the
tree is kept in memory: names and kinds, no contents.
"""

from __future__ import annotations

from msgspec import Struct

from rearch.formats.archive_entry import Entry, EntryKind, Parts, check_target, parts_of
from rearch.formats.archive_errors import (
    BadHardLink,
    BadName,
    DuplicateEntry,
    LinkEscapes,
    NotAFolder,
    ThroughLink,
)
from rearch.formats.archive_links import follow, leads_out
from rearch.formats.archive_zip_table import Record


class Item(Struct, frozen=True, kw_only=True):
    """An entry of a bundle with what its container needs to write it again.

    `head` are a tar's own records for it, `record` its line of a zip's table of contents.
    """

    entry: Entry
    head: bytes = b""
    record: Record | None = None


class Tree:
    """The names so far. `bundle` is what messages call it."""

    def __init__(self, bundle: str) -> None:
        self._bundle = bundle
        self._kinds: dict[str, EntryKind] = {}
        self._links: dict[Parts, str] = {}
        self._odd: list[tuple[str, Parts]] = []

    def add(self, entry: Entry) -> str:
        """Check one entry; its path, `""` for the top itself. Errors: ArchiveError and its kind."""
        parts = parts_of(self._bundle, entry.name)
        path = "/".join(parts)
        if not parts:
            if entry.kind is not EntryKind.FOLDER:
                raise BadName(self._bundle, entry.name, "is the top of the archive, and no folder")
            return path
        self._above(parts, entry.name)
        before = self._kinds.get(path)
        if before is not None and not (before is entry.kind is EntryKind.FOLDER):
            raise DuplicateEntry(self._bundle, entry.name)
        if entry.kind is EntryKind.LINK:
            self._link(parts, entry)
        elif entry.kind is EntryKind.HARD_LINK:
            self._hard_link(entry)
        self._kinds[path] = entry.kind
        return path

    def has(self, path: str) -> bool:
        """Whether there is such an entry, or a folder that one lies in."""
        return path in self._kinds

    def is_file(self, path: str) -> bool:
        """Whether it is there and no folder."""
        return self._kinds.get(path) is not EntryKind.FOLDER

    def roots(self) -> tuple[str, ...]:
        """The names at the top, in their order."""
        return tuple(path for path in self._kinds if "/" not in path)

    def finish(self) -> None:
        """Follow the links whose text alone does not tell where they lead. Errors: LinkEscapes."""
        for name, parts in self._odd:
            if not self._stays_inside(parts):
                raise LinkEscapes(self._bundle, name, self._links[parts])

    def _above(self, parts: Parts, name: str) -> None:
        """The folders that an entry lies in, which need no entries of their own."""
        above = ""
        for part in parts[:-1]:
            above = f"{above}/{part}" if above else part
            kind = self._kinds.setdefault(above, EntryKind.FOLDER)
            if kind is EntryKind.LINK:
                raise ThroughLink(self._bundle, name, above)
            if kind is not EntryKind.FOLDER:
                raise NotAFolder(self._bundle, name, above)

    def _link(self, parts: Parts, entry: Entry) -> None:
        check_target(self._bundle, entry.name, entry.target)
        match leads_out(parts, entry.target):
            case True:
                raise LinkEscapes(self._bundle, entry.name, entry.target)
            case None:
                self._odd.append((entry.name, parts))
        self._links[parts] = entry.target

    def _hard_link(self, entry: Entry) -> None:
        try:
            target = "/".join(parts_of(self._bundle, entry.target))
        except BadName:
            target = ""
        if self._kinds.get(target) not in (EntryKind.FILE, EntryKind.HARD_LINK):
            raise BadHardLink(self._bundle, entry.name, entry.target)

    def _stays_inside(self, link: Parts) -> bool:
        return follow(link, self._links.get) is not None
