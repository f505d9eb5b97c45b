"""The documents of an image: descriptor, manifest, index, config (OCI image specification 1.1; Docker's schema 2).

They are read strictly as to types, since they come from others, and loosely as to fields that are not known here.
Whoever needs a document's digest takes that of the bytes as they came: writing one again may change them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Literal, TypeVar

from msgspec import Struct

from rearch.errors import VerificationError
from rearch.model.digest import Digest
from rearch.model.platform import Platform, parse_platform
from rearch.model.typed import Undecodable, decode_json

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar"
INDEXES = (OCI_INDEX, DOCKER_INDEX)
MANIFESTS = (OCI_MANIFEST, DOCKER_MANIFEST)
REF_NAME = "org.opencontainers.image.ref.name"

# Media type of a layer -> how it is compressed. Layers that are not to be distributed are the same bytes.
LAYERS: Mapping[str, Literal["", "gzip", "zstd"]] = {
    OCI_LAYER: "",
    f"{OCI_LAYER}+gzip": "gzip",
    f"{OCI_LAYER}+zstd": "zstd",
    DOCKER_LAYER: "",
    f"{DOCKER_LAYER}.gzip": "gzip",
    "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip": "gzip",
    "application/vnd.oci.image.layer.nondistributable.v1.tar": "",
    "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip": "gzip",
    "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd": "zstd",
}

Types = Literal["oci", "docker"]
Compression = Literal["gzip", "zstd"]


def layer_type(types: Types, compression: Literal["", "gzip", "zstd"]) -> str:
    """The media type of a layer."""
    if types == "docker":
        return f"{DOCKER_LAYER}.{compression}" if compression else DOCKER_LAYER
    return f"{OCI_LAYER}+{compression}" if compression else OCI_LAYER


class BadDocument(VerificationError):
    """A manifest, index or config that is not what the specification says."""

    def __init__(self, what: str, problems: tuple[str, ...]) -> None:
        self.what = what
        self.problems = problems
        super().__init__(f"{what} is not a valid document", problems, hint="take the image from its source again")


_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_DOTTED = {"os_version": "os.version", "os_features": "os.features"}


class PlatformObject(Struct, frozen=True, kw_only=True, rename=_DOTTED):
    """`platform` of a descriptor, as it is written; `known` is what it means."""

    architecture: str
    os: str
    variant: str | None = None
    os_version: str | None = None
    os_features: tuple[str, ...] | None = None

    @classmethod
    def of(cls, platform: Platform) -> PlatformObject:
        return cls(architecture=platform.oci_architecture, os=platform.os, variant=platform.oci_variant)

    @property
    def known(self) -> Platform | None:
        """The platform, normalised; None for one that rearch has no word for (unknown/unknown, windows, ...)."""
        return known_platform(self.os, self.architecture, self.variant)

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)


def known_platform(os: str, architecture: str, variant: str | None) -> Platform | None:
    """What these three fields mean, or None. Errors: none."""
    from rearch.model.platform import UnknownPlatform

    try:
        return parse_platform("/".join(part for part in (os, architecture, variant) if part))
    except UnknownPlatform:
        return None


class Descriptor(Struct, frozen=True, kw_only=True, rename="camel"):
    """A blob by digest: `sha256:` and 64 hexadecimal digits; size in bytes. Errors: ValueError for anything else."""

    media_type: str
    digest: str
    size: int
    urls: tuple[str, ...] | None = None
    annotations: Mapping[str, str] | None = None
    platform: PlatformObject | None = None
    artifact_type: str | None = None

    def __post_init__(self) -> None:
        if not _DIGEST.fullmatch(self.digest):
            raise ValueError(f"{self.digest!r} is not sha256: and 64 hexadecimal digits")
        if self.size < 0:
            raise ValueError(f"a size of {self.size}")

    @property
    def hex(self) -> str:
        """The digest's 64 digits: the name of the file in a layout."""
        return self.digest.removeprefix("sha256:")


class Manifest(Struct, frozen=True, kw_only=True, rename="camel"):
    """One image: its config and its layers, the lowest first."""

    schema_version: Literal[2] = 2
    media_type: str = OCI_MANIFEST
    artifact_type: str | None = None
    config: Descriptor
    layers: tuple[Descriptor, ...]
    subject: Descriptor | None = None
    annotations: Mapping[str, str] | None = None


