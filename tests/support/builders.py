"""The three image builders under one call, and what they built as lines that can be compared."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from msgspec.structs import replace

from rearch.host.buildah import BuildahBuilder
from rearch.host.docker.builder import DockerBuilder
from rearch.host.process import Processes
from rearch.model.platform import Platform
from rearch.oci.embedded import build_embedded
from rearch.oci.entry import EntryKind, LayerEntry
from rearch.oci.image_tree import overlay
from rearch.oci.layout import start_layout
from rearch.oci.order import BuiltImage, ImageOrder
from rearch.oci.read_layer import layer_entries, open_layer
from rearch.oci.types import Compression, Descriptor, RunConfig, Types, document_bytes
from rearch.steps.ports import Workspace
from tests.support.engine import engine_environment
from tests.support.needs import need_program
from tests.support.workspace import log_of, make_workspace

BUILDERS = ("embedded", "docker", "buildah")
EPOCH = 1_600_000_000


@dataclass(frozen=True)
class Built:
    """A result with the layout that holds it."""

    image: BuiltImage
    layout: Path
    work: Workspace

    @property
    def log(self) -> str:
        return log_of(self.work)

    def tree(self) -> dict[str, str]:
        """Path -> kind, mode, owner, and link target or content; names of one file say which they are."""
        entries = overlay([_entries(self.layout, layer) for layer in self.image.layers])
        first: dict[tuple[int, int], str] = {}
        found = {}
        for path, each in entries.items():
            same = first.setdefault((each.layer, each.number), path) if each.number >= 0 else path
            found[path] = _line(each.entry) + (f" = {same}" if same != path else "")
        return found

    def config(self) -> dict[str, object]:
        """Field -> value, of what decides how a container is started, and on what machine."""
        config = self.image.config
        run: dict[str, object] = json.loads(document_bytes(config.config or RunConfig()))
        return {**run, "platform": str(config.platform), "author": config.author}

    def times(self) -> set[int]:
        """The times in the layers that were made here."""
        made = self.image.layers[self.image.base_layers :]
        return {entry.mtime for layer in made for entry in _entries(self.layout, layer)}


def _entries(layout: Path, layer: Descriptor) -> tuple[LayerEntry, ...]:
    with open_layer(layout, layer) as stream:
        return tuple(
            replace(entry, digest=hashlib.sha256(content.read()).hexdigest()) if content is not None else entry
            for entry, content in layer_entries(stream)
        )


def _line(entry: LayerEntry) -> str:
    """A symbolic link has no mode: what stands in the tar is never used (symlink(7))."""
    if entry.kind is EntryKind.SYMLINK:
        return f"{entry.kind.value} {entry.uid}:{entry.gid} -> {entry.target}"
    content = f" {(entry.digest or '')[:12]}" if entry.kind is EntryKind.FILE else ""
    return f"{entry.kind.value} {entry.mode:04o} {entry.uid}:{entry.gid}{content}"


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What all builds of a test share."""

    folder: Path
    context: Path
    platform: Platform
    stages: Mapping[str, Path] = field(default_factory=dict)
    args: Mapping[str, str] = field(default_factory=dict)
    compression: Compression = "gzip"
    media_types: Types = "oci"

    def order(self, dockerfile: str, work: Workspace) -> ImageOrder:
        start_layout(work.files)
        return ImageOrder(
            dockerfile=dockerfile,
            template="test.Dockerfile.j2",
            context=self.context,
            platform=self.platform,
            stages=self.stages,
            args=self.args,
            epoch=EPOCH,
            compression=self.compression,
            media_types=self.media_types,
            layout=work.files,
            layers=self.folder / "layers",
            scratch=work.scratch,
            say=work.say,
        )

    def build(self, builder: str, dockerfile: str) -> Built:
        """Build, with a program or engine that this machine has; a machine without says so by `unmet`."""
        work = make_workspace(self.folder / builder)
        order = self.order(dockerfile, work)
        return Built(image=run_builder(builder, order, work), layout=work.files, work=work)


def run_builder(builder: str, order: ImageOrder, work: Workspace) -> BuiltImage:
    """Let the builder of that name do it."""
    if builder == "embedded":
        return build_embedded(order)
    if builder == "buildah":
        need_program("buildah", "buildah")
        return BuildahBuilder({"PATH": engine_path()}).build(order, work)
    need_program("docker", "docker.io")
    return DockerBuilder("", engine_environment(), Processes()).build(order, work)


def engine_path() -> str:
    """PATH, where buildah is."""
    return os.environ.get("PATH", os.defpath)
