"""The tree of a commit as a list, checked before anything of it is written. Pure."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

from rearch.host.sources.git_errors import GitHostile
from rearch.model.limits import Limits

Kind = Literal["file", "executable", "link", "submodule"]

# git writes 100644 and 100755; 100664 is what it wrote before 2005, and still reads.
_KINDS: dict[str, Kind] = {
    "100644": "file",
    "100664": "file",
    "100755": "executable",
    "120000": "link",
    "160000": "submodule",
}

# What macOS leaves out when it compares names: git's utf8.c, next_hfs_char.
_HFS_IGNORED = re.compile("[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]")


class Entry(Struct, frozen=True, kw_only=True):
    """One file of a tree. `path` may hold surrogates, where it is not UTF-8; `size` in bytes, of a submodule 0."""

    path: str
    kind: Kind
    object: str
    size: int


class Budget(Struct):
    """How much a tree with all of its submodules may still cost."""

    entries: int
    bytes: int

    @classmethod
    def of(cls, limits: Limits) -> Budget:
        return cls(limits.archive_entries, limits.archive_bytes)

    def spend(self, url: str, tree: Iterable[Entry]) -> None:
        """Errors: GitHostile."""
        for entry in tree:
            self.entries -= 1
            self.bytes -= entry.size
        if self.entries < 0 or self.bytes < 0:
            what = "files" if self.entries < 0 else "bytes"
            raise GitHostile(url, f"it has more {what} than the limits allow", ("see `limits:` in rearch.yaml",))


class ObjectMissing(ValueError):
    """A tree names an object that is not there."""


def parse_tree(data: bytes, url: str) -> tuple[Entry, ...]:
    """Read and check `git ls-tree -r -z -l`. Errors: GitHostile; ObjectMissing."""
    entries = tuple(_entry(line, url) for line in data.split(b"\0") if line)
    seen: set[str] = set()
    folders: set[str] = set()
    for entry in entries:
        problem = path_problem(entry.path)
        if problem:
            raise GitHostile(url, f"a path that {problem}", (repr(entry.path),))
        if entry.path in seen:
            raise GitHostile(url, "two files of one name", (repr(entry.path),))
        seen.add(entry.path)
        folders |= _parents(entry.path, folders)
    both = seen & folders
    if both:
        raise GitHostile(url, "a name that is both a file and a folder", tuple(map(repr, sorted(both)[:5])))
    return entries


def _entry(line: bytes, url: str) -> Entry:
    head, _, name = line.partition(b"\t")
    mode, _kind, object_id, size = head.decode("ascii").split()
    path = os.fsdecode(name)
    if mode not in _KINDS:
        raise GitHostile(url, f"a file of mode {mode}", (repr(path),))
    if size != "-" and not size.isdigit():
        raise ObjectMissing(path)
    return Entry(path=path, kind=_KINDS[mode], object=object_id, size=0 if size == "-" else int(size))


def _parents(path: str, known: set[str]) -> set[str]:
    found = set()
    while "/" in path:
        path = path.rpartition("/")[0]
        if path in known:
            break
        found.add(path)
    return found


def path_problem(path: str) -> str | None:
    """Why a path of a tree must not be written; None when it may. The rules of git's verify_path, on every system.

    A `.git` in any spelling that some file system takes for it would be a repository's own folder there.
    """
    for part in path.split("/"):
        if part in ("", ".", ".."):
            return "climbs or is not plain"
        if is_dot_git(part):
            return "is a spelling of .git"
    return "holds a NUL" if "\0" in path else None


def is_dot_git(name: str) -> bool:
    """Whether ext4, HFS+ or NTFS may read this name as `.git`."""
    hfs = _HFS_IGNORED.sub("", unicodedata.normalize("NFKC", name)).casefold()
    ntfs = re.split(r"[:\\]", name, maxsplit=1)[0].rstrip(" .").casefold()
    return hfs == ".git" or ntfs in (".git", "git~1") or (r"\.git" in name.casefold())
