"""Rancher's sums: SHA1SUMS (`sha1sum -b` of the files, their paths with the root folder) and SHA1SUMSSUM (of SHA1SUMS).

A host's config.sh refuses an archive without both, and runs `sha1sum -c` on them where it has unpacked. The server may
put files (`version`) into an archive after it was summed, and later other ones: what was not listed is not listed anew.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping

from msgspec import Struct

from rearch.bundle.values import SUMS, SUMS_SUM
from rearch.formats.archive_errors import shown

# A line of `sha1sum`: the digest, a blank, `*` for binary or a blank for text, the name. A backslash before it says
# that the name has escapes, which none of an archive's has: control characters are refused.
_LINE = re.compile(rb"\\?([0-9a-fA-F]{40}) ([ *])(.+)")
# More lines than an archive may have entries: no sums.
MAX_SIZE = 64 << 20


class Line(Struct, frozen=True, kw_only=True):
    """One line; `name` as it is written, `path` as the archive has it."""

    digest: str
    mark: str
    name: str
    path: str

    def with_digest(self, digest: str) -> str:
        """The same line for other content."""
        return f"{digest} {self.mark}{self.name}\n"

    def beside(self, path: str, digest: str) -> str:
        """A line for a file in the same folder, `path` being its whole path."""
        folder, slash, _ = self.name.rpartition("/")
        return f"{digest} {self.mark}{folder}{slash}{path.rpartition('/')[2]}\n"


class Sums(Struct, frozen=True, kw_only=True):
    """What SHA1SUMS says, line by line, and which of its lines cannot be read."""

    lines: tuple[Line, ...]
    faults: tuple[str, ...]


def parse_sums(data: bytes, root: str) -> Sums:
    """Read SHA1SUMS. `root` is the archive's root folder; empty for a folder that is one, whose lines name it still."""
    lines, faults = [], []
    for number, raw in enumerate(data.splitlines(), 1):
        found = _LINE.fullmatch(raw)
        if found is None:
            faults.append(f"{SUMS} line {number}: no line of sha1sum: {ascii(raw[:60])[1:]}")
            continue
        name = found[3].decode("utf-8", "surrogateescape")
        lines.append(Line(digest=found[1].decode().lower(), mark=found[2].decode(), name=name, path=_path(name, root)))
    return Sums(lines=tuple(lines), faults=tuple(faults))


def _path(name: str, root: str) -> str:
    parts = [part for part in name.split("/") if part not in ("", ".")]
    return "/".join(parts if root else parts[1:])


def sums_faults(sums: Sums, digests: Mapping[str, str]) -> Iterator[str]:
    """What SHA1SUMS says that is not so. `digests`: path -> sha1 of what is there."""
    yield from sums.faults
    for line in sums.lines:
        there = digests.get(line.path)
        if there is None:
            yield f"{shown(line.name)} is listed, and not there"
        elif there != line.digest:
            yield f"{shown(line.name)} is listed with {line.digest}, and has {there}"


def sums_sum_faults(data: bytes, sums: bytes, root: str) -> Iterator[str]:
    """What SHA1SUMSSUM says that is not so."""
    found = parse_sums(data, root)
    yield from (fault.replace(SUMS, SUMS_SUM, 1) for fault in found.faults)
    actual = hashlib.sha1(sums, usedforsecurity=False).hexdigest()
    wanted = f"{root}/{SUMS}" if root else SUMS
    if not any(line.path == wanted for line in found.lines):
        yield f"{SUMS_SUM} does not list {SUMS}"
    for line in found.lines:
        if line.path == wanted and line.digest != actual:
            yield f"{SUMS_SUM} lists {SUMS} with {line.digest}, and it has {actual}"


def sums_of(old: Sums, digests: Mapping[str, str], made: Mapping[str, tuple[str, ...]]) -> bytes:
    """SHA1SUMS anew: the same lines in the same order, with the digests of what is there now.

    `made`: path that was listed -> the paths that stand in its place, itself perhaps among them.
    """
    out = []
    for line in old.lines:
        for path in made.get(line.path, (line.path,)):
            digest = digests[path]
            out.append(line.with_digest(digest) if path == line.path else line.beside(path, digest))
    return "".join(out).encode("utf-8", "surrogateescape")


def first_sums(digests: Mapping[str, str], left_out: frozenset[str]) -> bytes:
    """SHA1SUMS for an archive that had none: all files, in the order of their names' bytes."""
    names = sorted(digests.keys() - left_out, key=lambda name: name.encode("utf-8", "surrogateescape"))
    return "".join(f"{digests[name]} *{name}\n" for name in names).encode("utf-8", "surrogateescape")


def sums_sum_of(sums: bytes, old: bytes, root: str) -> bytes:
    """SHA1SUMSSUM anew, its line spelled as it was."""
    digest = hashlib.sha1(sums, usedforsecurity=False).hexdigest()
    lines = parse_sums(old, root).lines
    if lines:
        return lines[0].with_digest(digest).encode("utf-8", "surrogateescape")
    return f"{digest} *{f'{root}/' if root else ''}{SUMS}\n".encode("utf-8", "surrogateescape")
