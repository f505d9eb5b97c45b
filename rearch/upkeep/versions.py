"""Versions and their order, by the scheme that a recipe names.

Upstreams write versions as they like, so reading one can fail: that is an answer (None), never an error.
"""

from __future__ import annotations

import re
from functools import total_ordering
from itertools import zip_longest
from typing import Any, assert_never

from rearch.formats.debian_version import DebianVersion
from rearch.model.watch import Scheme

LONGEST = 200
"""Characters of the longest version (and tag) that is looked at; git itself allows kilobytes."""

# semver.org 2.0.0, with two liberties that most Go projects take: one to three numbers, and zeros before a number.
_SEMVER = re.compile(
    r"(?P<core>[0-9]{1,18}(?:\.[0-9]{1,18}){0,2})"
    r"(?:-(?P<pre>[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z.-]+)?",
    re.ASCII,
)
_DATE = re.compile(
    r"(?P<year>(?:19|20)[0-9]{2})(?:(?P<mark>[-._])(?P<month>[0-9]{1,2})(?:(?P=mark)(?P<day>[0-9]{1,2}))?"
    r"|(?P<packed>[0-9]{4}))(?P<more>(?:[-._][0-9]{1,9})*)",
    re.ASCII,
)
_DEBIAN = re.compile(r"(?:[0-9]+:)?[0-9][A-Za-z0-9.+~-]*", re.ASCII)
_WORDS = re.compile(r"[0-9]+|[A-Za-z]+")
_PRE = frozenset(("alpha", "beta", "rc", "pre", "preview", "dev", "snapshot", "nightly", "test", "m"))
_LINE = re.compile(r"[0-9]+(?:\.[0-9]+)*")


@total_ordering
class Version:
    """A version that was read. Only versions of one scheme can be compared.

    `text` as upstream writes it; `pre`: it comes before a release; `numbers`: those that it begins with, (1, 4, 2).
    """

    __slots__ = ("_key", "pre", "text")

    def __init__(self, text: str, key: Any, *, pre: bool) -> None:
        self.text, self._key, self.pre = text, key, pre

    @property
    def numbers(self) -> tuple[int, ...]:
        """What `same line` is decided by: the numbers at the front, an epoch left out."""
        found = _LINE.match(self.text.partition(":")[2] or self.text)
        return tuple(int(part) for part in found[0].split(".")) if found else ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Version) and bool(self._key == other._key)

    def __lt__(self, other: Version) -> bool:
        return bool(self._key < other._key)

    def __hash__(self) -> int:
        return hash(self._key)

    def __repr__(self) -> str:
        return f"Version({self.text!r})"

    def __str__(self) -> str:
        return self.text


def parse_version(scheme: Scheme, text: str) -> Version | None:
    """Read a version (without a leading `v`: that is the tag's pattern); None when the scheme cannot."""
    if not text or len(text) > LONGEST or not text.isascii():
        return None
    match scheme:
        case "semver":
            return _semver(text)
        case "pep440":
            return _pep440(text)
        case "debian":
            return _debian(text)
        case "date":
            return _date(text)
        case "any":
            return _any(text)
    assert_never(scheme)


def guess_scheme(text: str) -> Scheme:
    """The strictest scheme that can read a version: semver, pep440, else any."""
    schemes: tuple[Scheme, ...] = ("semver", "pep440")
    return next((scheme for scheme in schemes if parse_version(scheme, text)), "any")


def _semver(text: str) -> Version | None:
    found = _SEMVER.fullmatch(text)
    if not found:
        return None
    core = [int(part) for part in found["core"].split(".")]
    pre = found["pre"]
    # Numbers before words, fewer identifiers before more, and every pre-release before its release (item 11).
    words = [(0, int(word), "") if word.isdigit() else (1, 0, word) for word in pre.split(".")] if pre else []
    return Version(text, (*(*core, 0, 0)[:3], not pre, tuple(words)), pre=bool(pre))


def _pep440(text: str) -> Version | None:
    from packaging.version import InvalidVersion
    from packaging.version import Version as PyVersion

    try:
        found = PyVersion(text)
    except InvalidVersion:
        return None
    return Version(text, found, pre=found.is_prerelease)


def _debian(text: str) -> Version | None:
    # `~` sorts before the end: that is how Debian marks what comes before a release (policy 5.6.12).
    return Version(text, DebianVersion(text), pre="~" in text) if _DEBIAN.fullmatch(text) else None


def _date(text: str) -> Version | None:
    found = _DATE.fullmatch(text)
    if not found:
        return None
    packed = found["packed"] or ""
    month, day = int(packed[:2] or found["month"] or 0), int(packed[2:] or found["day"] or 0)
    if month > 12 or day > 31:
        return None
    more = tuple(int(part) for part in re.findall(r"[0-9]+", found["more"]))
    return Version(text, (int(found["year"]), month, day, more), pre=False)


def _any(text: str) -> Version | None:
    words = [word.lower() for word in _WORDS.findall(text)]
    if not any(word.isdigit() for word in words):
        return None
    key = tuple(_weight(word) for word in words)
    return Version(text, _Natural(key), pre=any(word in _PRE for word in words))


def _weight(word: str) -> tuple[int, int, str]:
    """`1.0-rc1 < 1.0 < 1.0a < 1.0.1`: a word of a pre-release sorts before the end of the text (0)."""
    if word.isdigit():
        return 2, int(word), ""
    return (-1, 0, word) if word in _PRE else (1, 0, word)


@total_ordering
class _Natural:
    """Words in turn; where one text ends, the end itself is compared."""

    __slots__ = ("words",)

    def __init__(self, words: tuple[tuple[int, int, str], ...]) -> None:
        self.words = words

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Natural) and self.words == other.words

    def __hash__(self) -> int:
        return hash(self.words)

    def __lt__(self, other: _Natural) -> bool:
        for mine, others in zip_longest(self.words, other.words, fillvalue=(0, 0, "")):
            if mine != others:
                return mine < others
        return False
