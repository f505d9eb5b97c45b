"""Defaults under recipes under overrides: the merged data, and where each part of it stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from rearch.config.files import KeyPath
from rearch.config.yaml_tree import Data


class Layer(Struct, frozen=True, kw_only=True):
    """Part of a file: the mapping `data`, which stands at `prefix` in `file`."""

    file: str
    prefix: KeyPath
    data: Mapping[str, Data]

    def has(self, path: Sequence[str | int]) -> bool:
        """Whether the path leads somewhere in this layer."""
        return _depth(self.data, path) == len(path)


def merge(low: Data, high: Data) -> Data:
    """`high` over `low`, map by map; a list or a scalar replaces what was there. Neither is changed."""
    if not isinstance(low, dict) or not isinstance(high, dict):
        return high
    merged = dict(low)
    for key, value in high.items():
        merged[key] = merge(low[key], value) if key in low else value
    return merged


def merged(layers: Sequence[Layer]) -> dict[str, Data]:
    """All layers in one, the last wins."""
    data: dict[str, Data] = {}
    for layer in layers:
        over = merge(data, dict(layer.data))
        data = over if isinstance(over, dict) else data
    return data


def origin(layers: Sequence[Layer], path: Sequence[str | int]) -> Layer | None:
    """The layer whose value is at a path of the merged data: the last one that has the path."""
    return next((layer for layer in reversed(layers) if layer.has(path)), None)


def at(data: Data, path: Sequence[str | int]) -> Data:
    """The value at a path; None where the path leads nowhere."""
    for step in path:
        if isinstance(data, dict) and isinstance(step, str):
            data = data.get(step)
        elif isinstance(data, list) and isinstance(step, int) and step < len(data):
            data = data[step]
        else:
            return None
    return data


def deepest(layer: Layer, path: Sequence[str | int]) -> KeyPath:
    """As much of the path as leads somewhere in the layer."""
    return tuple(path[: _depth(layer.data, path)])


def _depth(data: object, path: Sequence[str | int]) -> int:
    for count, step in enumerate(path):
        if isinstance(data, Mapping) and step in data:
            data = data[str(step)]
        elif isinstance(data, list) and isinstance(step, int) and step < len(data):
            data = data[step]
        else:
            return count
    return len(path)
