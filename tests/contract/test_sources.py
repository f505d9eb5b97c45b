"""The contract of steps.ports.SourceFetcher: what every kind of source keeps, whatever it is fetched from."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import pytest

from rearch.errors import ExitCode, HostileInputError, VerificationError
from rearch.formats.tree import tree_digest
from rearch.model.source import PinnedSource
from tests.support.repositories import Content, Executable, Link
from tests.support.source_kinds import KINDS, SourceKind, write_files
from tests.support.web import serve
from tests.support.workspace import make_workspace

Publish = Callable[[Mapping[str, Content]], PinnedSource]

FILES: dict[str, Content] = {
    "main.go": "package main\n\nfunc main() {}\n",
    "scripts/build": Executable("#!/bin/sh\nexec go build\n"),
    "scripts/again": Link("build"),
    "docs/up": Link("../main.go"),
    "docs/latest": Link("../scripts"),
    "docs/dangling": Link("not/there"),
    "vendor/example.org/Lib/a b/ünï.txt": "text\r\nwith both\nends",
    "data/nothing": "",
    "data/bytes": bytes(range(256)) * 300,
    ".gitattributes": "* text eol=crlf ident\nmain.go export-ignore\n*.subst export-subst\n",
    "version.subst": "$Format:%H$ $Id$\n",
    ".gitignore": "*\n",
}

HOSTILE: dict[str, dict[str, Content]] = {
    "absolute link": {"a": "x", "evil": Link("/etc/passwd")},
    "link out of the tree": {"a": "x", "deep/evil": Link("../../outside")},
    "link out through a link": {"a/b/up": Link("../.."), "a/b/evil": Link("up/..")},
}


@pytest.fixture(params=KINDS, ids=lambda kind: kind.name)
def kind(request: pytest.FixtureRequest) -> SourceKind:
    found: SourceKind = request.param
    return found


@pytest.fixture
def publish(kind: SourceKind, tmp_path: Path) -> Iterator[Publish]:
    """Publishes files in tmp_path/upstream, in the way of the kind."""
    if not kind.over_http:
        yield lambda files: kind.publish(tmp_path, files, "")
        return
    with serve(tmp_path / "upstream") as address:
        yield lambda files: kind.publish(tmp_path, files, address)


def _fetch(kind: SourceKind, base: Path, source: PinnedSource, *, offline: bool = False) -> Path:
    """Fetch into a new workspace; the folder of the tree. At module level, so that other processes can call it."""
    work = make_workspace(base, project=base / "upstream")
    kind.fetcher(base, offline=offline).fetch(source, work)
    assert {path.name for path in work.files.iterdir()} <= {"source", "gopath"}
    return work.files / "source"


def _fetch_digest(kind: SourceKind, base: Path, source: PinnedSource, place: str) -> str:
    work = make_workspace(base / place, project=base / "upstream")
    kind.fetcher(base).fetch(source, work)
    return tree_digest(work.files / "source")


def _plain(base: Path) -> Path:
    write_files(base / "plain", FILES)
    return base / "plain"


def test_the_tree_is_what_was_published_to_the_byte(kind: SourceKind, publish: Publish, tmp_path: Path) -> None:
    source = _fetch(kind, tmp_path, publish(FILES))
    assert tree_digest(source) == tree_digest(_plain(tmp_path))


def test_x_bits_and_links_are_kept_and_other_modes_are_plain(
    kind: SourceKind, publish: Publish, tmp_path: Path
) -> None:
    pinned = publish(FILES)
    previous = os.umask(0o077)
    try:
        source = _fetch(kind, tmp_path, pinned)
    finally:
        os.umask(previous)
    assert (source / "scripts/build").stat().st_mode & 0o777 == 0o755
    assert (source / "main.go").stat().st_mode & 0o777 == 0o644
    assert (source / "docs").stat().st_mode & 0o777 == 0o755
    assert (source / "docs/up").readlink() == Path("../main.go")
    assert (source / "docs/latest/build").read_text().startswith("#!/bin/sh")


def test_no_trace_of_the_way_it_came(kind: SourceKind, publish: Publish, tmp_path: Path) -> None:
    source = _fetch(kind, tmp_path, publish(FILES))
    assert not (source / ".git").exists()
    assert sorted(path.name for path in source.iterdir()) == sorted({name.split("/")[0] for name in FILES})


def test_twice_gives_the_same_with_the_same_times(kind: SourceKind, publish: Publish, tmp_path: Path) -> None:
    pinned = publish(FILES)
    first = _fetch(kind, tmp_path, pinned)
    time.sleep(0.02)
    second = _fetch(kind, tmp_path, pinned)
    assert tree_digest(first) == tree_digest(second)
    times = [(path.relative_to(first), path.lstat().st_mtime_ns) for path in sorted(first.rglob("*"))]
    assert times == [(path.relative_to(second), path.lstat().st_mtime_ns) for path in sorted(second.rglob("*"))]


def test_nothing_is_written_outside_the_workspace_and_the_cache(
    kind: SourceKind, publish: Publish, tmp_path: Path
) -> None:
    pinned = publish(FILES)
    upstream = tree_digest(tmp_path / "upstream")
    _fetch(kind, tmp_path, pinned)
    assert tree_digest(tmp_path / "upstream") == upstream
    assert {path.name for path in tmp_path.iterdir()} <= {"upstream", "cache", "caches", "work-1"}
    assert {path.name for path in (tmp_path / "work-1").iterdir()} == {"files", "scratch"}


def test_a_wrong_pin_is_a_failed_verification(kind: SourceKind, publish: Publish, tmp_path: Path) -> None:
    pinned = kind.wrong(publish(FILES))
    with pytest.raises(VerificationError) as caught:
        _fetch(kind, tmp_path, pinned)
    assert caught.value.exit_code is ExitCode.VERIFICATION
    assert caught.value.hint


def test_offline_and_not_cached_can_be_tried_later(kind: SourceKind, publish: Publish, tmp_path: Path) -> None:
    pinned = publish(FILES)
    if not kind.uses_cache:
        assert tree_digest(_fetch(kind, tmp_path, pinned, offline=True)) == tree_digest(_plain(tmp_path))
        return
    with pytest.raises(Exception, match="cache") as caught:
        _fetch(kind, tmp_path, pinned, offline=True)
    assert getattr(caught.value, "exit_code", None) is ExitCode.TEMPORARY
    assert "offline" in str(caught.value)


def test_what_is_cached_needs_no_upstream(kind: SourceKind, publish: Publish, tmp_path: Path) -> None:
    if not kind.uses_cache:
        return
    pinned = publish(FILES)
    first = tree_digest(_fetch(kind, tmp_path, pinned))
    (tmp_path / "upstream").rename(tmp_path / "gone")
    assert tree_digest(_fetch(kind, tmp_path, pinned)) == first
    assert tree_digest(_fetch(kind, tmp_path, pinned, offline=True)) == first


@pytest.mark.parametrize("case", HOSTILE)
def test_a_tree_that_reaches_out_of_itself_is_refused(
    kind: SourceKind, publish: Publish, tmp_path: Path, case: str
) -> None:
    (tmp_path / "work-1").mkdir()
    (tmp_path / "outside").write_text("untouched")
    pinned = publish(HOSTILE[case])
    with pytest.raises(HostileInputError) as caught:
        _fetch(kind, tmp_path, pinned)
    assert caught.value.exit_code is ExitCode.VERIFICATION
    assert "evil" in caught.value.render()
    assert (tmp_path / "outside").read_text() == "untouched"


def test_threads_and_processes_share_one_cache(kind: SourceKind, publish: Publish, tmp_path: Path) -> None:
    pinned = publish(FILES)
    expected = tree_digest(_plain(tmp_path))
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=spawn) as processes, ThreadPoolExecutor(4) as threads:
        jobs = [processes.submit(_fetch_digest, kind, tmp_path, pinned, f"process-{number}") for number in range(2)]
        jobs += [threads.submit(_fetch_digest, kind, tmp_path, pinned, f"thread-{number}") for number in range(4)]
        assert {job.result(timeout=60) for job in jobs} == {expected}


def _fetch_and_say(kind: SourceKind, base: Path, source: PinnedSource, place: str, begun: str) -> None:
    fetcher = kind.fetcher(base)
    work = make_workspace(base / place, project=base / "upstream")
    Path(begun).touch()
    fetcher.fetch(source, work)


@pytest.mark.parametrize("delay", [0.0, 0.05, 0.2])
def test_a_fetch_that_is_killed_leaves_nothing_torn(
    kind: SourceKind, publish: Publish, tmp_path: Path, delay: float
) -> None:
    noise = os.urandom(3_000_000)
    pinned = publish({**FILES, "data/noise": noise})
    begun = tmp_path / "begun"
    spawn = multiprocessing.get_context("spawn")
    child = spawn.Process(target=_fetch_and_say, args=(kind, tmp_path, pinned, "killed", str(begun)))
    child.start()
    _wait_for(begun)
    time.sleep(delay)
    assert child.pid is not None
    os.kill(child.pid, signal.SIGKILL)
    child.join()
    begun.unlink()
    source = _fetch(kind, tmp_path, pinned)
    assert (source / "data/noise").read_bytes() == noise
    (source / "data/noise").unlink()
    assert tree_digest(source) == tree_digest(_plain(tmp_path))


def _wait_for(path: Path) -> None:
    end = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < end, "the other process did not begin"
        time.sleep(0.005)


@pytest.fixture(autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user's configuration is hostile, and a hook's environment is around: neither may matter."""
    home = tmp_path_factory.mktemp("home")
    (home / ".gitconfig").write_text(
        '[core]\n\tautocrlf = true\n\thooksPath = /evil\n[url "file:///evil/"]\n\tinsteadOf = file:///\n'
        "[protocol]\n\tallow = never\n[transfer]\n\tfsckObjects = false\n"
    )
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_DIR", "/evil/.git")
    monkeypatch.setenv("GIT_INDEX_FILE", "/evil/index")
