"""JSON, and values of JSON, as typed values: the one place that lets msgspec read.

msgspec makes the description of a Struct when it is first read, and stores it before it is whole. A thread that
reads the same Struct in that moment uses the half of it, and the process dies (SIGSEGV; msgspec 0.22, two audits side
by side). So a description is made under a lock, before anything is read by it.
"""

from __future__ import annotations

import threading
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")

Undecodable = msgspec.DecodeError  # ValidationError is one of them

_MAKING = threading.Lock()
_DECODERS: dict[Any, msgspec.json.Decoder[Any]] = {}


def decode_json(data: bytes, kind: type[T]) -> T:
    """Read JSON. Errors: Undecodable, whose text ends with the place; RecursionError."""
    found: T = _decoder(kind).decode(data)
    return found


def typed(value: object, kind: type[T]) -> T:
    """What JSON's values say, as a type. Errors: Undecodable; RecursionError."""
    _decoder(kind)
    return msgspec.convert(value, kind)


def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    known = _DECODERS.get(kind)
    if known is None:
        with _MAKING:
            known = _DECODERS.setdefault(kind, msgspec.json.Decoder(kind))
    return known
