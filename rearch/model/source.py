"""Sources after locking: every name is an identity, and the identity decides the content.

Where a field is left out of the step's key, the reason stands at the field (see model/key.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from rearch.model.key import outside_key


@dataclass(frozen=True, slots=True, kw_only=True)
class PinnedGit:
    """One commit. `time` is its committer time, in seconds since 1970."""

    url: str = field(metadata=outside_key("the commit's hash names its content, wherever it is fetched"))
    ref: str = field(metadata=outside_key("the name that the commit was resolved from"))
    commit: str
    time: int = field(metadata=outside_key("part of what the commit's hash covers"))
    submodules: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PinnedArchive:
    """One downloaded file, by its sha256 (64 hexadecimal digits)."""

    url: str = field(metadata=outside_key("the sha256 names its content"))
    sha256: str
    strip: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DebianFile:
    """A file of a Debian archive: `path` below the archive's root (`pool/main/...`), size in bytes."""

    path: str = field(metadata=outside_key("the sha256 names its content"))
    size: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DebianPackage:
    """A binary package that is unpacked, not installed."""

    name: str
    version: str
    architecture: str
    file: DebianFile


@dataclass(frozen=True, slots=True, kw_only=True)
class PinnedDebian:
    """A Debian source package with the golang-*-dev packages that it builds with.

    `files` are the .dsc and what it lists; `time` is the date of its changelog or .dsc, seconds since 1970.
    """

    package: str
    version: str
    time: int = field(metadata=outside_key("written inside the files, which are named by hash"))
    files: tuple[DebianFile, ...]
    build_packages: tuple[DebianPackage, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PinnedLocal:
    """A folder of the project. `digest` is its tree digest (formats/tree.py); `path` is relative to the project."""

    path: str = field(metadata=outside_key("the digest names its content"))
    digest: str


PinnedSource = PinnedGit | PinnedArchive | PinnedDebian | PinnedLocal