class Index(Struct, frozen=True, kw_only=True, rename="camel"):
    """Several manifests (or further indexes). Docker calls it a manifest list."""

    schema_version: Literal[2] = 2
    media_type: str = OCI_INDEX
    artifact_type: str | None = None
    manifests: tuple[Descriptor, ...]
    subject: Descriptor | None = None
    annotations: Mapping[str, str] | None = None


class HealthcheckConfig(Struct, frozen=True, kw_only=True, rename="pascal"):
    """Docker's HEALTHCHECK; times in nanoseconds. `test` begins with CMD, CMD-SHELL or NONE."""

    test: tuple[str, ...] | None = None
    interval: int | None = None
    timeout: int | None = None
    start_period: int | None = None
    start_interval: int | None = None
    retries: int | None = None


class RunConfig(Struct, frozen=True, kw_only=True, rename="pascal"):
    """`config` of an image config: how a container is started."""

    user: str | None = None
    exposed_ports: Mapping[str, Mapping[str, Any]] | None = None
    env: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    cmd: tuple[str, ...] | None = None
    volumes: Mapping[str, Mapping[str, Any]] | None = None
    working_dir: str | None = None
    labels: Mapping[str, str] | None = None
    stop_signal: str | None = None
    healthcheck: HealthcheckConfig | None = None
    shell: tuple[str, ...] | None = None
    on_build: tuple[str, ...] | None = None


class History(Struct, frozen=True, kw_only=True):
    """One line of an image's history; those that are not `empty_layer` stand for a layer each."""

    created: str | None = None
    created_by: str | None = None
    author: str | None = None
    comment: str | None = None
    empty_layer: bool | None = None


class RootFs(Struct, frozen=True, kw_only=True):
    """The layers' diff IDs: digests of the tars before compression."""

    type: str = "layers"
    diff_ids: tuple[str, ...] = ()


class ImageConfig(Struct, frozen=True, kw_only=True, rename=_DOTTED):
    """The config: platform, how to start it, what its layers are."""

    created: str | None = None
    author: str | None = None
    architecture: str
    os: str
    variant: str | None = None
    os_version: str | None = None
    os_features: tuple[str, ...] | None = None
    config: RunConfig | None = None
    rootfs: RootFs = RootFs()
    history: tuple[History, ...] | None = None

    @property
    def platform(self) -> Platform | None:
        """What it says to be for; None for what rearch has no word for."""
        return known_platform(self.os, self.architecture, self.variant)


T = TypeVar("T")


def read_document(kind: type[T], data: bytes, what: str) -> T:
    """Read a document; `what` names it in messages. Errors: BadDocument, with the first problem and its place."""
    try:
        return decode_json(data, kind)
    except (Undecodable, RecursionError) as error:
        raise BadDocument(what, (_in_words(str(error)),)) from None


def _in_words(problem: str) -> str:
    """msgspec's `Expected `int`, got `str` - at `$.config.size`` as `config.size: expected int, got str`."""
    text, _, place = problem.replace("`", "").partition(" - at ")
    return f"{place.removeprefix('$').lstrip('.') or 'document'}: {text[:1].lower()}{text[1:]}"


def document_bytes(document: Struct) -> bytes:
    """The one spelling in which rearch writes a document: fields in the specification's order, maps sorted."""
    return json.dumps(readable(document), separators=(",", ":"), ensure_ascii=False).encode()


def readable(value: Any) -> Any:
    """A document, or a part of one, in JSON values: fields by their names there, those that are None left out."""
    if isinstance(value, Struct):
        named = zip(value.__struct_encode_fields__, value.__struct_fields__, strict=True)
        fields = ((name, getattr(value, field)) for name, field in named)
        return {name: readable(item) for name, item in fields if item is not None}
    if isinstance(value, Mapping):
        return {key: readable(value[key]) for key in sorted(value)}
    if isinstance(value, tuple | list):
        return [readable(item) for item in value]
    return value


def descriptor_of(media_type: str, data: bytes, **more: Any) -> Descriptor:
    """The descriptor of these bytes."""
    return Descriptor(media_type=media_type, digest=str(Digest.of(data)), size=len(data), **more)
