"""The spec of an index that is joined from images which are there already: what manifest-tool's spec files say.

The keys are those of manifest-tool 2 (v2/pkg/types/input.go of github.com/estesp/manifest-tool; its reader takes Go's
field names in lower case, hence `osversion`), and two more, `manifests[].annotations` and `.manifest_annotations`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Annotated

from msgspec.structs import replace
from pydantic import AfterValidator, Field, model_validator

from rearch.errors import UsageError
from rearch.model.base import Fault, FrozenMap, FullText, Model, Says, Text, refuse
from rearch.model.frozen import NOTHING
from rearch.model.image_name import ImageName
from rearch.model.platform import OCI_ARCHITECTURES, OCI_SYSTEMS, OCI_VARIANTS, parse_platform, platform_key
from rearch.model.reference import Reference, parse_reference
from rearch.model.tag import TAG_RULE, is_tag


def _tag(value: str) -> str:
    if not is_tag(value):
        raise ValueError(TAG_RULE)
    return value


def _system(value: str) -> str:
    if value and value not in OCI_SYSTEMS:
        raise ValueError(f"no operating system that Go builds for{_near(value, OCI_SYSTEMS)}")
    return value


def _architecture(value: str) -> str:
    if value and value not in OCI_ARCHITECTURES:
        raise ValueError(f"not what OCI calls it{_spelled(value)}")
    return value


def _spelled(architecture: str) -> str:
    """How OCI writes what this word means."""
    try:
        meant = parse_platform(architecture)
    except UsageError:
        return _near(architecture, OCI_ARCHITECTURES)
    variant = f" with `variant: {meant.oci_variant}`" if meant.oci_variant else ""
    return f"; write {meant.oci_architecture}{variant}"


def _near(word: str, known: Iterable[str]) -> str:
    import difflib

    names = sorted(known)
    found = difflib.get_close_matches(word.lower(), names, n=1)
    return f"; did you mean {found[0]}?" if found else f"; known: {', '.join(names)}"


def variant_problem(architecture: str, variant: str) -> str | None:
    """What is wrong with a variant; without an architecture it has to be one of any. manifest-tool's rule."""
    known = OCI_VARIANTS.get(architecture, ()) if architecture else tuple(chain.from_iterable(OCI_VARIANTS.values()))
    if not variant or variant in known:
        return None
    may = f"it is {' or '.join(known)}" if known else "it has none"
    return f"{architecture or 'an architecture'} has no variant {variant}: {may}"


def platform_problems(os: str, architecture: str, variant: str) -> Iterator[str]:
    """Everything that is wrong with the parts of a platform, any of which may be empty."""
    for check, value in ((_system, os), (_architecture, architecture)):
        try:
            check(value)
        except ValueError as error:
            yield f"{value}: {error}"
    if architecture in OCI_ARCHITECTURES and (problem := variant_problem(architecture, variant)):
        yield problem


Tag = Annotated[str, AfterValidator(_tag), Says("tag", "^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$")]
OsName = Annotated[str, AfterValidator(_system), Says("operating system, as Go calls it")]
ArchitectureName = Annotated[str, AfterValidator(_architecture), Says("architecture, as Go and OCI call it")]


class SpecPlatform(Model):
    """What an image is for. What is left out is read from the image's own config."""

    architecture: ArchitectureName = Field(default="", description="amd64, arm, arm64, 386, ...")
    os: OsName = Field(default="", description="linux, windows, ...")
    variant: Text = Field(default="", description="v5, v6 or v7 of arm; v8 of arm64.")
    osversion: Text = Field(default="", description="Version of the operating system (Windows).")
    osfeatures: tuple[Text, ...] = Field(default=(), description="Features of the operating system (Windows).")

    @model_validator(mode="after")
    def _known(self) -> SpecPlatform:
        problem = variant_problem(self.architecture, self.variant)
        refuse([Fault(("variant",), problem, needs=(("architecture",), ("variant",)))] if problem else [])
        return self

    @property
    def is_empty(self) -> bool:
        """Whether everything is left to the image."""
        return not (self.architecture or self.os or self.variant or self.osversion or self.osfeatures)

    @property
    def key(self) -> tuple[str, ...]:
        """Equal for two spellings of one platform."""
        return platform_key(self.os, self.architecture, self.variant, self.osversion, *self.osfeatures)

    def __str__(self) -> str:
        return "/".join(part or "?" for part in (self.os, self.architecture)) + (self.variant and f"/{self.variant}")


class SpecManifest(Model):
    """One image, or an index that gives the image of `platform`, or all of its images where that is left out."""

    image: ImageName = Field(description="Where it is; any repository of any registry.")
    platform: SpecPlatform | None = Field(default=None, description="What it is for; left out: as its config says.")
    annotations: FrozenMap[FullText, Text] = Field(
        default=NOTHING, description="Annotations of its descriptor, in the index. The image stays the same bytes."
    )
    manifest_annotations: FrozenMap[FullText, Text] = Field(
        default=NOTHING, description="Annotations of its manifest, which gets another digest by that."
    )

    @property
    def wanted(self) -> SpecPlatform | None:
        """The platform, if the spec says anything about it."""
        return None if self.platform is None or self.platform.is_empty else self.platform

    @property
    def reference(self) -> Reference:
        return parse_reference(self.image)


class ManifestSpec(Model):
    """Images that are there already, to be joined in an index."""

    image: ImageName = Field(description="Name of the index, with its tag.")
    tags: tuple[Tag, ...] = Field(default=(), description="More tags of it, in the same repository.")
    manifests: tuple[SpecManifest, ...] = Field(min_length=1, description="Images, in the order of the index.")
    annotations: FrozenMap[FullText, Text] = Field(
        default=NOTHING, description="Annotations of the index; Docker's manifest list has none."
    )

    @model_validator(mode="after")
    def _agrees(self) -> ManifestSpec:
        faults = []
        if parse_reference(self.image).digest is not None:
            faults.append(Fault(("image",), "a digest cannot be written to: name a tag"))
        refuse([*faults, *_twice(self.manifests)])
        return self

    @property
    def target(self) -> Reference:
        return parse_reference(self.image)

    @property
    def names(self) -> tuple[Reference, ...]:
        """Everything that the index will be called, each once: the target first."""
        target = self.target
        return tuple(dict.fromkeys((target, *(replace(target, tag=tag) for tag in self.tags))))


def _twice(manifests: Iterable[SpecManifest]) -> Iterator[Fault]:
    seen: dict[tuple[str, ...], int] = {}
    for number, manifest in enumerate(manifests):
        wanted = manifest.wanted
        if wanted is None or not (wanted.os and wanted.architecture):
            continue  # known only when the images were read
        first = seen.setdefault(wanted.key, number)
        if first != number:
            path = ("manifests", number, "platform")
            text = f"{wanted} is there already, in manifests[{first}]: an index has one image for a platform"
            yield Fault(path, text, needs=(path, ("manifests", first, "platform")))
