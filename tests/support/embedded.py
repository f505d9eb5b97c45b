"""The embedded builder under one call, and its results as lines: `path`: `kind mode uid:gid content`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rearch.model.platform import Platform, parse_platform
from rearch.oci.embedded import build_embedded
from rearch.oci.entry import EntryKind, LayerEntry
from rearch.oci.image_tree import ImageTree, read_tree
from rearch.oci.layout import LayoutImage, put_bytes, read_image, start_layout, write_index_json
from rearch.oci.order import BuiltImage, ImageOrder
from rearch.oci.read_layer import layer_entries, open_layer
from rearch.oci.types import OCI_CONFIG, OCI_MANIFEST, Compression, Manifest, RunConfig, Types, document_bytes

EPOCH = 1_600_000_000
ARM64 = parse_platform("linux/arm64")


@dataclass(frozen=True)
class Built:
    """A result and the layout that it was left in."""

    image: BuiltImage
    layout: Path
    said: tuple[str, ...]

    @property
    def run(self) -> RunConfig:
        assert self.image.config.config is not None
        return self.image.config.config

    @property
    def tree(self) -> ImageTree:
        return read_tree(self.layout, self.image.layers, None)

    def lines(self) -> dict[str, str]:
        """The whole tree; names of one file say which was first."""
        tree, first = self.tree, dict[tuple[int, int], str]()
        found = {}
        for path, each in tree.entries.items():
            same = first.setdefault((each.layer, each.number), path)
            found[path] = _line(tree, each.entry) + (f" = {same}" if same != path else "")
        return found

    def layer(self, number: int) -> list[LayerEntry]:
        """The entries of one layer, as they stand in its tar."""
        with open_layer(self.layout, self.image.layers[number]) as stream:
            return [entry for entry, _ in layer_entries(stream)]

    def as_base(self) -> Path:
        """The layout as one that an order's `stages` can name."""
        config = put_bytes(self.layout, document_bytes(self.image.config), OCI_CONFIG)
        manifest = document_bytes(Manifest(config=config, layers=self.image.layers))
        write_index_json(self.layout, [put_bytes(self.layout, manifest, OCI_MANIFEST)])
        return self.layout

    def read(self) -> LayoutImage:
        return read_image(self.as_base())


def _line(tree: ImageTree, entry: LayerEntry) -> str:
    owner = f"{entry.mode:04o} {entry.uid}:{entry.gid}"
    match entry.kind:
        case EntryKind.FILE:
            return f"file {owner} {tree.read(entry.path, 1 << 20).decode()}".rstrip()
        case EntryKind.SYMLINK:
            return f"link {entry.uid}:{entry.gid} -> {entry.target}"
        case EntryKind.DIRECTORY:
            return f"folder {owner}"
        case _:
            return f"{entry.kind.value} {owner}"


@dataclass
class Bench:
    """A folder with a context to fill; `build` as often as wanted."""

    folder: Path
    platform: Platform = ARM64
    stages: dict[str, Path] = field(default_factory=dict)
    _number: int = 0

    @property
    def context(self) -> Path:
        place = self.folder / "context"
        place.mkdir(parents=True, exist_ok=True)
        return place

    def put(self, path: str, text: str | bytes = "", mode: int = 0o644) -> Path:
        """A file of the context."""
        place = self.context / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(text.encode() if isinstance(text, str) else text)
        place.chmod(mode)
        return place

    def link(self, path: str, target: str) -> None:
        place = self.context / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(target)

    def build(
        self,
        dockerfile: str,
        *,
        args: Mapping[str, str] | None = None,
        digests: Mapping[str, str] | None = None,
        media_types: Types = "oci",
        compression: Compression = "gzip",
        epoch: int = EPOCH,
    ) -> Built:
        self._number += 1
        place = self.folder / str(self._number)
        layout, scratch, said = place / "layout", place / "scratch", list[str]()
        scratch.mkdir(parents=True)
        start_layout(layout)
        order = ImageOrder(
            dockerfile=dockerfile,
            template="t.j2",
            context=self.context,
            platform=self.platform,
            stages=self.stages,
            args=args or {},
            epoch=epoch,
            compression=compression,
            media_types=media_types,
            layout=layout,
            layers=self.folder / "layers",
            scratch=scratch,
            say=said.append,
            digests=digests or {},
        )
        return Built(build_embedded(order), layout, tuple(said))
