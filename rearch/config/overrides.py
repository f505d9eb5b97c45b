"""A recipe file (or defaults) in two parts: what holds everywhere, and what differs on single platforms."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from rearch.config.files import ProjectFiles
from rearch.config.layers import Layer
from rearch.config.problems import key_path, suggestion
from rearch.config.yaml_tree import Data
from rearch.model.platform import Platform, UnknownPlatform, parse_platform

MAY_DIFFER = ("build", "verify", "smoke", "image")


class Parts(Struct, frozen=True, kw_only=True):
    """`base` is a file's mapping without `platforms`; `overrides` are what stands there."""

    base: Layer
    overrides: Mapping[Platform, Layer]


def split(files: ProjectFiles, layer: Layer) -> Parts:
    """Take `platforms` apart. What is wrong there is among the problems, and left out."""
    if "platforms" not in layer.data:
        return Parts(base=layer, overrides={})
    data = {key: value for key, value in layer.data.items() if key != "platforms"}
    base = Layer(file=layer.file, prefix=layer.prefix, data=data)
    path = (*layer.prefix, "platforms")
    platforms = layer.data["platforms"]
    if not isinstance(platforms, dict):
        files.value(layer.file, path, f"{key_path(path)}: a mapping is wanted: a platform, then what differs there")
        return Parts(base=base, overrides={})
    found: dict[Platform, Layer] = {}
    for name, value in platforms.items():
        override = Layer(file=layer.file, prefix=(*path, name), data=value if isinstance(value, dict) else {})
        platform = _platform(files, layer.file, override, name, found)
        if platform and isinstance(value, dict):
            found[platform] = _allowed(files, override)
        elif platform:
            keys = ", ".join(MAY_DIFFER)
            files.value(layer.file, override.prefix, f"{key_path(override.prefix)}: keys are wanted ({keys})")
    return Parts(base=base, overrides=found)


def _platform(
    files: ProjectFiles, file: str, override: Layer, name: str, found: Mapping[Platform, Layer]
) -> Platform | None:
    path = key_path(override.prefix)
    try:
        platform = parse_platform(name)
    except UnknownPlatform as error:
        files.key(file, override.prefix, f"{path}: {error.summary}", error.hint)
        return None
    if platform in found:
        other = found[platform].prefix[-1]
        files.key(file, override.prefix, f"{path}: {platform} stands here twice, first as {other}")
        return None
    return platform


def _allowed(files: ProjectFiles, override: Layer) -> Layer:
    """Only the keys that can differ: the source tree is shared by all platforms."""
    kept: dict[str, Data] = {}
    for key, value in override.data.items():
        path = (*override.prefix, key)
        if key in MAY_DIFFER:
            kept[key] = value
            continue
        near = suggestion(key, MAY_DIFFER) or ""
        hint = near if near.startswith("did") else f"only {', '.join(MAY_DIFFER)} can"
        files.key(override.file, path, f"{key_path(path)} cannot differ by platform", hint)
    return Layer(file=override.file, prefix=override.prefix, data=kept)
