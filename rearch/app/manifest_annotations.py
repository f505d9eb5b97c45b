"""`--annotation LEVELS:KEY=VALUE`, as buildx takes it: `index,manifest[linux/arm64]:org.example.key=value`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from msgspec import Struct

from rearch.errors import UsageError
from rearch.model.frozen import FrozenDict
from rearch.model.platform import UnknownPlatform, parse_platform
from rearch.model.publish import ManifestSpec, SpecManifest

INDEX, MANIFEST, DESCRIPTOR = "index", "manifest", "manifest-descriptor"
_LEVEL = r"(?:index|manifest|manifest-descriptor)(?:\[[^\]]*\])?"
_LEVELS = re.compile(rf"({_LEVEL}(?:,{_LEVEL})*):")
_ONE = re.compile(r"([a-z-]+)(?:\[([^\]]*)\])?")


class BadAnnotation(UsageError):
    """An --annotation that cannot be read, or that is for nothing."""

    def __init__(self, text: str, why: str) -> None:
        self.text = text
        self.why = why
        super().__init__(
            f"--annotation {text!r}: {why}",
            hint="write KEY=VALUE (of the index), or LEVEL:KEY=VALUE with index, manifest or manifest-descriptor, as in"
            " manifest[linux/arm64]:org.opencontainers.image.title=x",
        )


class Annotation(Struct, frozen=True, kw_only=True):
    """One level of one flag. `platform` is a normalised platform, or nothing for all."""

    text: str
    level: str
    platform: str
    key: str
    value: str


def annotated(spec: ManifestSpec, flags: Sequence[str]) -> ManifestSpec:
    """The spec with these annotations over its own. Errors: BadAnnotation."""
    found = [each for text in flags for each in parse_annotation(text)]
    for each in found:
        if each.platform and not any(_is_for(each, manifest) for manifest in spec.manifests):
            raise BadAnnotation(each.text, f"no image of the spec says to be for {each.platform}")
    index = {each.key: each.value for each in found if each.level == INDEX}
    return spec.model_copy(
        update={
            "annotations": _over(spec.annotations, index),
            "manifests": tuple(_manifest(manifest, found) for manifest in spec.manifests),
        }
    )


def parse_annotation(text: str) -> tuple[Annotation, ...]:
    """One for each level; without any it is the index. Errors: BadAnnotation."""
    levels = _LEVELS.match(text)
    rest = text[levels.end() :] if levels else text
    key, equals, value = rest.partition("=")
    if not equals or not key.strip() or key != key.strip():
        raise BadAnnotation(text, "it is no KEY=VALUE")
    if ":" in key or "[" in key:  # nobody's key: a level that is misspelt
        raise BadAnnotation(text, f"there is no level {key.rpartition(':')[0] or key}")
    named = _ONE.findall(levels[1]) if levels else [(INDEX, "")]
    return tuple(
        Annotation(text=text, level=level, platform=_platform(text, level, platform), key=key, value=value)
        for level, platform in named
    )


def _platform(text: str, level: str, platform: str) -> str:
    if platform and level == INDEX:
        raise BadAnnotation(text, "an index is for no single platform")
    try:
        return str(parse_platform(platform)) if platform else ""
    except UnknownPlatform:
        return platform


def _is_for(annotation: Annotation, manifest: SpecManifest) -> bool:
    return manifest.wanted is not None and manifest.wanted.key[0] == annotation.platform


def _manifest(manifest: SpecManifest, found: Sequence[Annotation]) -> SpecManifest:
    mine = [each for each in found if not each.platform or _is_for(each, manifest)]
    inside = {each.key: each.value for each in mine if each.level == MANIFEST}
    beside = {each.key: each.value for each in mine if each.level == DESCRIPTOR}
    return manifest.model_copy(
        update={
            "annotations": _over(manifest.annotations, beside),
            "manifest_annotations": _over(manifest.manifest_annotations, inside),
        }
    )


def _over(own: Mapping[str, str], more: Mapping[str, str]) -> Mapping[str, str]:
    return FrozenDict({**own, **more})
