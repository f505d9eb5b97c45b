"""What documents say of themselves and of each other: the rules, without any I/O."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rearch.oci.layout_read import is_attestation, platforms_agree, ref_names
from rearch.oci.types import (
    DOCKER_CONFIG,
    DOCKER_INDEX,
    DOCKER_MANIFEST,
    INDEXES,
    LAYERS,
    MANIFESTS,
    OCI_CONFIG,
    REF_NAME,
    Descriptor,
    ImageConfig,
    Index,
    Manifest,
    PlatformObject,
)
from rearch.oci.validate_faults import Finding

_DOCKER = "application/vnd.docker."
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}\Z")
# annotations.md, org.opencontainers.image.ref.name
_PART = r"[A-Za-z0-9]+(?:(?:[-._:@+]|--)[A-Za-z0-9]+)*"
_REF_NAME = re.compile(rf"{_PART}(?:/{_PART})*\Z")


def kind_findings(raw: Mapping[str, Any], media_type: str) -> Iterator[Finding]:
    """Whether the document is of the kind that its descriptor says (CVE-2021-41190)."""
    says = raw.get("mediaType", media_type)
    if says != media_type:
        yield Finding(text=f"it says that it is {says}, and its descriptor says {media_type}")
    if "manifests" in raw and ("layers" in raw or "config" in raw):
        yield Finding(text="it is a manifest and an index at once: programs disagree about what to take")
    if media_type in (DOCKER_INDEX, DOCKER_MANIFEST) and raw.get("annotations"):
        yield Finding(text="it has annotations, which Docker's types do not have", warning=True)


def index_findings(index: Index, media_type: str, *, top: bool) -> Iterator[Finding]:
    """The entries of an index beside each other. In `index.json` (top) a platform may be there once for each name."""
    seen: dict[tuple[str, ...], str] = {}
    for entry in index.manifests:
        names = ref_names(entry) if top else ()
        yield from _name_findings(entry) if top else ()
        if entry.media_type not in (*INDEXES, *MANIFESTS):
            yield Finding(text=f"{entry.digest} is of the type {entry.media_type}, which is no image", warning=True)
        elif media_type == DOCKER_INDEX and not entry.media_type.startswith(_DOCKER):
            yield Finding(text=f"{entry.digest} is of the type {entry.media_type} in a Docker manifest list")
        if entry.media_type not in MANIFESTS or is_attestation(entry):
            continue
        if entry.platform is None:
            if not top:
                yield Finding(text=f"{entry.digest} has no platform", warning=True)
            continue
        key = (str(entry.platform.known or entry.platform), entry.platform.os_version or "", *names)
        if key in seen and (top is False or seen[key] != entry.digest):
            yield Finding(text=f"{key[0]} is there twice: {seen[key]} and {entry.digest}")
        seen[key] = entry.digest


def _name_findings(entry: Descriptor) -> Iterator[Finding]:
    name = (entry.annotations or {}).get(REF_NAME)
    if name is not None and not _REF_NAME.match(name):
        yield Finding(text=f"{entry.digest} is called {name!r}, which is no name for an image", warning=True)


def manifest_findings(manifest: Manifest, media_type: str) -> Iterator[Finding]:
    """Whether the manifest's parts are of types that go together."""
    docker = media_type == DOCKER_MANIFEST
    for what, part in (("the config", manifest.config), *_layers(manifest)):
        if part.media_type.startswith(_DOCKER) is not docker:
            yield Finding(text=f"{what} is of the type {part.media_type} in a {'Docker' if docker else 'OCI'} manifest")
    for what, layer in _layers(manifest):
        if layer.media_type not in LAYERS:
            yield Finding(text=f"{what} is of the unknown type {layer.media_type}")


def _layers(manifest: Manifest) -> Sequence[tuple[str, Descriptor]]:
    return [(f"layer {number}", layer) for number, layer in enumerate(manifest.layers, 1)]


def is_image(manifest: Manifest) -> bool:
    """Whether it is an image, and no signature, bill of materials or other artifact."""
    return manifest.artifact_type is None and manifest.config.media_type in (OCI_CONFIG, DOCKER_CONFIG)


def config_findings(config: ImageConfig, layers: int, label: PlatformObject | None) -> Iterator[Finding]:
    """The config against its manifest (`layers`: how many) and against the platform of the manifest's descriptor."""
    diff_ids = config.rootfs.diff_ids
    if config.rootfs.type != "layers":
        yield Finding(text=f"rootfs.type is {config.rootfs.type!r}; 'layers' is wanted")
    if len(diff_ids) != layers:
        yield Finding(text=f"it has {len(diff_ids)} diff IDs, and the manifest {layers} layers")
    for number, diff_id in enumerate(diff_ids, 1):
        if not _DIGEST.match(diff_id):
            yield Finding(text=f"diff ID {number} is no sha256 digest: {diff_id!r}")
    if config.history is not None:
        made = sum(not line.empty_layer for line in config.history)
        if made != layers:
            yield Finding(text=f"its history tells of {made} layers, and the manifest has {layers}")
    mine = PlatformObject(architecture=config.architecture, os=config.os, variant=config.variant)
    if label is not None and not platforms_agree(label, mine):
        yield Finding(text=f"it is for {mine}, and the index says {label}")
