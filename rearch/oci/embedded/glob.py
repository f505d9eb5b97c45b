"""Wildcards in sources, as Go's filepath.Match has them: `*` and `?` within a name, `[a-z]`, `[^a]`, and `\\`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rearch.oci.dockerfile.errors import Trouble


def has_wildcard(text: str) -> bool:
    """Whether any of `*?[` is there and not escaped."""
    return re.search(r"[*?\[]", re.sub(r"\\.", "", text)) is not None


def compiled(pattern: str) -> re.Pattern[str]:
    """What a whole path must match. Errors: Trouble for a pattern that is none."""
    return re.compile("".join(_parts(pattern)) + r"\Z", re.DOTALL)


def _parts(pattern: str) -> Iterator[str]:
    at = 0
    while at < len(pattern):
        char = pattern[at]
        at += 1
        if char == "*":
            yield "[^/]*"
        elif char == "?":
            yield "[^/]"
        elif char == "[":
            members, at = _members(pattern, at)
            yield members
        elif char == "\\":
            if at == len(pattern):
                raise Trouble(f"{pattern} is no pattern: nothing follows the \\")
            yield re.escape(pattern[at])
            at += 1
        else:
            yield re.escape(char)


def _members(pattern: str, at: int) -> tuple[str, int]:
    """A set of characters: what it is as a regular expression, and where it ends."""
    negated = pattern.startswith("^", at)
    at += negated
    ranges = list[str]()
    while not (pattern.startswith("]", at) and ranges):
        low, at = _member(pattern, at)
        high = low
        if pattern.startswith("-", at):
            high, at = _member(pattern, at + 1)
        if high < low:
            raise Trouble(f"{pattern} is no pattern: [{low}-{high}] holds nothing")
        ranges.append(re.escape(low) if low == high else f"{re.escape(low)}-{re.escape(high)}")
    return f"(?!/)[{'^' if negated else ''}{''.join(ranges)}]", at + 1


def _member(pattern: str, at: int) -> tuple[str, int]:
    if pattern.startswith("\\", at):
        at += 1
    elif pattern[at : at + 1] in ("-", "]"):
        raise Trouble(f"{pattern} is no pattern: {pattern[at]} at the wrong place in [...]")
    if at >= len(pattern):
        raise Trouble(f"{pattern} is no pattern: a [ has no end")
    return pattern[at], at + 1
