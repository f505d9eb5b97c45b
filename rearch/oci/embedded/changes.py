"""What one instruction changes in a tree, and the layer that this makes."""

from __future__ import annotations

from collections.abc import Hashable

from msgspec import Struct, field
from msgspec.structs import replace

from rearch.formats.archive_entry import check_target, parts_of
from rearch.formats.archive_errors import BadName, shown
from rearch.oci.dockerfile.errors import Trouble
from rearch.oci.dockerfile.values import Mode
from rearch.oci.embedded.contents import Contents
from rearch.oci.embedded.owners import Owner
from rearch.oci.embedded.tree import Node, Tree, order
from rearch.oci.entry import EntryKind, LayerEntry
from rearch.oci.image_tree import WHITEOUT

_ROOT = Owner(0, 0)


class Changes(Struct):
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
        missing = list[str]()
        while (node := self.tree.get(path)) is None:
            missing.append(path)
            path = path.rpartition("/")[0]
        if not node.folder:
            raise Trouble(f"/{path} is a {node.entry.kind.value} in the image, and no folder")
        owner = self.owner or _ROOT
        for folder in reversed(missing):
            entry = LayerEntry(
                path=folder, kind=EntryKind.DIRECTORY, mode=0o755, uid=owner.uid, gid=owner.gid, mtime=self.epoch
            )
            self._set(folder, Node(entry=entry))

    def put(self, path: str, node: Node) -> None:
        """Put something there, with --chown and --chmod. Errors: Trouble where a folder would become a file, or a file
        or link a folder."""
        before = self.tree.get(path)
        if before is not None and before.folder != node.folder:
            there = "a folder" if before.folder else f"a {before.entry.kind.value}{_leads(before)}"
            raise Trouble(f"/{path} is {there} in the image, and a {node.entry.kind.value} in the source")
        entry = node.entry
        keeps = self.mode is None or entry.kind is EntryKind.SYMLINK
        mode = entry.mode if keeps or self.mode is None else self.mode.of(entry.mode, folder=node.folder)
        self._lay(path, node, mode, self.owner or Owner(entry.uid, entry.gid))

    def lay(self, path: str, node: Node) -> None:
        """Put something there as it is, but for its time; what was there is gone, but for a folder under a folder.

        Errors: Trouble for a name that no layer may have.
        """
        self._lay(path, node, node.entry.mode, Owner(node.entry.uid, node.entry.gid))

    def _lay(self, path: str, node: Node, mode: int, owner: Owner) -> None:
        before = self.tree.get(path)
        if before is not None and not (before.folder and node.folder):
            self._paths.difference_update(self.tree.remove(path))
        same: Hashable | None = None if node.same is None else (self._token, node.same)
        entry = replace(node.entry, path=path, mode=mode, uid=owner.uid, gid=owner.gid, mtime=self.epoch)
        self._set(path, Node(entry=entry, image=node.image, at=node.at, same=same))

    def _set(self, path: str, node: Node) -> None:
        _check_name(path, node.entry)
        self.tree.put(path, node)
        self._paths.add(path)

    def entries(self, contents: Contents) -> tuple[LayerEntry, ...]:
        """The layer: what was changed, and the folders above it as the tree has them; sorted, parents first.

        They have to be there: Docker's overlay2 driver unpacks a layer by itself, and a folder that it makes for
        want of an entry hides the mode and owner of the one below.
        """
        nodes = {path: self.tree.nodes[path] for path in self._with_above()}
        contents.take(nodes.values())
        first: dict[Hashable, str] = {}
        return tuple(self._entry(nodes[path], contents, first) for path in sorted(nodes, key=order))

    def _with_above(self) -> set[str]:
        found = set[str]()
        for path in self._paths:
            while path and path not in found:
                found.add(path)
                path = path.rpartition("/")[0]  # noqa: PLW2901 - upwards, until somebody was there before
        return found

    def _entry(self, node: Node, contents: Contents, first: dict[Hashable, str]) -> LayerEntry:
        entry = node.entry
        if entry.kind is not EntryKind.FILE:
            return entry if entry.mtime == self.epoch else replace(entry, mtime=self.epoch)
        if node.same is not None and (known := first.setdefault(node.same, entry.path)) != entry.path:
            return replace(
                entry, kind=EntryKind.HARDLINK, target=known, size=0, mtime=self.epoch, content=None, digest=None
            )
        content = contents.of(node)
        return replace(entry, mtime=self.epoch, content=content.path, digest=content.digest)


def _check_name(path: str, entry: LayerEntry) -> None:
    """Whether those who read the layer will take it: by the rule of rearch's own reader (oci/read_layer_tar.py).

    Errors: Trouble.
    """
    if path.rpartition("/")[2].startswith(WHITEOUT):
        raise Trouble(f"/{path}: in a layer, a name that begins with {WHITEOUT} removes a file", "name it otherwise")
    try:
        parts_of("", path)
        if entry.kind is EntryKind.SYMLINK:
            check_target("", path, entry.target)
    except BadName as error:
        text = f"{shown(f'/{path}')} {error.why}: who reads the image refuses a layer with that"
        raise Trouble(text, "name it otherwise") from None


def _leads(node: Node) -> str:
    return f" to {node.entry.target}" if node.entry.kind is EntryKind.SYMLINK else ""
