"""The kinds of sources, as the contract suite (tests/contract/test_sources.py) wants them.

A kind publishes files as upstream would, pins what it published, and makes the fetcher under test. Kinds are
frozen and can be pickled: some tests fetch in other processes. To put another kind under the contract, add it to KINDS.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from msgspec.structs import replace

from rearch.host.sources.archive import ArchiveSources
from rearch.host.sources.git import GitSources
from rearch.host.sources.git_run import GitSettings
from rearch.host.sources.local import LocalSources, local_digest
from rearch.model.source import PinnedArchive, PinnedGit, PinnedLocal, PinnedSource
from rearch.steps.ports import SourceFetcher
from tests.support.debian_kind import DebianKind
from tests.support.repositories import FIRST_TIME, Content, Executable, Gitlink, Link, make_repository


class SourceKind(Protocol):
    """One kind. `base` is a folder of the test's; everything upstream lives in `base/upstream`."""

    @property
    def name(self) -> str: ...

    @property
    def uses_cache(self) -> bool:
        """Whether a first fetch needs the outside world, and a second one does not."""

    @property
    def over_http(self) -> bool:
        """Whether the test is to serve `base/upstream`, and give the address to `publish`."""

    def publish(self, base: Path, files: Mapping[str, Content], address: str) -> PinnedSource:
        """Put a tree where the fetcher finds it. Called at most once for a `base`."""

    def wrong(self, source: PinnedSource) -> PinnedSource:
        """The same place, pinned to content that it does not have."""

    def fetcher(self, base: Path, *, offline: bool = False) -> SourceFetcher:
        """A new fetcher with its cache in `base/cache`."""


@dataclass(frozen=True)
class GitKind:
    """A repository over file://."""

    name: str = "git"
    uses_cache: bool = True
    over_http: bool = False

    def publish(self, base: Path, files: Mapping[str, Content], address: str) -> PinnedSource:  # noqa: ARG002
        repository = make_repository(base / "upstream/project.git", files, tag="v1")
        return PinnedGit(url=repository.url, ref="v1", commit=repository.head, time=FIRST_TIME)

    def wrong(self, source: PinnedSource) -> PinnedSource:
        assert isinstance(source, PinnedGit)
        return replace(source, ref="main", commit="0123456789" * 4)

    def fetcher(self, base: Path, *, offline: bool = False) -> SourceFetcher:
        return GitSources(GitSettings(cache=base / "cache", offline=offline, timeout=10, pause=0.01))


@dataclass(frozen=True)
class ArchiveKind:
    """A tar archive, compressed as its suffix says, over file:// or http://."""

    name: str
    over_http: bool
    suffix: str = "gz"
    uses_cache: bool = True

    def publish(self, base: Path, files: Mapping[str, Content], address: str) -> PinnedSource:
        path = base / f"upstream/project-1.tar.{self.suffix}"
        path.parent.mkdir(parents=True)
        data = make_tar(files, top="project-1/", suffix=self.suffix)
        path.write_bytes(data)
        url = f"{address}/{path.name}" if self.over_http else f"file://{path}"
        return PinnedArchive(url=url, sha256=hashlib.sha256(data).hexdigest(), strip=1)

    def wrong(self, source: PinnedSource) -> PinnedSource:
        assert isinstance(source, PinnedArchive)
        return replace(source, sha256="0" * 64)

    def fetcher(self, base: Path, *, offline: bool = False) -> SourceFetcher:
        return ArchiveSources(base / "cache", offline=offline, timeout=10)


@dataclass(frozen=True)
class LocalKind:
    """A folder of the project; `base/upstream` is the project."""

    name: str = "local"
    uses_cache: bool = False
    over_http: bool = False

    def publish(self, base: Path, files: Mapping[str, Content], address: str) -> PinnedSource:  # noqa: ARG002
        write_files(base / "upstream/project", files)
        return PinnedLocal(path="project", digest=local_digest(base / "upstream/project"))

    def wrong(self, source: PinnedSource) -> PinnedSource:
        assert isinstance(source, PinnedLocal)
        return replace(source, digest="0" * 64)

    def fetcher(self, base: Path, *, offline: bool = False) -> SourceFetcher:  # noqa: ARG002
        return LocalSources(base / "upstream")


def write_files(root: Path, files: Mapping[str, Content]) -> None:
    """The files on disk, written without any of the code under test."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, Link):
            path.symlink_to(_bytes(content).decode())
            continue
        path.write_bytes(_bytes(content))
        path.chmod(0o755 if isinstance(content, Executable) else 0o644)


def make_tar(files: Mapping[str, Content], *, top: str, suffix: str) -> bytes:
    """A tar archive of the files below the folder `top`; suffix gz, xz or bz2."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=f"w:{suffix}") as archive:  # type: ignore[call-overload]
        for name, content in files.items():
            entry = tarfile.TarInfo(top + name)
            entry.mtime, data = FIRST_TIME, _bytes(content)
            entry.mode = 0o755 if isinstance(content, Executable) else 0o644
            if isinstance(content, Link):
                entry.type, entry.linkname = tarfile.SYMTYPE, data.decode()
            else:
                entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def _bytes(content: Content) -> bytes:
    match content:
        case Executable(content=data) | Link(target=data):
            return data.encode() if isinstance(data, str) else data
        case Gitlink():
            raise TypeError("a submodule is git's alone")
        case str():
            return content.encode()
        case bytes():
            return content


KINDS: tuple[SourceKind, ...] = (
    GitKind(),
    ArchiveKind("archive-file", over_http=False, suffix="xz"),
    ArchiveKind("archive-http", over_http=True),
    LocalKind(),
    DebianKind(),
)
