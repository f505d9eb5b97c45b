"""The context as a tree: files and links below one folder, without what `.dockerignore` leaves out."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from rearch.formats.tree import Kind, TreeEntry, link_text, walk
from rearch.model.frozen import NOTHING
from rearch.oci.embedded.tree import Node, Tree, parents
from rearch.oci.entry import EntryKind, LayerEntry
from rearch.oci.ignore import IgnoreRules, read_ignore

_KINDS = {Kind.FILE: EntryKind.FILE, Kind.FOLDER: EntryKind.DIRECTORY, Kind.LINK: EntryKind.SYMLINK}
IGNORE_FILE = ".dockerignore"


class Context(Tree):
    """The context's tree. Everything in it belongs to 0:0 (Dockerfile reference, "COPY --chown --chmod")."""

    def __init__(self, folder: Path, digests: Mapping[str, str] = NOTHING) -> None:
        """`digests`: path -> sha256 of the content, of files that were hashed before."""
        self._rules = _rules(folder)
        super().__init__(_nodes(folder, self._rules, digests), "the context", rooted=False)
        self._folder = folder

    def left_out(self, path: str) -> bool:
        """Whether something is in the folder, but `.dockerignore` leaves it out."""
        return self._rules.ignored(path) and os.path.lexists(self._folder / path)


def _rules(folder: Path) -> IgnoreRules:
    try:
        text = (folder / IGNORE_FILE).read_text("utf-8", "surrogateescape")
    except FileNotFoundError:
        return IgnoreRules(())
    return read_ignore(text, IGNORE_FILE)


def _nodes(folder: Path, rules: IgnoreRules, digests: Mapping[str, str]) -> dict[str, Node]:
    # A folder that is left out need not be looked into, unless a later pattern may bring back what is in it.
    prune = rules.ignored if rules and not rules.brings_back else None
    found = {entry.path: entry for entry in walk(folder, prune)}
    if rules.brings_back:
        kept = {path for path in found if not rules.ignored(path)}
        kept |= {above for path in kept for above in parents(path)}
        found = {path: entry for path, entry in found.items() if path in kept}
    return {path: _node(folder, entry, digests.get(path)) for path, entry in found.items()}


def _node(folder: Path, entry: TreeEntry, digest: str | None) -> Node:
    place, kind = folder / entry.path, _KINDS[entry.kind]
    return Node(
        entry=LayerEntry(
            path=entry.path,
            kind=kind,
            mode=0o777 if kind is EntryKind.SYMLINK else stat.S_IMODE(entry.stat.st_mode),
            size=entry.stat.st_size if kind is EntryKind.FILE else 0,
            target=link_text(place) if kind is EntryKind.SYMLINK else "",
            content=place if kind is EntryKind.FILE else None,
            digest=digest if kind is EntryKind.FILE else None,
        )
    )
