"""Content archives: read as the agent's config.sh reads them, before anything of them is used.

One root folder; in it `SHA1SUMS` (lines of `sha1sum -b`, over paths that begin with the root folder) and `SHA1SUMSSUM`
(the same over SHA1SUMS); `version` and `uptodate` where the server has put them (fact sheet 5.2: config.sh refuses an
archive without both sums, and runs `sha1sum -c` on both from the folder that it was unpacked into).
"""

from __future__ import annotations

import hashlib
import posixpath
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from rearch.formats.archive import tar_entries
from rearch.formats.archive_entry import Entry, EntryKind, parts_of
from rearch.formats.archive_errors import DuplicateEntry, LimitExceeded
from rearch.formats.hashing import Readable
from rearch.host.rancher.errors import BadSums, NotGzip

if TYPE_CHECKING:
    from rearch.model.limits import Limits

SUMS, SUMS_SUM, VERSION, UP_TO_DATE = "SHA1SUMS", "SHA1SUMSSUM", "version", "uptodate"
GZIP = b"\x1f\x8b\x08"
_BLOCK = 1 << 20
# The sums of 100,000 files; more would be no bundle for an agent.
_MOST_SUMS = 16 << 20
_LINE = re.compile(rb"(\\?)([0-9a-fA-F]{40}) [ *](.+)")


class Content(Struct, frozen=True, kw_only=True):
    """An archive that an agent would take. `sums`: the bytes of SHA1SUMS; `files`: how many it covers; `version`: what
    its file `version` says, None without one; `up_to_date`: the server says that there is nothing new."""

    root: str
    sums: bytes
    files: int
    version: str | None
    up_to_date: bool


def read_content(path: Path, name: str, limits: Limits) -> Content:
    """Read all of an archive and compare every sum. `name` is what errors call it.

    Errors: BadSums, NotGzip; ArchiveError and its kind for what is empty, is cut off or hostile.
    """
    seen = _Seen(name)
    with path.open("rb") as file:
        if (start := file.read(len(GZIP))) and start != GZIP:
            raise NotGzip(name, start)
        file.seek(0)
        for entry in tar_entries(file, name, limits):
            seen.add(entry)
    return seen.judged()


class _Seen:
    """What one pass over the entries has found."""

    def __init__(self, archive: str) -> None:
        self._archive = archive
        self._roots: dict[str, None] = {}
        self._loose: list[str] = []
        self._sha1: dict[str, str] = {}
        self._links: dict[str, str] = {}
        self._small: dict[str, bytes] = {}

    def add(self, entry: Entry) -> None:
        """Note an entry, and read its bytes. Errors: BadName, DuplicateEntry, LimitExceeded."""
        parts = parts_of(self._archive, entry.name)
        if not parts:
            return
        path = "/".join(parts)
        self._roots[parts[0]] = None
        if len(parts) == 1 and entry.kind is not EntryKind.FOLDER:
            self._loose.append(path)
        if path in self._sha1 or path in self._links:
            raise DuplicateEntry(self._archive, entry.name)
        match entry.kind:
            case EntryKind.FILE:
                self._take(path, parts, entry)
            case EntryKind.LINK:
                self._links[path] = posixpath.normpath(posixpath.join(posixpath.dirname(path), entry.target))
            case EntryKind.HARD_LINK:
                self._links[path] = "/".join(parts_of(self._archive, entry.target))
            case EntryKind.FOLDER:
                pass

    def _take(self, path: str, parts: tuple[str, ...], entry: Entry) -> None:
        digest = hashlib.sha1(usedforsecurity=False)
        kept = len(parts) == 2 and parts[1] in (SUMS, SUMS_SUM, VERSION, UP_TO_DATE)
        if kept and entry.size > _MOST_SUMS:
            raise LimitExceeded(self._archive, entry.name, "archive_bytes", _MOST_SUMS, f"{entry.size} bytes of sums")
        data = b"".join(_hashed(entry.content, digest, kept=kept))
        self._sha1[path] = digest.hexdigest()
        if kept:
            self._small[parts[1]] = data

    def judged(self) -> Content:
        """The archive, if its sums are right. Errors: BadSums."""
        problems = list(self._shape())
        if not problems:
            problems += self._compared(SUMS) + self._compared(SUMS_SUM)
            if f"{self._root}/{SUMS}" not in {path for _, path in _lines(self._small[SUMS_SUM])}:
                problems.append(f"{SUMS_SUM} does not cover {SUMS}")
        if problems:
            raise BadSums(self._archive, problems)
        version = self._small.get(VERSION)
        return Content(
            root=self._root,
            sums=self._small[SUMS],
            files=len(list(_lines(self._small[SUMS]))),
            version=None if version is None else version.decode("utf-8", "replace").strip(),
            up_to_date=UP_TO_DATE in self._small,
        )

    @property
    def _root(self) -> str:
        return next(iter(self._roots))

    def _shape(self) -> Iterable[str]:
        if len(self._roots) != 1:
            yield f"it has {len(self._roots)} roots: {', '.join(sorted(self._roots)[:5])}" if self._roots else "empty"
            return
        if self._loose:
            yield f"its root is no folder: {self._loose[0]}"
        yield from (f"{self._root}/{name} is missing" for name in (SUMS, SUMS_SUM) if name not in self._small)

    def _compared(self, name: str) -> list[str]:
        text, problems = self._small[name], []
        listed = list(_lines(text))
        if not listed or len(listed) != len(text.splitlines()):
            problems.append(f"{name} has lines that are no sums")
        for wanted, path in listed:
            found = self._sha1_of(path)
            if found is None:
                problems.append(f"{name} names {path}, which is not there")
            elif found != wanted:
                problems.append(f"{path} has sha1 {found}; {name} says {wanted}")
        return problems

    def _sha1_of(self, path: str) -> str | None:
        """Of what the path leads to, as sha1sum would find it."""
        for _ in range(len(self._links) + 1):
            if path not in self._links:
                break
            path = self._links[path]
        return self._sha1.get(path)


def _hashed(content: Readable, digest: hashlib._Hash, *, kept: bool) -> Iterable[bytes]:
    while data := content.read(_BLOCK):
        digest.update(data)
        if kept:
            yield data


def _lines(text: bytes) -> Iterable[tuple[str, str]]:
    """(sha1, path) of each line that is one, in the order of the file. A leading backslash: the name is escaped."""
    for line in text.splitlines():
        found = _LINE.fullmatch(line)
        if found is None:
            continue
        path = found[3].replace(b"\\n", b"\n").replace(b"\\\\", b"\\") if found[1] else found[3]
        yield found[2].decode().lower(), posixpath.normpath(path.decode("utf-8", "surrogateescape"))


def sums_text(sha1: Mapping[str, str]) -> bytes:
    """Lines as `sha1sum -b` writes them, sorted by path. Names with newlines have no place in these archives."""
    lines = (f"{sha1[path]} *{path}\n" for path in sorted(sha1))
    return "".join(lines).encode("utf-8", "surrogateescape")
