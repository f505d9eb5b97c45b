"""Scripts that name an architecture: what a refit of programs alone would leave behind."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from rearch.model.platform import PLATFORMS

# Larger ones are no scripts that people write.
MAX_SCRIPT = 1 << 20
_MAX_LINES = 20


class Mention(Struct, frozen=True, kw_only=True):
    """A line (from 1) of a script, and the words in it."""

    path: str
    line: int
    words: tuple[str, ...]


def _words() -> Iterator[str]:
    """Spellings that mean an architecture and nothing else: `arm` and `386` alone are too often something else."""
    for platform in PLATFORMS:
        row = platform.arch
        names = (row.name, row.goarch, row.debian or "", row.triplet.partition("-")[0], *row.uname, *row.aliases)
        yield from (name for name in names if len(name) > 3 and "/" not in name)


_PATTERN = re.compile(
    rb"(?<![A-Za-z0-9])("
    + b"|".join(re.escape(word.encode()) for word in sorted(set(_words()), key=lambda word: (-len(word), word)))
    + rb"|uname -m|GOARCH)(?![A-Za-z0-9])"
)


def is_script(path: str, start: bytes, size: int) -> bool:
    """By its name or first bytes."""
    return size <= MAX_SCRIPT and (start.startswith(b"#!") or path.endswith((".sh", ".bash", ".py")))


def mentions(path: str, text: bytes) -> Iterator[Mention]:
    """The first 20 lines of a script that name an architecture, or ask for it."""
    found = 0
    for number, line in enumerate(text.split(b"\n"), 1):
        words = tuple(dict.fromkeys(word.decode() for word in _PATTERN.findall(line)))
        if words:
            found += 1
            yield Mention(path=path, line=number, words=words)
        if found == _MAX_LINES:
            return
