"""What a step's key is made of: every field of its inputs, unless the field says why not.

A document is the readable form that is hashed: JSON objects, lists, strings, numbers, booleans.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
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
        fields = {
            item.name: document(getattr(value, item.name))
            for item in dataclasses.fields(value)
            if "outside_key" not in item.metadata
        }
        return {"is": type(value).__name__, **fields}
    raise TypeError(f"{type(value).__name__} cannot enter a key")
