"""OCI layouts made by code, layer by layer, with entries that no builder of ours would write.

image = make_image(tmp_path / "layout", ARM64, [[File("usr/bin/tool", make_elf(ARM64))], [File("usr/bin/.wh.tool")]])
"""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rearch.model.digest import Digest
from rearch.model.platform import Platform
from rearch.oci.layout import LayoutImage, put_bytes, read_image, start_layout, write_index_json
from rearch.oci.types import (
    DOCKER_CONFIG,
    DOCKER_MANIFEST,
    OCI_CONFIG,
    OCI_MANIFEST,
    Descriptor,
    ImageConfig,
    Manifest,
    PlatformObject,
    RootFs,
    RunConfig,
    Types,
    document_bytes,
    layer_type,
)


@dataclass(frozen=True)
class File:
    """A regular file; a whiteout is one with such a name."""

    path: str
    data: bytes = b""
    mode: int = 0o755
    uid: int = 0
    gid: int = 0


@dataclass(frozen=True)
class Folder:
    path: str
    mode: int = 0o755


@dataclass(frozen=True)
class Link:
    """A symbolic link."""

    path: str
    target: str


@dataclass(frozen=True)
class Hard:
    """A hard link."""

    path: str
    target: str


@dataclass(frozen=True)
class Node:
    """A device or a fifo."""

    path: str
    kind: bytes = tarfile.CHRTYPE


Thing = File | Folder | Link | Hard | Node
_KINDS = {Folder: tarfile.DIRTYPE, Link: tarfile.SYMTYPE, Hard: tarfile.LNKTYPE, File: tarfile.REGTYPE}


def make_tar(things: Iterable[Thing]) -> bytes:
    """A plain tar of these, in this order."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for thing in things:
            info = tarfile.TarInfo(thing.path)
            info.type = thing.kind if isinstance(thing, Node) else _KINDS[type(thing)]
            info.mode = getattr(thing, "mode", 0o777)
            info.linkname = getattr(thing, "target", "")
            info.uid, info.gid = getattr(thing, "uid", 0), getattr(thing, "gid", 0)
            data = thing.data if isinstance(thing, File) else b""
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def add_image(
    layout: Path,
    platform: Platform,
    layers: Sequence[Sequence[Thing]],
    *,
    compress: bool = False,
    types: Types = "oci",
    **run: Any,
) -> Descriptor:
    """Put an image into a layout that was started; `run` are fields of RunConfig. The manifest's descriptor."""
    tars = [make_tar(things) for things in layers]
    blobs = [gzip.compress(tar, 1, mtime=0) if compress else tar for tar in tars]
    kind = layer_type(types, "gzip" if compress else "")
    manifest_type, config_type = (OCI_MANIFEST, OCI_CONFIG) if types == "oci" else (DOCKER_MANIFEST, DOCKER_CONFIG)
    row = PlatformObject.of(platform)
    config = ImageConfig(
        architecture=row.architecture,
        os=row.os,
        variant=row.variant,
        config=RunConfig(**run),
        rootfs=RootFs(diff_ids=tuple(str(Digest.of(tar)) for tar in tars)),
    )
    manifest = Manifest(
        media_type=manifest_type,
        config=put_bytes(layout, document_bytes(config), config_type),
        layers=tuple(put_bytes(layout, blob, kind) for blob in blobs),
    )
    return put_bytes(layout, document_bytes(manifest), manifest_type, platform=row)


def make_image(
    layout: Path, platform: Platform, layers: Sequence[Sequence[Thing]], *, compress: bool = False, **run: Any
) -> LayoutImage:
    """A layout of one image."""
    start_layout(layout)
    write_index_json(layout, (add_image(layout, platform, layers, compress=compress, **run),))
    return read_image(layout)
