"""What a step's key is made of: every field of its inputs, unless the field says why not.

A document is the readable form that is hashed: JSON objects, lists, strings, numbers, booleans.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from json.encoder import encode_basestring
from pathlib import PurePath
from types import MappingProxyType
from typing import Any, cast

from msgspec import Struct

from rearch.model.digest import Digest
from rearch.model.platform import Platform

Document = Mapping[str, Any] | list[Any] | str | int | float | bool | None


def outside_key(**reasons: str) -> Mapping[str, str]:
    """For `OUTSIDE_KEY` of a Struct: the fields that do not enter the key; the reason is for the reader."""
    if not all(reasons.values()):
        raise ValueError("a field is left out of the key for a reason")
    return MappingProxyType(reasons)


def document(value: object) -> Document:
    """The readable form of a value. A type that it does not know is a bug, never silently skipped."""
    match value:
        case None | bool() | int() | float() | str():
            return value
        case Platform() | Digest() | PurePath():
            return str(value)
        case tuple() | list():
            return [document(item) for item in value]
        case Mapping():
            return {str(key): document(item) for key, item in value.items()}
    if (dump := getattr(value, "model_dump", None)) is not None:  # pydantic's, whose import costs a tenth of a second
        return cast(Document, dump(mode="json"))
    if isinstance(value, Struct):
        return {"is": type(value).__name__} | {name: document(getattr(value, name)) for name in key_fields(type(value))}
    raise TypeError(f"{type(value).__name__} cannot enter a key")


@functools.cache
def key_fields(kind: type[Struct]) -> tuple[str, ...]:
    """The fields of a Struct that enter a key, in their order."""
    outside = getattr(kind, "OUTSIDE_KEY", {})
    if unknown := set(outside) - set(kind.__struct_fields__):
        raise TypeError(f"{kind.__name__} leaves out fields that it does not have: {unknown}")
    return tuple(name for name in kind.__struct_fields__ if name not in outside)


def canonical(readable: object) -> str:
    """JSON with sorted names and no white space: one text for one value."""
    return json.dumps(readable, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


class Canonicalizer:
    """`canonical(document(value))`, for many values that share parts: each part is written once.

    A part is known by its identity, so the values must stay alive and unchanged as long as this is used.
    """

    def __init__(self) -> None:
        self._known: dict[int, str] = {}
        self._alive: list[object] = []

    def text(self, value: object) -> str:
        """The canonical JSON of a value's document."""
        if type(value) is str:
            return encode_basestring(value)
        if value is None or value is True or value is False:
            return _CONSTANTS[value]
        known = self._known.get(id(value))
        if known is None:
            known = self._known[id(value)] = self._whole(value)
            self._alive.append(value)
        return known

    def _whole(self, value: object) -> str:
        if isinstance(value, tuple | list):
            return f"[{','.join(map(self.text, value))}]"
        if isinstance(value, Struct) and not isinstance(value, Platform | Digest):
            return self._struct(value)
        if isinstance(value, Mapping):
            named = sorted((str(key), item) for key, item in value.items())
            return f"{{{','.join(f'{encode_basestring(key)}:{self.text(item)}' for key, item in named)}}}"
        return canonical(document(value))

    def _struct(self, value: Struct) -> str:
        # In the plan of a large project half of all time is spent here: strings, the most of it, without a call.
        parts, text = [], self.text
        for label, name in _labels(type(value)):
            if name is None:
                parts.append(label)
            else:
                item = getattr(value, name)
                parts.append(label + (encode_basestring(item) if type(item) is str else text(item)))
        return f"{{{','.join(parts)}}}"


_CONSTANTS = {None: "null", True: "true", False: "false"}


@functools.cache
def _labels(kind: type[Struct]) -> tuple[tuple[str, str | None], ...]:
    """What stands before each field of a Struct, in the order of the names; the type's own name has no field."""
    own: tuple[str, str | None] = (f'"is":{encode_basestring(kind.__name__)}', None)
    named = [("is", own), *((name, (f'"{name}":', name)) for name in key_fields(kind))]
    return tuple(label for _, label in sorted(named))
