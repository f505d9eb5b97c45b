"""Writes the file tree of an image to disk, for programs to be started in it.

Every path of an ImageTree has real folders above it, links followed when the tree was made; so nothing is written
through a link, and nothing outside of the target. Each layer is read once.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from msgspec import Struct

from rearch.formats.archive_errors import CannotWrite
from rearch.formats.hashing import blocks
from rearch.oci.entry import EntryKind, LayerEntry
from rearch.oci.image_tree import ImageTree, TreeEntry
from rearch.oci.read_layer import layer_entries, open_layer

_SPECIAL = (EntryKind.CHARACTER, EntryKind.BLOCK, EntryKind.FIFO)


class ExtractedTree(Struct, frozen=True, kw_only=True):
    """What was done. `skipped` are the devices and fifos, which are not made."""

    entries: int
    skipped: tuple[str, ...]


def extract_tree(tree: ImageTree, into: Path, *, owners: bool | None = None) -> ExtractedTree:
    """Write the tree into an empty folder: modes are kept, also setuid; times and extended attributes are not.

    `owners`: set them, which only root can; left out: where we are root. Hard links stay links.
    Errors: CannotWrite (the disk, a name that the file system does not take); those of open_layer and layer_entries.
    """
    writer = _Writer(into, os.geteuid() == 0 if owners is None else owners)
    try:
        for path, found in tree.entries.items():  # sorted: a folder comes before what is in it
            writer.add(path, found.entry)
        contents = _contents(tree)
        for number, layer in enumerate(tree.layers):
            if wanted := contents.get(number):
                with open_layer(tree.layout, layer) as stream:
                    for place, (_, content) in enumerate(layer_entries(stream)):
                        if names := wanted.get(place):
                            writer.file(names, tree.entries[names[0]].entry, content)
        writer.finish(tree.entries)
    except OSError as error:
        raise CannotWrite(error.filename or str(into), error) from error
    return ExtractedTree(entries=len(tree.entries) - len(writer.skipped), skipped=tuple(writer.skipped))


def _contents(tree: ImageTree) -> dict[int, dict[int, list[str]]]:
    """Layer -> number of the entry -> the paths that have its content."""
    found: dict[int, dict[int, list[str]]] = {}
    for path, entry in tree.entries.items():
        if entry.entry.kind is EntryKind.FILE:
            found.setdefault(entry.layer, {}).setdefault(entry.number, []).append(path)
    return found


class _Writer:
    """Makes entries below one folder. Folders get their modes at the end, when nothing is put into them any more."""

    def __init__(self, into: Path, owners: bool) -> None:
        self._into = into
        self._owners = owners
        self.skipped: list[str] = []

    def add(self, path: str, entry: LayerEntry) -> None:
        """Everything but files."""
        place = self._into / path
        if entry.kind is EntryKind.DIRECTORY:
            place.mkdir(0o700)
        elif entry.kind is EntryKind.SYMLINK:
            place.symlink_to(entry.target)
            self._own(place, entry)
        elif entry.kind in _SPECIAL:
            self.skipped.append(path)

    def file(self, names: Sequence[str], entry: LayerEntry, content: BinaryIO | None) -> None:
        place = self._into / names[0]
        with place.open("xb") as out:
            if content is not None:
                for data in blocks(content):
                    out.write(data)
            if self._owners:
                os.fchown(out.fileno(), entry.uid, entry.gid)
            os.fchmod(out.fileno(), entry.mode)  # after the owner, who takes setuid away
        for name in names[1:]:
            (self._into / name).hardlink_to(place)

    def finish(self, entries: Mapping[str, TreeEntry]) -> None:
        for path, found in reversed(tuple(entries.items())):
            if found.entry.kind is EntryKind.DIRECTORY:
                self._own(self._into / path, found.entry)
                (self._into / path).chmod(found.entry.mode)

    def _own(self, place: Path, entry: LayerEntry) -> None:
        if self._owners:
            os.chown(place, entry.uid, entry.gid, follow_symlinks=False)
