"""What one instruction changes in a tree, and the layer that this makes."""

from __future__ import annotations

import posixpath
from collections.abc import Hashable
from dataclasses import dataclass, field, replace

from rearch.oci.dockerfile.errors import Trouble
from rearch.oci.dockerfile.values import Mode
from rearch.oci.embedded.contents import Contents
from rearch.oci.embedded.owners import Owner
from rearch.oci.embedded.tree import Node, Tree, order, parents
from rearch.oci.entry import EntryKind, LayerEntry
from rearch.oci.image_tree import WHITEOUT

_ROOT = Owner(0, 0)


@dataclass(slots=True)
class Changes:
    """The changes of one instruction to `tree`, which has them at once.

    `owner` and `mode` are what --chown and --chmod say; without them things keep what they have. All times are `epoch`.
    """

    tree: Tree
    epoch: int
    owner: Owner | None = None
    mode: Mode | None = None
    _paths: set[str] = field(default_factory=set)
    _token: object = field(default_factory=object)

    def __bool__(self) -> bool:
        return bool(self._paths)

    def folders(self, path: str) -> None:
        """Make a folder and those above it where they are missing: 0755, of --chown's owner, as BuildKit does it."""
        for folder in (*parents(path), path):
            node = self.tree.get(folder)
            if node is None:
                owner = self.owner or _ROOT
                entry = LayerEntry(
                    path=folder, kind=EntryKind.DIRECTORY, mode=0o755, uid=owner.uid, gid=owner.gid, mtime=self.epoch
                )
                self._set(folder, Node(entry=entry))
            elif not node.folder:
                raise Trouble(f"/{folder} is a {node.entry.kind.value} in the image, and no folder")

    def put(self, path: str, node: Node) -> None:
        """Put something there, with --chown and --chmod. Errors: Trouble where a folder would become a file, or a file
        or link a folder."""
        before = self.tree.get(path)
        if before is not None and before.folder != node.folder:
            there = "a folder" if before.folder else f"a {before.entry.kind.value}{_leads(before)}"
            raise Trouble(f"/{path} is {there} in the image, and a {node.entry.kind.value} in the source")
        entry, folder = node.entry, node.folder
        owner = self.owner or Owner(entry.uid, entry.gid)
        keeps = self.mode is None or entry.kind is EntryKind.SYMLINK
        mode = entry.mode if keeps or self.mode is None else self.mode.of(entry.mode, folder=folder)
        self.lay(path, replace(node, entry=replace(entry, mode=mode, uid=owner.uid, gid=owner.gid)))

    def lay(self, path: str, node: Node) -> None:
        """Put something there as it is, but for its time; what was there is gone, but for a folder under a folder."""
        if posixpath.basename(path).startswith(WHITEOUT):
            raise Trouble(
                f"/{path}: in a layer, a name that begins with {WHITEOUT} removes a file", "name it otherwise"
            )
        before = self.tree.get(path)
        if before is not None and not (before.folder and node.folder):
            self.tree.remove(path)
            self._paths = {kept for kept in self._paths if not kept.startswith(f"{path}/")}
        same: Hashable | None = None if node.same is None else (self._token, node.same)
        self._set(path, replace(node, entry=replace(node.entry, path=path, mtime=self.epoch), same=same))

    def _set(self, path: str, node: Node) -> None:
        self.tree.nodes[path] = node
        self._paths.add(path)

    def entries(self, contents: Contents) -> tuple[LayerEntry, ...]:
        """The layer: what was changed, and the folders above it as the tree has them; sorted, parents first.

        They have to be there: Docker's overlay2 driver unpacks a layer by itself, and a folder that it makes for
        want of an entry hides the mode and owner of the one below.
        """
        nodes = {path: self.tree.nodes[path] for path in self._paths}
        for path in self._paths:
            nodes |= {above: self.tree.nodes[above] for above in parents(path)}
        contents.take(nodes.values())
        first: dict[Hashable, str] = {}
        return tuple(self._entry(nodes[path], contents, first) for path in sorted(nodes, key=order))

    def _entry(self, node: Node, contents: Contents, first: dict[Hashable, str]) -> LayerEntry:
        entry = replace(node.entry, mtime=self.epoch)
        if entry.kind is not EntryKind.FILE:
            return entry
        if node.same is not None and (known := first.setdefault(node.same, entry.path)) != entry.path:
            return replace(entry, kind=EntryKind.HARDLINK, target=known, size=0, content=None, digest=None)
        content = contents.of(node)
        return replace(entry, content=content.path, digest=content.digest)


def _leads(node: Node) -> str:
    return f" to {node.entry.target}" if node.entry.kind is EntryKind.SYMLINK else ""
