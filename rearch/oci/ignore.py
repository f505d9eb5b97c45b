"""What `.dockerignore` leaves out of a context.

Docker's rules, not git's: patterns are matched against whole paths from the context's root (a name alone matches at the
root only), `*` stays within a name, `**` matches any number of folders, what is in a folder that matches is left out,
and a later `!pattern` brings back. That is why the library `pathspec` does not serve. Dockerfile reference and
docs.docker.com/build/concepts/context, ".dockerignore files"; github.com/moby/patternmatcher for what they leave open.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from msgspec import Struct

from rearch.errors import UsageError


class BadIgnorePattern(UsageError):
    """A line of .dockerignore, or an --exclude, that is no pattern."""

    def __init__(self, where: str, pattern: str, why: str) -> None:
        self.where = where
        self.pattern = pattern
        super().__init__(f"{where}: {pattern!r} is no pattern: {why}", hint="correct it, or take it out")


class _Pattern(Struct, frozen=True):
    expression: re.Pattern[str]
    back: bool


class IgnoreRules:
    """Patterns, in their order; the last that matches decides. Errors: BadIgnorePattern."""

    def __init__(self, patterns: Sequence[tuple[str, str]]) -> None:
        """`patterns`: (where it stands, for messages; pattern)."""
        self._patterns = tuple(_compiled(where, text) for where, text in patterns)
        self.brings_back = any(pattern.back for pattern in self._patterns)

    def __bool__(self) -> bool:
        return bool(self._patterns)

    def ignored(self, path: str) -> bool:
        """Whether a path (relative, with `/`) is left out: it or a folder above it matches."""
        parts = path.split("/")
        names = ["/".join(parts[: depth + 1]) for depth in range(len(parts))]
        out = False
        for pattern in self._patterns:
            if pattern.back == out and any(pattern.expression.match(name) for name in names):
                out = not pattern.back
        return out


def read_ignore(text: str, where: str) -> IgnoreRules:
    """The rules of a `.dockerignore`. Lines that begin with # and empty lines say nothing. Errors: BadIgnorePattern."""
    lines = enumerate(text.removeprefix("\ufeff").splitlines(), start=1)
    return IgnoreRules([(f"{where}:{number}", line.strip()) for number, line in lines if not line.startswith("#")])


@lru_cache(maxsize=256)
def _compiled(where: str, text: str) -> _Pattern:
    back = text.startswith("!")
    pattern = text[1:].strip() if back else text
    if back and not pattern:
        raise BadIgnorePattern(where, text, "nothing follows the !")
    cleaned = posixpath.normpath(pattern).lstrip("/") if pattern else ""
    try:
        expression = re.compile("".join(_parts(cleaned)) + r"\Z", re.DOTALL) if cleaned else _NEVER
    except (re.error, ValueError) as error:
        raise BadIgnorePattern(where, text, str(error)) from None
    return _Pattern(expression, back)


_NEVER = re.compile(r"(?!)")


def _parts(pattern: str) -> Iterator[str]:
    at = 0
    while at < len(pattern):
        char = pattern[at]
        if pattern.startswith("**", at):
            at += 3 if pattern.startswith("/", at + 2) else 2
            yield ".*" if at >= len(pattern) else "(?:.*/)?"
            continue
        at += 1
        if char == "[":
            end = _end_of_set(pattern, at)
            yield _set(pattern[at:end])
            at = end + 1
        elif char == "\\":
            if at == len(pattern):
                raise ValueError("nothing follows the \\")
            yield re.escape(pattern[at])
            at += 1
        else:
            yield {"*": "[^/]*", "?": "[^/]"}.get(char) or re.escape(char)


def _end_of_set(pattern: str, at: int) -> int:
    end = pattern.find("]", at + 1 + pattern.startswith("^", at))
    if end < 0:
        raise ValueError("a [ has no end")
    return end


def _set(members: str) -> str:
    negated = members.startswith("^")
    inside = re.sub(r"([\[&~|])", r"\\\1", members[negated:])
    return f"[{'^' if negated else ''}{inside}]"
