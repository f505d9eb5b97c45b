"""Reading typed values, from many threads too."""

from __future__ import annotations

import pytest
from msgspec import Struct

from rearch.model.typed import Undecodable, decode_json, typed


class _Inner(Struct, frozen=True):
    x: int


class _Outer(Struct, frozen=True):
    inner: _Inner
    more: tuple[_Inner, ...] = ()


def test_json_becomes_a_value() -> None:
    assert decode_json(b'{"inner": {"x": 1}, "more": [{"x": 2}]}', _Outer) == _Outer(_Inner(1), (_Inner(2),))
    assert typed({"inner": {"x": 1}}, _Outer) == _Outer(_Inner(1))


@pytest.mark.parametrize("data", [b"", b"{", b'{"inner": {"x": "1"}}', b'{"inner": {}}'])
def test_what_is_wrong_is_said(data: bytes) -> None:
    with pytest.raises(Undecodable):
        decode_json(data, _Outer)


def test_a_wrong_value_is_said_with_its_place() -> None:
    with pytest.raises(Undecodable, match=r"inner\.x"):
        typed({"inner": {"x": None}}, _Outer)
