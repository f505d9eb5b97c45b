"""A file tree that is copied from, or that grows: paths -> nodes."""

from __future__ import annotations

import posixpath
from collections.abc import Hashable, Iterator, Mapping
from pathlib import Path

from msgspec import Struct

from rearch.oci.dockerfile.errors import Trouble
from rearch.oci.entry import EntryKind, LayerEntry
from rearch.oci.image_tree import MAX_LINKS, TreeEntry
from rearch.oci.types import Descriptor

ROOT = LayerEntry(path="", kind=EntryKind.DIRECTORY, mode=0o755)


class Layers(Struct, frozen=True, eq=False, kw_only=True):
    """The layers of an image, the lowest first, and the layout they are in. `name` is the image's, for messages."""

    name: str
    layout: Path
    layers: tuple[Descriptor, ...]


class Node(Struct, frozen=True, kw_only=True):
    """One path. `entry.content` says where a file's bytes are, else they are in `image`, in the layer and at the place
    that `at` says. `same` is equal for the names of one file; None: it has no other. Hard links are such names.
    """

    entry: LayerEntry
    image: Layers | None = None
    at: tuple[int, int] = (0, 0)
    same: Hashable | None = None

    @property
    def folder(self) -> bool:
        return self.entry.kind is EntryKind.DIRECTORY


_ROOT = Node(entry=ROOT)


class Tree:
    """`nodes`: path (relative, no slash at either end) -> node; every folder is in it but the root, "".

    `rooted`: absolute links start at the tree's root. In a tree that is not (the context), they lead out of it.
    """

    def __init__(self, nodes: Mapping[str, Node], name: str, *, rooted: bool = True) -> None:
        self._nodes = dict(nodes)
        self.name = name
        self._rooted = rooted
        self._inside: dict[str, set[str]] | None = None

    @property
    def nodes(self) -> Mapping[str, Node]:
        """All of it. Changed by `put` and `remove` alone, which know what is in which folder."""
        return self._nodes

    def get(self, path: str) -> Node | None:
        """What is there, links not followed."""
        return self._nodes.get(path) if path else _ROOT

    def below(self, folder: str) -> Iterator[tuple[str, Node]]:
        """All that is in a folder: path relative to it, and node; parents first, in the order of the names' bytes."""
        start = len(folder) + 1 if folder else 0
        for path in sorted(self._below(folder), key=order):
            yield path[start:], self._nodes[path]

    def find(self, path: str) -> str | None:
        """Where a path leads, links followed; None where nothing is. Errors: Trouble, see `place`."""
        real = self.place(path, through_files=True)
        return real if real is not None and self.get(real) is not None else None

    def place(self, path: str, *, through_files: bool = False) -> str | None:
        """Where a path leads, links followed; what is not there is taken as it is written.

        None (with `through_files`) or Trouble where a file stands in for a folder. Errors: Trouble for links in a
        circle, and for links that lead out of a tree that is not rooted.
        """
        ahead, real, links = list(reversed(path.split("/"))), list[str](), 0
        while ahead:
            part = ahead.pop()
            if part in ("", "."):
                continue
            if part == "..":
                self._climb(real, path)
                continue
            node = self._nodes.get("/".join((*real, part)))
            if node is not None and node.entry.kind is EntryKind.SYMLINK:
                links += 1
                self._check(path, node, links)
                real = [] if node.entry.target.startswith("/") else real
                ahead += reversed(node.entry.target.split("/"))
                continue
            real.append(part)
            if node is not None and not node.folder and any(step not in ("", ".") for step in ahead):
                if through_files:
                    return None
                raise Trouble(f"/{'/'.join(real)} is a {node.entry.kind.value} in {self.name}, and no folder")
        return "/".join(real)

    def _climb(self, real: list[str], path: str) -> None:
        if real:
            real.pop()
        elif not self._rooted:
            raise Trouble(f"{path} leads out of {self.name}")

    def _check(self, path: str, node: Node, links: int) -> None:
        if links > MAX_LINKS:
            raise Trouble(f"{path} is a link that leads to itself in {self.name}")
        if node.entry.target.startswith("/") and not self._rooted:
            raise Trouble(
                f"{path} leads out of {self.name}: {node.entry.path} is a link to {node.entry.target}",
                "put the file itself there",
            )

    def put(self, path: str, node: Node) -> None:
        """Set what is there; the folder above is in the tree already."""
        if self._inside is not None and path not in self._nodes:
            self._inside.setdefault(posixpath.dirname(path), set()).add(path)
        self._nodes[path] = node

    def remove(self, path: str) -> tuple[str, ...]:
        """Take away what is there, with all below it. Costs what is removed. The paths that are gone."""
        node = self._nodes.get(path)
        if node is None:
            return ()
        gone = (path, *self._below(path)) if node.folder else (path,)
        for each in gone:
            del self._nodes[each]
            if self._inside is not None:
                self._inside.pop(each, None)
        if self._inside is not None:
            self._inside[posixpath.dirname(path)].discard(path)
        return gone

    def _below(self, folder: str) -> list[str]:
        """The paths below a folder."""
        inside, found = self._children(), list[str]()
        todo = [folder]
        while todo:
            paths = inside.get(todo.pop(), ())
            found += paths
            todo += [path for path in paths if path in inside]
        return found

    def _children(self) -> dict[str, set[str]]:
        """Folder -> paths in it; made when it is first asked for: most trees only grow."""
        if self._inside is None:
            self._inside = {}
            for path in self._nodes:
                self._inside.setdefault(posixpath.dirname(path), set()).add(path)
        return self._inside


def order(path: str) -> bytes:
    """The key by which paths are sorted: their bytes."""
    return path.encode("utf-8", "surrogateescape")


def parents(path: str) -> Iterator[str]:
    """The folders above a path, the highest first, without the root."""
    parts = path.split("/")[:-1]
    for depth in range(len(parts)):
        yield "/".join(parts[: depth + 1])


def join(folder: str, name: str) -> str:
    return posixpath.join(folder, name) if folder else name


def image_nodes(image: Layers, entries: Mapping[str, TreeEntry]) -> dict[str, Node]:
    """The nodes of an image's tree, whose `entries` these are."""
    return {
        path: Node(
            entry=found.entry,
            image=image,
            at=(found.layer, found.number),
            same=(image.layers[found.layer].digest, found.number) if found.entry.kind is EntryKind.FILE else None,
        )
        for path, found in entries.items()
    }
