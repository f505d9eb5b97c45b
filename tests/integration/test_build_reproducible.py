"""Same inputs, same bytes: whatever the folder, the cache, the time and the number of jobs."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from rearch.model.platform import parse_platform
from tests.support.binaries import digests, start
from tests.support.cli import Cli
from tests.support.go_project import change, make_go_project
from tests.support.warm_cache import cold_cache, demo, warm_cache

ARM64 = parse_platform("arm64")
BUILD = ("build", "--arch", "arm64")
EPOCH = "SOURCE_DATE_EPOCH"


def test_two_clones_with_different_caches_give_identical_bytes(tmp_path: Path) -> None:
    """One unpacks its own compiler and compiles even the standard library itself; the other has both from elsewhere."""
    upstreams = tmp_path / "upstreams"
    here = make_go_project(tmp_path / "here" / "project", components=("one", "two"), upstreams=upstreams)
    one = Cli(here, warm_cache(tmp_path / "cache"))
    one.run("lock")
    there = tmp_path / "quite" / "another place" / "clone"
    shutil.copytree(here, there)
    two = Cli(there, cold_cache(tmp_path / "quite" / "other cache"), env={"TZ": "Asia/Tokyo", "LANG": "C.UTF-8"})
    old = os.umask(0o077)
    try:
        two.run(*BUILD, "--jobs", "1", "--locked")
    finally:
        os.umask(old)
    one.run(*BUILD, "--jobs", "2", "--locked")
    assert digests(one.binaries) == digests(two.binaries)
    assert len(digests(one.binaries)) == 2
    for folder in (tmp_path, here, there):
        assert str(folder).encode() not in b"".join(path.read_bytes() for path in one.binaries.rglob("one/one"))
    assert (one.output / "build.json").read_bytes() == (two.output / "build.json").read_bytes()
    shutil.rmtree(two.cache)  # 12,000 files that pytest would keep for three runs


def test_the_date_is_the_commits_or_what_the_environment_says(tmp_path: Path) -> None:
    rearch = demo(tmp_path, upstreams=tmp_path / "upstreams")
    change(rearch.project / "recipes/demo/hello.yaml", '"${{ version }}"}\nsmoke', '"of ${{ date }}"}\nsmoke')
    change(rearch.project / "recipes/demo/hello.yaml", "expect: 'hello ${{ version }} good day'", "expect: hello of 20")
    binary = rearch.binaries / "linux/arm64/hello/hello"
    rearch.run(*BUILD)
    of_commit = binary.read_bytes()
    assert start(binary, ARM64).text == "hello of 2017-07-14T02:40:00Z good day\n"
    done = rearch.run(*BUILD, env={EPOCH: "1600000000"})
    assert "compile demo/hello linux/arm64" in done.started
    assert start(binary, ARM64).text == "hello of 2020-09-13T12:26:40Z good day\n"
    assert rearch.run(*BUILD, env={EPOCH: "1500000000"}).started == ()  # the commit's own time: the same inputs
    assert binary.read_bytes() == of_commit
    refused = rearch.run(*BUILD, env={EPOCH: "yesterday"}, code=2)
    assert "SOURCE_DATE_EPOCH is no whole number of seconds: 'yesterday'" in refused.err


def test_without_a_date_in_the_source_the_environment_changes_no_byte(tmp_path: Path) -> None:
    one = demo(tmp_path / "one")
    two = Cli(make_go_project(tmp_path / "two" / "project"), warm_cache(tmp_path / "two" / "cache"))
    one.run(*BUILD)
    two.run(*BUILD, env={EPOCH: "1600000000"})
    assert digests(one.binaries) == digests(two.binaries)
