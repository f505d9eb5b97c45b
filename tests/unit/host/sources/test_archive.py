"""What is special about archives; what all sources keep is in tests/contract/test_sources.py."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from rearch.errors import RearchError
from rearch.formats.archive_errors import LimitExceeded
from rearch.formats.tree import tree_digest
from rearch.formats.urls import OfflineError
from rearch.host.http_errors import NotFound, TooLarge
from rearch.host.sources.archive import ArchiveSources, EmptyArchive, file_name
from rearch.model.limits import Limits
from rearch.model.source import PinnedArchive
from rearch.steps.ports import Workspace
from tests.support.archives import Member, folder, tar
from tests.support.workspace import log_of, make_workspace, progress_of

DATA = tar(folder("x-1"), Member(name="x-1/main.go", content=b"package main"))
SHA256 = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def upstream(tmp_path: Path) -> Path:
    path = tmp_path / "upstream/x-1.tar"
    path.parent.mkdir()
    path.write_bytes(DATA)
    return path


def pinned(path: Path | str, *, sha256: str = SHA256, strip: int = 1) -> PinnedArchive:
    url = f"file://{path}" if isinstance(path, Path) else path
    return PinnedArchive(url=url, sha256=sha256, strip=strip)


def fetch(source: PinnedArchive, tmp_path: Path, limits: Limits | None = None, **settings: object) -> Workspace:
    work = make_workspace(tmp_path, limits=limits)
    ArchiveSources(tmp_path / "cache", **settings).fetch(source, work)  # type: ignore[arg-type]
    return work


def failure(source: PinnedArchive, tmp_path: Path, **settings: object) -> RearchError:
    with pytest.raises(RearchError) as caught:
        fetch(source, tmp_path, **settings)  # type: ignore[arg-type]
    return caught.value


def test_it_is_fetched_once(upstream: Path, tmp_path: Path) -> None:
    first = fetch(pinned(upstream), tmp_path)
    assert (first.files / "source/main.go").read_bytes() == b"package main"
    assert "from file://" in log_of(first)
    assert progress_of(first)[-1] == ("x-1.tar", len(DATA), len(DATA), "B")
    upstream.unlink()
    second = fetch(pinned(upstream), tmp_path, offline=True)
    assert tree_digest(second.files) == tree_digest(first.files)
    assert {path.name for path in (tmp_path / "cache/downloads").iterdir()} == {SHA256, f"{SHA256}.lock"}


def test_a_cache_that_rotted_is_fetched_anew(upstream: Path, tmp_path: Path) -> None:
    fetch(pinned(upstream), tmp_path)
    cached = tmp_path / "cache/downloads" / SHA256
    cached.write_bytes(cached.read_bytes()[:-1] + b"x")
    fetch(pinned(upstream), tmp_path)
    assert cached.read_bytes() == DATA


def test_mirrors(upstream: Path, tmp_path: Path) -> None:
    url = "https://user:hunter2@example.org/dl/x-1.tar"
    mirrors = {"https://user:hunter2@example.org/dl": f"file://{upstream.parent}/"}
    work = fetch(pinned(url), tmp_path, mirrors=mirrors)
    assert (work.files / "source/main.go").exists()


def test_offline_names_the_archive(tmp_path: Path) -> None:
    error = failure(pinned("https://user:hunter2@example.org/dl/x-1.tar"), tmp_path, offline=True)
    assert isinstance(error, OfflineError)
    assert "x-1.tar" in error.summary
    assert "hunter2" not in error.render()


def test_nothing_there(tmp_path: Path) -> None:
    assert isinstance(failure(pinned(tmp_path / "no"), tmp_path), NotFound)


def test_limits_of_the_workspace(upstream: Path, tmp_path: Path) -> None:
    assert isinstance(failure(pinned(upstream), tmp_path, limits=Limits(download_bytes=10)), TooLarge)
    assert isinstance(failure(pinned(upstream), tmp_path, limits=Limits(archive_entries=1)), LimitExceeded)


def test_an_archive_of_nothing(tmp_path: Path) -> None:
    path = tmp_path / "empty.tar"
    path.write_bytes(tar())
    source = pinned(path, sha256=hashlib.sha256(tar()).hexdigest(), strip=0)
    assert isinstance(failure(source, tmp_path), EmptyArchive)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://example.org/a/x%201.tar.gz?token=1#z", "x 1.tar.gz"),
        ("https://example.org/", "archive"),
        ("https://example.org", "archive"),
        ("https://example.org/v1/", "v1"),
    ],
)
def test_names_for_messages(url: str, name: str) -> None:
    assert file_name(url) == name
