"""The file tree of an image: its layers put over one another, as the engines do it, without unpacking anything.

    tree = read_tree(layout, manifest.layers, cache)
    tree.resolve("/bin/sh")            # "usr/bin/dash": links followed inside the root
    tree.read("etc/passwd", 1 << 20)

Rules: OCI image specification 1.1, "Image Layer Filesystem Changeset" (whiteouts act on lower layers alone, whatever
their place in the tar); for what it leaves open, containerd's and moby's way of unpacking: a folder over a folder joins
it, anything else replaces what was there; the parents of a path are followed through links, inside the root.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

from msgspec import Struct
from msgspec.structs import replace

from rearch.errors import VerificationError
from rearch.formats.printable import printable
from rearch.oci.entry import EntryKind, LayerEntry
from rearch.oci.image_tree_index import layer_index
from rearch.oci.read_layer import layer_entries, open_layer
from rearch.oci.types import Descriptor

WHITEOUT = ".wh."
OPAQUE = ".wh..wh..opq"
# As the kernel: path_resolution(7).
MAX_LINKS = 40


class BrokenTree(VerificationError):
    """Layers that cannot be put over one another, or a path that leads nowhere."""

    def __init__(self, path: str, why: str) -> None:
        self.path = path
        self.why = why
        super().__init__(f"/{printable(path)}: {why}", hint="build the image again, or take it from its source again")


class TreeEntry(Struct, frozen=True, kw_only=True):
    """A path of the tree. `entry` is what its layer says, with the tree's `path`, and with a file's own kind for a hard
    link to it. `layer` (0 is the lowest) and `number` (in the order of the layer's tar) say which entry has the
    content: names of one file have the same. A folder that no layer names, but files in it, has the number -1.
    """

    entry: LayerEntry
    layer: int
    number: int


class Missing(Struct, frozen=True, kw_only=True):
    """Why a path does not resolve: `at` is the first path that is not there, or the link that never ends."""

    at: str
    loop: bool = False


class ImageTree:
    """`entries`: path (relative, no slash at either end) -> entry. The root itself is not in it."""

    def __init__(self, layout: Path, layers: Sequence[Descriptor], entries: Mapping[str, TreeEntry]) -> None:
        self.layout = layout
        self.layers = tuple(layers)
        self.entries = entries

    @cached_property
    def children(self) -> Mapping[str, tuple[str, ...]]:
        """Folder ("" is the root) -> names in it, sorted."""
        found: dict[str, list[str]] = {}
        for path in self.entries:
            folder, _, name = path.rpartition("/")
            found.setdefault(folder, []).append(name)
        return {folder: tuple(sorted(names)) for folder, names in found.items()}

    def find(self, path: str) -> str | Missing:
        """The path that `path` (of the root, or relative to it) leads to, all links followed inside the root; "" is the
        root itself. Whether a name with a slash behind it is a folder is not asked."""
        return follow(self.entries, path)

    def resolve(self, path: str) -> str:
        """The same. Errors: BrokenTree for what is not there."""
        found = self.find(path)
        if isinstance(found, Missing):
            raise BrokenTree(
                path, "a link that leads to itself" if found.loop else f"there is no /{printable(found.at)}"
            )
        return found

    def get(self, path: str) -> TreeEntry | None:
        """What a path leads to; None where it leads to nothing, or to the root."""
        found = self.find(path)
        return self.entries.get(found) if isinstance(found, str) else None

    @contextmanager
    def stream(self, path: str) -> Iterator[BinaryIO]:
        """The content of a file, links followed. The layer is read from its beginning to there.

        Errors: BrokenTree; those of open_layer and layer_entries.
        """
        found = self.entries.get(self.resolve(path))
        if found is None or found.entry.kind is not EntryKind.FILE:
            raise BrokenTree(path, "it is no file")
        with open_layer(self.layout, self.layers[found.layer]) as layer:
            for number, (_, content) in enumerate(layer_entries(layer)):
                if number == found.number and content is not None:
                    yield content
                    return
        raise BrokenTree(path, "the layer has changed while it was read")

    def read(self, path: str, limit: int) -> bytes:
        """The content of a small file. Errors: as `stream`; BrokenTree where it has more than `limit` bytes."""
        with self.stream(path) as content:
            data = content.read(limit + 1)
        if len(data) > limit:
            raise BrokenTree(path, f"it has more than {limit} bytes")
        return data


def read_tree(layout: Path, layers: Sequence[Descriptor], cache: Path | None) -> ImageTree:
    """The tree of these layers, lowest first. `cache`: see layer_index. Errors: BrokenTree, those of layer_index."""
    indexes = [layer_index(layout, layer, cache) for layer in layers]
    return ImageTree(layout, layers, overlay(indexes))


def overlay(layers: Sequence[Sequence[LayerEntry]]) -> dict[str, TreeEntry]:
    """Put the layers' entries over one another: path -> entry, sorted by path. Errors: BrokenTree."""
    tree = _Growing()
    for number, entries in enumerate(layers):
        _whiteouts(tree, entries)
        maker = _Layer(tree, number)
        for place, entry in enumerate(entries):
            maker.add(place, entry)
    return dict(sorted(tree.entries.items()))


def follow(entries: Mapping[str, TreeEntry], path: str) -> str | Missing:
    """Where a path leads in these entries (see ImageTree.find)."""
    todo = [part for part in reversed(path.split("/")) if part not in ("", ".")]
    here: list[str] = []
    links = 0
    while todo:
        part = todo.pop()
        if part == "..":
            here = here[:-1]
            continue
        place = "/".join((*here, part))
        found = entries.get(place)
        if found is None or (todo and found.entry.kind not in (EntryKind.DIRECTORY, EntryKind.SYMLINK)):
            return Missing(at=place)
        if found.entry.kind is not EntryKind.SYMLINK:
            here.append(part)
            continue
        links += 1
        if links > MAX_LINKS:
            return Missing(at=place, loop=True)
        target = found.entry.target
        here = [] if target.startswith("/") else here
        todo += [step for step in reversed(target.split("/")) if step not in ("", ".")]
    return "/".join(here)


class _Growing:
    """A tree while layers are put on it. `inside` is folder -> paths in it, so that removing costs what is removed."""

    def __init__(self) -> None:
        self.entries: dict[str, TreeEntry] = {}
        self._inside: dict[str, set[str]] = {}

    def put(self, path: str, entry: TreeEntry) -> None:
        self.entries[path] = entry
        self._inside.setdefault(path.rpartition("/")[0], set()).add(path)

    def remove(self, path: str) -> None:
        """A path and all that is below it."""
        if self.entries.pop(path, None) is not None:
            self._inside[path.rpartition("/")[0]].discard(path)
            self.empty(path)

    def empty(self, folder: str) -> None:
        """All that is below a folder."""
        todo = [folder]
        while todo:
            for path in self._inside.pop(todo.pop(), ()):
                del self.entries[path]
                todo.append(path)


def _whiteouts(tree: _Growing, entries: Sequence[LayerEntry]) -> None:
    for entry in entries:
        folder, _, name = entry.path.rpartition("/")
        if not name.startswith(WHITEOUT):
            continue
        place = follow(tree.entries, folder)
        if isinstance(place, Missing):
            continue
        if name == OPAQUE:
            tree.empty(place)
        else:
            tree.remove(f"{place}/{name[len(WHITEOUT) :]}".lstrip("/"))


class _Layer:
    """Adds the entries of one layer, in their order."""

    def __init__(self, tree: _Growing, number: int) -> None:
        self._tree = tree
        self._number = number
        self._folders: dict[str, str] = {"": ""}

    def add(self, place: int, entry: LayerEntry) -> None:
        folder, _, name = entry.path.rpartition("/")
        if name.startswith(WHITEOUT) or not entry.path:
            return
        path = f"{self._folder(folder)}/{name}".lstrip("/")
        made = TreeEntry(entry=replace(entry, path=path), layer=self._number, number=place)
        if entry.kind is EntryKind.HARDLINK:
            made = self._linked(path, entry)
        before = self._tree.entries.get(path)
        if before is not None and not (before.entry.kind is made.entry.kind is EntryKind.DIRECTORY):
            self._tree.remove(path)
            self._folders = {"": ""}
        self._tree.put(path, made)

    def _folder(self, folder: str) -> str:
        """Where a folder of the layer lies in the tree; one that nobody has named is made."""
        known = self._folders.get(folder)
        if known is None:
            parent, _, name = folder.rpartition("/")
            known = self._folders[folder] = self._child(self._folder(parent), name)
        return known

    def _child(self, parent: str, name: str) -> str:
        path = f"{parent}/{name}".lstrip("/")
        if path not in self._tree.entries:
            entry = LayerEntry(path=path, kind=EntryKind.DIRECTORY, mode=0o755)
            self._tree.put(path, TreeEntry(entry=entry, layer=self._number, number=-1))
        place = follow(self._tree.entries, path)
        if isinstance(place, Missing):
            raise BrokenTree(path, "a layer puts files below it, and it is a link that leads to no folder")
        if place and self._tree.entries[place].entry.kind is not EntryKind.DIRECTORY:
            raise BrokenTree(path, "a layer puts files below it, and it is no folder")
        return place

    def _linked(self, path: str, entry: LayerEntry) -> TreeEntry:
        folder, _, name = entry.target.rpartition("/")
        place = follow(self._tree.entries, folder)
        found = self._tree.entries.get(f"{place}/{name}".lstrip("/")) if isinstance(place, str) else None
        if found is None or found.entry.kind is EntryKind.DIRECTORY:
            raise BrokenTree(path, f"a hard link to /{printable(entry.target)}, which is no file below it")
        return replace(found, entry=replace(found.entry, path=path))
