"""Docker archives without an OCI layout: what `docker save` wrote up to 24, and skopeo, kaniko and others still write.

Format: moby, image/spec/v1.2.md, "Combined Image JSON + Filesystem Changeset Format": manifest.json is a list of
images, each with the path of its config and of its layers, which may be packed.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import BinaryIO

from msgspec import Struct

from rearch.errors import VerificationError
from rearch.formats.archive_stream import Meter
from rearch.formats.hashing import Readable, blocks, sha256_stream
from rearch.model.digest import Digest
from rearch.model.limits import Limits
from rearch.model.platform import Platform
from rearch.model.reference import BadReference, parse_reference
from rearch.oci.disk_image_tar import TarFiles
from rearch.oci.layer_stream import compress_stream
from rearch.oci.layout import put_bytes
from rearch.oci.layout_blobs import Hashed, blob_path
from rearch.oci.layout_errors import AmbiguousImage, MissingBlob, NoSuchImage, NoSuchPlatform, WrongBlob
from rearch.oci.layout_files import temporary_beside, write_all
from rearch.oci.layout_read import LayoutImage
from rearch.oci.read_layer import open_layer
from rearch.oci.read_layer_stream import MAGIC_SIZE, Packing, packing_of, unpacked
from rearch.oci.types import (
    OCI_CONFIG,
    OCI_MANIFEST,
    Descriptor,
    ImageConfig,
    Manifest,
    PlatformObject,
    document_bytes,
    layer_type,
    read_document,
)

_CONFIG_NAME = re.compile(r"(?:.*/)?([0-9a-f]{64})(?:\.json)?\Z")


class WrongDiffId(VerificationError):
    """A layer that does not unpack to what the config says."""

    def __init__(self, archive: object, layer: str, says: str, found: str) -> None:
        self.archive = archive
        self.layer = layer
        self.says = says
        self.found = found
        super().__init__(
            f"{archive}: the layer {layer} is not the one of its image",
            (f"the config says {says}", f"it is {found}"),
            hint="save the image again",
        )


class _Saved(Struct, frozen=True, kw_only=True, rename={"config": "Config", "tags": "RepoTags", "layers": "Layers"}):
    """One image of manifest.json."""

    config: str
    layers: tuple[str, ...]
    tags: tuple[str, ...] | None = None


def load_docker_archive(files: TarFiles, ref: str, platform: Platform, layout: Path, limits: Limits) -> LayoutImage:
    """Copy one image into a layout that was started. Errors: as load_disk_image."""
    saved, config, data = _choose(files, ref, platform)
    diff_ids = config.rootfs.diff_ids
    if len(diff_ids) != len(saved.layers):
        raise WrongDiffId(files, saved.config, f"{len(diff_ids)} layers", f"{len(saved.layers)} in manifest.json")
    layers = tuple(
        _layer(files, name, diff_id, layout, limits) for name, diff_id in zip(saved.layers, diff_ids, strict=True)
    )
    manifest = Manifest(config=put_bytes(layout, data, OCI_CONFIG), layers=layers)
    described = put_bytes(layout, document_bytes(manifest), OCI_MANIFEST, platform=PlatformObject.of(platform))
    return LayoutImage(descriptor=described, manifest=manifest, config=config)


def _choose(files: TarFiles, ref: str, platform: Platform) -> tuple[_Saved, ImageConfig, bytes]:
    """The one image that has this name and this platform."""
    every = read_document(tuple[_Saved, ...], files.read("manifest.json"), f"{files}: manifest.json")
    named = [saved for saved in every if not ref or _is_called(saved, ref)]
    if not named:
        raise NoSuchImage(files, ref, sorted({tag for saved in every for tag in saved.tags or ()}))
    read = {saved.config: (saved, *_config(files, saved.config)) for saved in named}
    fitting = [found for found in read.values() if found[1].platform == platform]
    if not fitting:
        there = sorted({_platform(config) for _, config, _ in read.values()})
        raise NoSuchPlatform(files, ref, str(platform), there)
    if len(fitting) > 1:
        raise AmbiguousImage(files, ref, tuple(", ".join(saved.tags or (saved.config,)) for saved, _, _ in fitting))
    return fitting[0]


def _is_called(saved: _Saved, ref: str) -> bool:
    return _whole(ref) in {_whole(tag) for tag in saved.tags or ()}


def _whole(ref: str) -> str:
    try:
        return str(parse_reference(ref))
    except BadReference:
        return ref


def _config(files: TarFiles, name: str) -> tuple[ImageConfig, bytes]:
    """A config, which is called after its own digest by all that write such archives."""
    data = files.read(name)
    stated, digest = _CONFIG_NAME.match(name), Digest.of(data)
    if stated is not None and stated[1] != digest.hex:
        raise WrongBlob(files, f"sha256:{stated[1]}", f"its digest is {digest}")
    return read_document(ImageConfig, data, f"{files}: {name}"), data


def _platform(config: ImageConfig) -> str:
    return str(PlatformObject(architecture=config.architecture, os=config.os, variant=config.variant))


def _layer(files: TarFiles, name: str, diff_id: str, layout: Path, limits: Limits) -> Descriptor:
    """One layer: as it is where it is packed in a way that images have, else packed with gzip."""
    try:
        with files.open_file(name) as (stream, _):
            packing = packing_of(stream.read(MAGIC_SIZE))
    except FileNotFoundError:
        raise MissingBlob(files, name) from None
    with temporary_beside(layout / "blobs/sha256/layer") as temporary:
        with files.open_file(name) as (stream, _), temporary.open("xb", buffering=0) as file:
            if packing in ("gzip", "zstd"):
                digest, size, found = _copy(stream, file), file.tell(), ""
            else:
                plain = unpacked(stream, packing, Meter(f"{files}: {name}", limits))
                written = compress_stream(plain, file, "gzip")
                digest, size, found = written.hex, written.size, written.diff_hex
        temporary.replace(blob_path(layout, f"sha256:{digest}"))
    layer = Descriptor(media_type=_type(packing), digest=f"sha256:{digest}", size=size)
    found = found or _diff_hex(layout, layer, limits)
    if diff_id != f"sha256:{found}":
        raise WrongDiffId(files, name, diff_id, f"sha256:{found}")
    return layer


def _type(packing: Packing) -> str:
    return layer_type("oci", "zstd" if packing == "zstd" else "gzip")


def _copy(stream: Readable, file: BinaryIO) -> str:
    """Copy; the digest (hexadecimal)."""
    hashed = Hashed(stream)
    for data in blocks(hashed):
        write_all(file, data)
    return hashed.hex


def _diff_hex(layout: Path, layer: Descriptor, limits: Limits) -> str:
    with open_layer(layout, layer, limits=limits) as stream:
        return sha256_stream(stream)
