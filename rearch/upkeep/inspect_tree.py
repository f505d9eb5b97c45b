"""A foreign source tree as it is looked at: its paths, and the text of those files that are asked for."""

from __future__ import annotations

import posixpath
from typing import Protocol

from msgspec import Struct

# What holds no code of the repository's own. `_` and `.` folders are left out by go itself (cmd/go, "Package lists").
VENDORED = ("vendor/", "Godeps/_workspace/")


class SourceTree(Protocol):
    """The files of one commit. Paths are relative, with `/`; links and submodules are not among them."""

    @property
    def paths(self) -> frozenset[str]: ...

    def read(self, path: str) -> str:
        """The text of a file, what is no UTF-8 replaced; empty for one that is missing or too large to be code."""


class Fact(Struct, frozen=True):
    """A value and where it was found: `go.mod:3`, `scripts/build:12`, or words."""

    value: str
    where: str


def is_vendored(path: str) -> bool:
    """Whether a path belongs to somebody else's code: vendored at the root, or below it."""
    return path.startswith(VENDORED) or any(f"/{folder}" in path for folder in VENDORED)


def folder_of(path: str) -> str:
    """The folder of a file; `.` for the root."""
    return posixpath.dirname(path) or "."


def below(folder: str, path: str) -> str:
    """A path below a folder, where `.` is the root."""
    return path if folder == "." else f"{folder}/{path}"
