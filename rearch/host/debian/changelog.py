"""The time of a source package: the date of its topmost changelog entry, read without unpacking anything.

It depends on the package alone: not on the clock, the machine, or the day on which an archive took it in.
"""

from __future__ import annotations

import gzip
import lzma
import re
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path

from rearch.errors import StepError
from rearch.formats.debian_control import SourceRecord, changelog_time

_PACKAGING = (re.compile(r".*\.debian\.tar\.[a-z0-9]+\Z"), re.compile(r".*\.diff\.gz\Z"))
_NATIVE = re.compile(r".*\.tar\.[a-z0-9]+\Z")
_CHANGELOG = re.compile(r"(?:\./)?(?:[^/]+/)?debian/changelog\Z")
_START = 64 * 1024
_LINES = 500


class NoPackaging(StepError):
    """A source package without the file that has its debian folder, or one that cannot be read."""

    def __init__(self, package: str, why: str) -> None:
        self.package = package
        super().__init__(f"{package}: {why}", hint="take another version: `version:` in the recipe")


def packaging_file(record: SourceRecord) -> str:
    """The name of the file that holds debian/changelog: .debian.tar.*, .diff.gz, or the only tar of a native package.

    Errors: NoPackaging.
    """
    names = [file.name for file in record.files]
    for pattern in (*_PACKAGING, _NATIVE):
        found = [name for name in names if pattern.match(name)]
        if len(found) == 1:
            return found[0]
    raise NoPackaging(record.package, f"none of its files has the debian folder ({', '.join(names)})")


def packaging_time(name: str, fetched: Callable[[str], Path]) -> int:
    """Seconds since 1970. `fetched` gives the file's place by its name. Errors: NoPackaging."""
    path = fetched(name)
    try:
        text, fallback = _from_diff(path) if name.endswith(".diff.gz") else _from_tar(path)
    except (tarfile.TarError, lzma.LZMAError, zlib.error, EOFError, OSError) as error:
        raise NoPackaging(name, f"it cannot be read ({error})") from None
    time = changelog_time(text)
    if time is None:
        time = fallback
    if time is None:
        raise NoPackaging(name, "its debian/changelog has no entry with a date")
    return time


def _from_tar(path: Path) -> tuple[str, int | None]:
    """The changelog's start, and the time that the tar gives it."""
    with tarfile.open(path, "r|*") as tar:
        for entry in tar:
            if entry.isreg() and _CHANGELOG.match(entry.name):
                content = tar.extractfile(entry)
                assert content is not None
                return content.read(_START).decode("utf-8", "replace"), int(entry.mtime)
    return "", None


def _from_diff(path: Path) -> tuple[str, int | None]:
    """The lines that a .diff.gz (format 1.0) adds as debian/changelog."""
    lines: list[str] = []
    inside = False
    with gzip.open(path, "rt", encoding="utf-8", errors="replace") as diff:
        for line in diff:
            if line.startswith("+++ "):
                inside = bool(re.match(r"\+\+\+ [^/]+/debian/changelog\s", line))
            elif inside and line.startswith("+"):
                lines.append(line[1:])
            if len(lines) >= _LINES:
                break
    return "".join(lines), None
