"""The documents of an image: descriptor, manifest, index, config (OCI image specification 1.1; Docker's schema 2).

They are read strictly as to types, since they come from others, and loosely as to fields that are not known here.
Whoever needs a document's digest takes that of the bytes as they came: writing one again may change them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel, to_pascal

from rearch.errors import VerificationError
from rearch.model.digest import Digest
from rearch.model.platform import Platform, parse_platform

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


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, populate_by_name=True, alias_generator=to_camel)


class PlatformObject(_Document):
    """`platform` of a descriptor, as it is written; `known` is what it means."""

    architecture: str
    os: str
    variant: str | None = None
    os_version: str | None = Field(default=None, alias="os.version")
    os_features: tuple[str, ...] | None = Field(default=None, alias="os.features", strict=False)

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


class Descriptor(_Document):
    """A blob by digest: `sha256:` and 64 hexadecimal digits; size in bytes."""

    media_type: str
    digest: str = Field(pattern=r"^sha256:[0-9a-f]{64}$")
    size: int = Field(ge=0)
    urls: tuple[str, ...] | None = Field(default=None, strict=False)
    annotations: Mapping[str, str] | None = None
    platform: PlatformObject | None = None
    artifact_type: str | None = None

    @property
    def hex(self) -> str:
        """The digest's 64 digits: the name of the file in a layout."""
        return self.digest.removeprefix("sha256:")


class Manifest(_Document):
    """One image: its config and its layers, the lowest first."""

    schema_version: Literal[2] = 2
    media_type: str = OCI_MANIFEST
    artifact_type: str | None = None
    config: Descriptor
    layers: tuple[Descriptor, ...] = Field(strict=False)
    subject: Descriptor | None = None
    annotations: Mapping[str, str] | None = None


class Index(_Document):
    """Several manifests (or further indexes). Docker calls it a manifest list."""

    schema_version: Literal[2] = 2
    media_type: str = OCI_INDEX
    artifact_type: str | None = None
    manifests: tuple[Descriptor, ...] = Field(strict=False)
    subject: Descriptor | None = None
    annotations: Mapping[str, str] | None = None


class _Pascal(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="ignore", strict=True, populate_by_name=True, alias_generator=to_pascal
    )


class HealthcheckConfig(_Pascal):
    """Docker's HEALTHCHECK; times in nanoseconds. `test` begins with CMD, CMD-SHELL or NONE."""

    test: tuple[str, ...] | None = Field(default=None, strict=False)
    interval: int | None = None
    timeout: int | None = None
    start_period: int | None = None
    start_interval: int | None = None
    retries: int | None = None


class RunConfig(_Pascal):
    """`config` of an image config: how a container is started."""

    user: str | None = None
    exposed_ports: Mapping[str, Mapping[str, Any]] | None = None
    env: tuple[str, ...] | None = Field(default=None, strict=False)
    entrypoint: tuple[str, ...] | None = Field(default=None, strict=False)
    cmd: tuple[str, ...] | None = Field(default=None, strict=False)
    volumes: Mapping[str, Mapping[str, Any]] | None = None
    working_dir: str | None = None
    labels: Mapping[str, str] | None = None
    stop_signal: str | None = None
    healthcheck: HealthcheckConfig | None = None
    shell: tuple[str, ...] | None = Field(default=None, strict=False)
    on_build: tuple[str, ...] | None = Field(default=None, strict=False)


class History(BaseModel):
    """One line of an image's history; those that are not `empty_layer` stand for a layer each."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    created: str | None = None
    created_by: str | None = None
    author: str | None = None
    comment: str | None = None
    empty_layer: bool | None = None


class RootFs(BaseModel):
    """The layers' diff IDs: digests of the tars before compression."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    type: str = "layers"
    diff_ids: tuple[str, ...] = Field(default=(), strict=False)


class ImageConfig(BaseModel):
    """The config: platform, how to start it, what its layers are."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, populate_by_name=True)

    created: str | None = None
    author: str | None = None
    architecture: str
    os: str
    variant: str | None = None
    os_version: str | None = Field(default=None, alias="os.version")
    os_features: tuple[str, ...] | None = Field(default=None, alias="os.features", strict=False)
    config: RunConfig | None = None
    rootfs: RootFs = RootFs()
    history: tuple[History, ...] | None = Field(default=None, strict=False)

    @property
    def platform(self) -> Platform | None:
        """What it says to be for; None for what rearch has no word for."""
        return known_platform(self.os, self.architecture, self.variant)


M = TypeVar("M", bound=BaseModel)


def read_document(kind: type[M], data: bytes, what: str) -> M:
    """Read a document; `what` names it in messages. Errors: BadDocument, with every problem."""
    try:
        return kind.model_validate_json(data)
    except ValidationError as error:
        problems = tuple(
            f"{'.'.join(map(str, problem['loc'])) or 'document'}: {problem['msg'].lower()}"
            for problem in error.errors()
        )
        raise BadDocument(what, problems) from None


def document_bytes(document: BaseModel) -> bytes:
    """The one spelling in which rearch writes a document: fields in the specification's order, maps sorted."""
    readable = document.model_dump(by_alias=True, exclude_none=True, mode="json")
    return json.dumps(_sorted_maps(document, readable), separators=(",", ":"), ensure_ascii=False).encode()


def _sorted_maps(value: object, readable: Any) -> Any:
    """`readable` with the keys of mappings sorted; those of documents stay in their order."""
    if isinstance(value, BaseModel):
        names = {(field.alias or name): name for name, field in type(value).model_fields.items()}
        return {key: _sorted_maps(getattr(value, names[key]), item) for key, item in readable.items()}
    if isinstance(value, Mapping):
        return {key: _sorted_maps(value[key], readable[key]) for key in sorted(readable)}
    if isinstance(value, tuple):
        return [_sorted_maps(item, each) for item, each in zip(value, readable, strict=True)]
    return readable


def descriptor_of(media_type: str, data: bytes, **more: Any) -> Descriptor:
    """The descriptor of these bytes."""
    return Descriptor(media_type=media_type, digest=str(Digest.of(data)), size=len(data), **more)
