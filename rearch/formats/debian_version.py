"""Debian versions and their order (Debian policy 5.6.12, deb-version(7))."""

from __future__ import annotations

import re
from functools import total_ordering
from itertools import zip_longest

_PARTS = re.compile(r"([^0-9]*)([0-9]*)")


@total_ordering
class DebianVersion:
    """A version as text, with the order that apt and dpkg give it: `1.0~rc1 < 1.0 = 1.00 < 1.0a < 1:0.1`."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return f"DebianVersion({self.text!r})"

    def _split(self) -> tuple[int, str, str]:
        epoch, colon, rest = self.text.partition(":")
        if not colon:
            epoch, rest = "0", self.text
        upstream, _dash, revision = rest.rpartition("-") if "-" in rest else (rest, "", "")
        return int(epoch) if epoch.isdigit() else 0, upstream, revision

    def _key(self) -> tuple[int, tuple[_Part, ...], tuple[_Part, ...]]:
        epoch, upstream, revision = self._split()
        return epoch, _parts(upstream), _parts(revision)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DebianVersion) and not self < other and not other < self

    def __lt__(self, other: DebianVersion) -> bool:
        mine, others = self._key(), other._key()
        if mine[0] != others[0]:
            return mine[0] < others[0]
        order = _compare(mine[1], others[1]) or _compare(mine[2], others[2])
        return order < 0

    def __hash__(self) -> int:
        epoch, upstream, revision = self._key()
        return hash((epoch, upstream, revision))

    def __str__(self) -> str:
        return self.text


_Part = tuple[tuple[int, ...], int]
_NOTHING: _Part = ((), 0)


def _parts(text: str) -> tuple[_Part, ...]:
    found = [(tuple(_weight(letter) for letter in word), int(number or 0)) for word, number in _PARTS.findall(text)]
    while found and found[-1] == _NOTHING:
        found.pop()
    return tuple(found)


def _weight(letter: str) -> int:
    """`~` sorts before the end of the text (0), letters before everything else."""
    if letter == "~":
        return -1
    return ord(letter) if letter.isalpha() else ord(letter) + 256


def _compare(mine: tuple[_Part, ...], others: tuple[_Part, ...]) -> int:
    for (word, number), (other_word, other_number) in zip_longest(mine, others, fillvalue=_NOTHING):
        for letter, other_letter in zip_longest(word, other_word, fillvalue=0):
            if letter != other_letter:
                return letter - other_letter
        if number != other_number:
            return number - other_number
    return 0
