"""The `.ARM.attributes` section: what the C compiler assumed of the processor.

Source of the format: "Addenda to, and Errata in, the ABI for the ARM Architecture", section 3 (Build attributes).
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Order = Literal["little", "big"]
SIZE_LIMIT = 64 * 1024

_FILE_SCOPE = 1
_CPU_ARCH = 6
_VFP_ARGS = 28
_COMPATIBILITY = 32
_TEXT_TAGS = (4, 5)  # CPU_raw_name, CPU_name; from 32 on, odd tags are text too

# Tag_CPU_arch: the value is a name, not a rank. 6T2 needs Thumb-2, which no v6 board has, so it counts as v7.
_GENERATION = {0: 4, 1: 4, 2: 4, 3: 5, 4: 5, 5: 5, 6: 6, 7: 6, 8: 7, 9: 6, 10: 7, 11: 6, 12: 6, 13: 7}
_FLOATS: dict[int, Literal["hard", "soft"]] = {0: "soft", 1: "hard"}


class ArmAttributes(Struct, frozen=True, kw_only=True):
    """`generation` is the ARM version that is needed (6, 7, 8); `float_args` "hard" or "soft"; None: not said."""

    generation: int | None = None
    float_args: Literal["hard", "soft"] | None = None


class _Damaged(Exception):
    """The section contradicts itself."""


def read_attributes(data: bytes, *, little_endian: bool) -> ArmAttributes | None:
    """Read the section's bytes; None where it is damaged or is no format-version 'A'."""
    try:
        tags = _aeabi_tags(data, "little" if little_endian else "big")
    except _Damaged:
        return None
    if tags is None:
        return None
    arch, args = tags.get(_CPU_ARCH), tags.get(_VFP_ARGS)
    return ArmAttributes(
        generation=None if arch is None else _GENERATION.get(arch, 8),
        float_args=None if args is None else _FLOATS.get(args),
    )


def _aeabi_tags(data: bytes, order: Order) -> dict[int, int] | None:
    """The numeric attributes of the whole file, by tag."""
    if data[:1] != b"A":
        return None
    position = 1
    while position < len(data):
        size = _word(data, position, order)
        end = position + size
        name, body = _text(data, position + 4)
        if size < 5 or end > len(data) or body > end:
            raise _Damaged
        if name == b"aeabi":
            return _file_scope(data[body:end], order)
        position = end
    return {}


def _file_scope(data: bytes, order: Order) -> dict[int, int]:
    tags: dict[int, int] = {}
    position = 0
    while position < len(data):
        size = _word(data, position + 1, order)
        if size < 5 or position + size > len(data):
            raise _Damaged
        if data[position] == _FILE_SCOPE:
            tags |= _numbers(data[position + 5 : position + size])
        position += size
    return tags


def _numbers(data: bytes) -> dict[int, int]:
    tags: dict[int, int] = {}
    position = 0
    while position < len(data):
        tag, position = _uleb(data, position)
        if tag in _TEXT_TAGS or (tag > _COMPATIBILITY and tag % 2):
            _, position = _text(data, position)
            continue
        tags[tag], position = _uleb(data, position)
        if tag == _COMPATIBILITY:
            _, position = _text(data, position)
    return tags


def _word(data: bytes, position: int, order: Order) -> int:
    if position + 4 > len(data):
        raise _Damaged
    return int.from_bytes(data[position : position + 4], order)


def _text(data: bytes, position: int) -> tuple[bytes, int]:
    end = data.find(b"\0", position)
    if end < 0:
        raise _Damaged
    return data[position:end], end + 1


def _uleb(data: bytes, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 35, 7):
        if position >= len(data):
            raise _Damaged
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise _Damaged
