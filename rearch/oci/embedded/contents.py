"""Contents of files: hashed once, and taken out of layers where they are still inside of one."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct, field

from rearch.formats.archive_errors import CannotWrite
from rearch.formats.hashing import Readable, copy_hashed
from rearch.oci.base_layers import told_of_base
from rearch.oci.embedded.tree import Layers, Node
from rearch.oci.entry import EntryKind
from rearch.oci.image_tree import BrokenTree
from rearch.oci.layer_stream import content_digest
from rearch.oci.read_layer import layer_entries, open_layer


class Content(Struct, frozen=True):
    """A file's bytes on disk; `digest` is their sha256 in hexadecimal."""

    path: Path
    digest: str


class Contents(Struct):
    """Where the bytes are. `folder` is for what is taken out of layers; nothing else lies there."""

    folder: Path
    _hashed: dict[Path, Content] = field(default_factory=dict)
    _taken: dict[tuple[str, int], Content] = field(default_factory=dict)

    def keep(self, stream: Readable) -> tuple[Content, int]:
        """Write a stream down, and hash it in the same pass; its size too. Errors: CannotWrite."""
        self.folder.mkdir(parents=True, exist_ok=True)
        place = self.folder / str(len(self._hashed))
        try:
            with place.open("xb") as file:
                digest, size = copy_hashed(stream, file)
        except OSError as error:
            raise CannotWrite(str(place), error) from error
        content = self._hashed[place] = Content(place, digest)
        return content, size

    def of(self, node: Node) -> Content:
        """The bytes of a file; one in a layer must have been taken out before (`take`).

        Errors: ContentChanged, ContentUnreadable.
        """
        path = node.entry.content
        if path is None:
            assert node.image is not None
            return self._taken[_key(node.image, node.at)]
        known = self._hashed.get(path)
        if known is None:
            known = self._hashed[path] = Content(path, node.entry.digest or content_digest(node.entry, path))
        return known

    def take(self, nodes: Iterable[Node]) -> None:
        """Take files out of the layers that they are in; each layer is read once.

        Errors: BadBaseLayer, BrokenTree; those of open_layer for a blob that is missing or damaged.
        """
        wanted: dict[Layers, dict[int, set[int]]] = {}
        for node in nodes:
            if node.entry.kind is not EntryKind.FILE or node.entry.content is not None or node.image is None:
                continue
            if _key(node.image, node.at) not in self._taken:
                wanted.setdefault(node.image, {}).setdefault(node.at[0], set()).add(node.at[1])
        for image, layers in wanted.items():
            for layer, numbers in sorted(layers.items()):
                self._read(image, layer, numbers)

    def _read(self, image: Layers, layer: int, numbers: set[int]) -> None:
        found: dict[tuple[str, int], Content] = {}
        digest = image.layers[layer].digest
        with told_of_base(image.name, layer + 1, digest), open_layer(image.layout, image.layers[layer]) as stream:
            for number, (_, content) in enumerate(layer_entries(stream)):
                if number in numbers and content is not None:
                    found[_key(image, (layer, number))] = self.keep(content)[0]
        # Only now is the layer's digest known to be right.
        if len(found) != len(numbers):
            raise BrokenTree("", f"layer {layer + 1} ({digest}) of {image.name} has changed while it was read")
        self._taken |= found


def _key(image: Layers, at: tuple[int, int]) -> tuple[str, int]:
    return image.layers[at[0]].digest, at[1]
