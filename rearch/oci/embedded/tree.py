"""A file tree that is copied from, or that grows: paths -> nodes."""

from __future__ import annotations

import posixpath
from collections.abc import Hashable, Iterator
from dataclasses import dataclass

from rearch.oci.dockerfile.errors import Trouble
from rearch.oci.entry import EntryKind, LayerEntry
from rearch.oci.image_tree import MAX_LINKS, ImageTree

ROOT = LayerEntry(path="", kind=EntryKind.DIRECTORY, mode=0o755)


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One path. `entry.content` says where a file's bytes are, else they are in `image`, in the layer and at the place
    that `at` says. `same` is equal for the names of one file; None: it has no other. Hard links are such names.
    """

    entry: LayerEntry
    image: ImageTree | None = None
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

    def __init__(self, nodes: dict[str, Node], name: str, *, rooted: bool = True) -> None:
        self.nodes = nodes
        self.name = name
        self._rooted = rooted

    def get(self, path: str) -> Node | None:
        """What is there, links not followed."""
        return self.nodes.get(path) if path else _ROOT

    def below(self, folder: str) -> Iterator[tuple[str, Node]]:
        """All that is in a folder: path relative to it, and node; parents first, in the order of the names' bytes."""
        prefix = f"{folder}/" if folder else ""
        found = [path for path in self.nodes if path.startswith(prefix)]
        for path in sorted(found, key=order):
            yield path[len(prefix) :], self.nodes[path]

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
            node = self.nodes.get("/".join((*real, part)))
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

    def remove(self, path: str) -> None:
        """Take away what is there, with all below it."""
        for below in [each for each in self.nodes if each.startswith(f"{path}/")]:
            del self.nodes[below]
        self.nodes.pop(path, None)


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


def image_nodes(image: ImageTree) -> dict[str, Node]:
    """The nodes of an image's tree."""
    return {
        path: Node(
            entry=found.entry,
            image=image,
            at=(found.layer, found.number),
            same=(image.layers[found.layer].digest, found.number) if found.entry.kind is EntryKind.FILE else None,
        )
        for path, found in image.entries.items()
    }
