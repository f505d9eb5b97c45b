"""What a step's key is made of: every field of its inputs, unless the field says why not.

A document is the readable form that is hashed: JSON objects, lists, strings, numbers, booleans.
"""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Iterable, Mapping
from json.encoder import encode_basestring
from pathlib import PurePath
from typing import Any

from pydantic import BaseModel

from rearch.model.digest import Digest
from rearch.model.platform import Platform

Document = Mapping[str, Any] | list[Any] | str | int | float | bool | None


def outside_key(reason: str) -> dict[str, str]:
    """Metadata for a dataclass field that does not enter the key; the reason is for the reader."""
    if not reason:
        raise ValueError("a field is left out of the key for a reason")
    return {"outside_key": reason}


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
        case BaseModel():
            return value.model_dump(mode="json")
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {"is": type(value).__name__} | {name: document(getattr(value, name)) for name in key_fields(type(value))}
    raise TypeError(f"{type(value).__name__} cannot enter a key")


@functools.cache
def key_fields(kind: type) -> tuple[str, ...]:
    """The fields of a dataclass that enter a key, in their order."""
    return tuple(item.name for item in dataclasses.fields(kind) if "outside_key" not in item.metadata)


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
        if value is None or type(value) in (bool, int, float):
            return json.dumps(value)
        known = self._known.get(id(value))
        if known is None:
            known = self._known[id(value)] = self._container(value)
            self._alive.append(value)
        return known

    def _container(self, value: object) -> str:
        if isinstance(value, tuple | list):
            return f"[{','.join(map(self.text, value))}]"
        if isinstance(value, Mapping):
            return self._object((str(key), item) for key, item in value.items())
        if dataclasses.is_dataclass(value) and not isinstance(value, type) and not isinstance(value, Platform | Digest):
            fields = ((name, getattr(value, name)) for name in key_fields(type(value)))
            return self._object((("is", type(value).__name__), *fields))
        return canonical(document(value))

    def _object(self, items: Iterable[tuple[str, object]]) -> str:
        ordered = sorted(items, key=_first)
        return f"{{{','.join(f'{encode_basestring(name)}:{self.text(item)}' for name, item in ordered)}}}"


def _first(item: tuple[str, object]) -> str:
    return item[0]
