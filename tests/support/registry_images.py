"""Images made by code and put into a registry: as small as an image can be, with layers of any size."""

from __future__ import annotations

import gzip
import io
import json
import random
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rearch.model.platform import parse_platform
from rearch.oci.layout import blob_path, read_blob
from rearch.oci.types import (
    DOCKER_CONFIG,
    DOCKER_INDEX,
    DOCKER_MANIFEST,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_MANIFEST,
    Descriptor,
    ImageConfig,
    Index,
    Manifest,
    PlatformObject,
    RootFs,
    Types,
    descriptor_of,
    document_bytes,
    layer_type,
    read_document,
)
from tests.support.registry import Server


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """An image that a registry has now: `manifest` describes it, as an index would."""

    manifest: Descriptor
    layers: tuple[Descriptor, ...]


def layer_bytes(name: str, size: int = 1000) -> bytes:
    """A gzipped tar with one file of that name, which cannot be compressed; the same bytes for the same words."""
    content = random.Random(f"{name} {size}").randbytes(size)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        entry = tarfile.TarInfo(name)
        entry.size = size
        tar.addfile(entry, io.BytesIO(content))
    return gzip.compress(packed.getvalue(), 1, mtime=0)


def put_image(
    server: Server,
    repository: str,
    platform: str,
    *,
    layers: Sequence[bytes] = (),
    tag: str = "",
    types: Types = "oci",
    config_platform: PlatformObject | None = None,
    extra_layers: Iterable[Descriptor] = (),
) -> Stored:
    """Put one image, under a tag or by its digest alone. `config_platform`: what its config says, if not `platform`."""
    wanted = PlatformObject.of(parse_platform(platform))
    says = config_platform or wanted
    described = [descriptor_of(layer_type(types, "gzip"), data) for data in layers]
    config = document_bytes(
        ImageConfig(
            architecture=says.architecture,
            os=says.os,
            variant=says.variant,
            rootfs=RootFs(diff_ids=tuple(descriptor.digest for descriptor in described)),
        )
    )
    for data in (*layers, config):
        server.put_blob(repository, data)
    kind = OCI_MANIFEST if types == "oci" else DOCKER_MANIFEST
    manifest = Manifest(
        media_type=kind,
        config=descriptor_of(OCI_CONFIG if types == "oci" else DOCKER_CONFIG, config),
        layers=(*described, *extra_layers),
    )
    data = document_bytes(manifest)
    found = descriptor_of(kind, data, platform=wanted)
    server.put_manifest(repository, tag or found.digest, data, kind)
    return Stored(manifest=found, layers=tuple(described))


def put_from_layout(server: Server, repository: str, layout: Path, manifest: Descriptor, *, tag: str) -> None:
    """Put an image that a layout has, to the byte."""
    document = read_document(Manifest, read_blob(layout, manifest), "manifest")
    for blob in (document.config, *document.layers):
        server.put_blob(repository, blob_path(layout, blob.digest).read_bytes())
    server.put_manifest(repository, tag, read_blob(layout, manifest), manifest.media_type)


def put_index(
    server: Server, repository: str, tag: str, manifests: Iterable[Descriptor], *, types: Types = "oci"
) -> Descriptor:
    """Put an index over these manifests, which the registry has already."""
    kind = OCI_INDEX if types == "oci" else DOCKER_INDEX
    data = document_bytes(Index(media_type=kind, manifests=tuple(manifests)))
    server.put_manifest(repository, tag, data, kind)
    return descriptor_of(kind, data)


def put_annotated(server: Server, repository: str, tag: str, annotations: Mapping[str, str]) -> str:
    """An image for linux/arm64 without layers, of which the annotations are what counts; its digest."""
    config = json.dumps({"os": "linux", "architecture": "arm64", "rootfs": {"type": "layers", "diff_ids": []}}).encode()
    media = "application/vnd.oci.image"
    digest = server.put_blob(repository, config)
    blob = {"mediaType": f"{media}.config.v1+json", "digest": digest, "size": len(config)}
    kind = f"{media}.manifest.v1+json"
    document = {
        "schemaVersion": 2,
        "mediaType": kind,
        "config": blob,
        "layers": [],
        "annotations": dict(annotations),
    }
    return str(server.put_manifest(repository, tag, document, kind))
