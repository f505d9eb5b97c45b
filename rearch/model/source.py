"""Sources after locking: every name is an identity, and the identity decides the content.

Where a field is left out of the step's key, the reason stands at the field (see model/key.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from msgspec import Struct

from rearch.model.key import outside_key


class PinnedGit(Struct, frozen=True, kw_only=True):
    """One commit. `time` is its committer time, in seconds since 1970."""

    OUTSIDE_KEY: ClassVar[Mapping[str, str]] = outside_key(
        url="the commit's hash names its content, wherever it is fetched",
        ref="the name that the commit was resolved from",
        time="part of what the commit's hash covers",
    )

    url: str
    ref: str
    commit: str
    time: int
    submodules: bool = False


class PinnedArchive(Struct, frozen=True, kw_only=True):
    """One downloaded file, by its sha256 (64 hexadecimal digits)."""

    OUTSIDE_KEY: ClassVar[Mapping[str, str]] = outside_key(url="the sha256 names its content")

    url: str
    sha256: str
    strip: int


class DebianFile(Struct, frozen=True, kw_only=True):
    """A file of a Debian archive: `path` below the archive's root (`pool/main/...`), size in bytes."""

    OUTSIDE_KEY: ClassVar[Mapping[str, str]] = outside_key(path="the sha256 names its content")

    path: str
    size: int
    sha256: str


class DebianPackage(Struct, frozen=True, kw_only=True):
    """A binary package that is unpacked, not installed."""

    name: str
    version: str
    architecture: str
    file: DebianFile


class PinnedDebian(Struct, frozen=True, kw_only=True):
    """A Debian source package with the golang-*-dev packages that it builds with.

    `files` are the .dsc and what it lists; `time` is the date of its changelog or .dsc, seconds since 1970.
    """

    OUTSIDE_KEY: ClassVar[Mapping[str, str]] = outside_key(time="written inside the files, which are named by hash")

    package: str
    version: str
    time: int
    files: tuple[DebianFile, ...]
    build_packages: tuple[DebianPackage, ...]


class PinnedLocal(Struct, frozen=True, kw_only=True):
    """A folder of the project. `digest` is its tree digest (formats/tree.py); `path` is relative to the project."""

    OUTSIDE_KEY: ClassVar[Mapping[str, str]] = outside_key(path="the digest names its content")

    path: str
    digest: str


PinnedSource = PinnedGit | PinnedArchive | PinnedDebian | PinnedLocal
