"""Nights on which something is not as it should be: a full disk, torn files, upstreams and tags that are gone, a clock
that jumps. The message is clear, everything else goes on, and the next night is well."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from rearch.errors import ExitCode
from tests.support.cli import Cli, Ran
from tests.support.disk import small_disk
from tests.support.go_project import change
from tests.support.nightly import moving_project, push, release, repository, tags_of
from tests.support.registry import Server, run_registry


def night(rearch: Cli, day: str, code: int, *more: str, env: dict[str, str | None] | None = None) -> Ran:
    return rearch.run("nightly", "--date", day, "--progress", "plain", *more, code=code, env=env)


def record(rearch: Cli) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((rearch.output / "nightly.json").read_bytes())
    return found


def problems(rearch: Cli) -> dict[str, str]:
    return {one["component"]: one["summary"] for one in record(rearch)["problems"]}


def fill(folder: Path, left: int) -> Path:
    """A file that leaves so many bytes of a disk."""
    path = folder / "ballast"
    about = os.statvfs(folder)
    with path.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, about.f_bavail * about.f_bsize - left)
    return path


def kept(rearch: Cli) -> dict[str, Any]:
    """What a night must not lose: but for what people were told."""
    state: dict[str, Any] = json.loads((rearch.output / ".rearch/nightly/state.json").read_bytes())
    return {name: one for name, one in state.items() if name != "told"}


@pytest.mark.parametrize(
    ("left", "code"), [(0, ExitCode.PARTIAL), (64 << 10, ExitCode.FAILED)], ids=["nothing-left", "64k-left"]
)
def test_the_disk_of_the_results_is_full(tmp_path: Path, left: int, code: int) -> None:
    """Output is on a disk of its own. Without room for its notes the night updates nothing, and what was built stands
    as it was published; with a little, it comes to the build. It says so, nothing is lost, and the next one is well."""
    rearch = moving_project(tmp_path, ("ash", "elm"), ())
    mirror = ("--to", f"oci:{tmp_path / 'mirror'}")
    with small_disk(rearch.output, "24m"):
        night(rearch, "2024-05-01", 0, *mirror)
        before = kept(rearch)
        push(tmp_path, "ash", "second")
        ballast = fill(rearch.output, left)
        ran = night(rearch, "2024-05-02", code, *mirror)
        assert "No space left on device" in ran.err
        assert "invoke gc" in ran.err
        ballast.unlink()
        assert kept(rearch) == before
        again = night(rearch, "2024-05-03", 0, *mirror)
        tags = {line.rpartition("/")[2].partition("@")[0] for line in again.out.splitlines()}
        assert tags == {"ash:nightly", "ash:nightly-2024-05-03"}
        assert night(rearch, "2024-05-04", 0, *mirror).out == ""


def test_the_disk_of_the_cache_is_full(tmp_path: Path) -> None:
    """What needs room fails in words; what is built already is published all the same."""
    rearch = moving_project(tmp_path, ("ash", "elm"), ())
    mirror = ("--to", f"oci:{tmp_path / 'mirror'}")
    rearch.run("build", "--only", "elm")
    small = tmp_path / "small"
    with small_disk(small, "48m"):
        shutil.copytree(rearch.cache, small / "cache", symlinks=True)
        tight = Cli(rearch.project, small / "cache")
        push(tmp_path, "ash", "second")
        ballast = fill(small, 128 << 10)
        ran = night(tight, "2024-05-01", ExitCode.PARTIAL, *mirror)
        assert "no space left" in ran.err.lower() or "disk is full" in ran.err
        assert "invoke gc" in ran.err
        assert {line.rpartition("/")[2].partition(":")[0] for line in ran.out.splitlines()} == {"elm"}
        assert {*problems(tight)} == {"demo/ash"}
        ballast.unlink()
        again = night(tight, "2024-05-02", 0, *mirror)
        assert {line.rpartition("/")[2].partition(":")[0] for line in again.out.splitlines()} == {"ash"}


def test_torn_files(tmp_path: Path) -> None:
    """Half a line each. What a night keeps for itself is left aside and told; the lock is the project's own."""
    rearch = moving_project(tmp_path, ("ash",), ())
    mirror = ("--to", f"oci:{tmp_path / 'mirror'}")
    night(rearch, "2024-05-01", 0, *mirror)
    hidden = rearch.output / ".rearch/nightly"
    for name in ("before.lock", "after.lock", "versions.json"):
        (hidden / name).write_text('{"format": 1, "na')
    torn = [rearch.output / "history.jsonl", rearch.output / "nightly.json", hidden / "state.json"]
    for path in torn:
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    whole = len((rearch.output / "history.jsonl").read_bytes().splitlines())
    ran = night(rearch, "2024-05-02", 0, *mirror)
    assert ran.out == ""
    for name in ("state.json", "versions.json", "before.lock"):
        assert f"{name}" in ran.err
    assert "left aside" in ran.err
    assert record(rearch)["date"] == "2024-05-02"
    assert len((rearch.output / "history.jsonl").read_bytes().splitlines()) > whole
    assert "left aside" not in night(rearch, "2024-05-03", 0, *mirror).err

    lock = rearch.project / "rearch.lock"
    kept = lock.read_bytes()
    lock.write_bytes(kept[: len(kept) // 2])
    ran = night(rearch, "2024-05-04", ExitCode.USAGE, *mirror)
    assert "rearch.lock: not readable as JSON" in ran.err
    assert "take it back from version control" in ran.err
    assert lock.read_bytes() == kept[: len(kept) // 2], "nobody knows what it held: it is not written anew"
    assert record(rearch)["exit_code"] == ExitCode.USAGE
    lock.write_bytes(kept)
    assert night(rearch, "2024-05-05", 0, *mirror).out == ""


def test_upstreams_that_are_not_what_they_were(tmp_path: Path) -> None:
    """Gone, its tag deleted, its tag moved, versions that nobody can read: each is told with its name, the rest goes
    on, and what was locked is built."""
    names = ("elm", "fir", "oak", "yew")
    rearch = moving_project(tmp_path, ("ash",), names, settings="nightly: {update: patch}\n")
    yew = rearch.project / "recipes/demo/yew.yaml"
    repository(tmp_path, "yew").tag("summer-edition")
    change(yew, "version: v1.0.0", "version: summer-edition")
    night(rearch, "2024-05-01", 0, "--no-publish")
    shutil.move(tmp_path / "upstreams/elm", tmp_path / "elm-is-away")
    repository(tmp_path, "fir").delete_ref("refs/tags/v1.0.0")
    repository(tmp_path, "oak").tag("v1.0.0", repository(tmp_path, "oak").commit({"go.mod": "module evil\n"}))
    repository(tmp_path, "oak").tag("v1.0.0.0.0-final~")
    push(tmp_path, "ash", "goes on")
    ran = night(rearch, "2024-05-02", ExitCode.VERIFICATION, "--no-publish")
    told = problems(rearch)
    assert {*told} == {"demo/elm", "demo/fir", "demo/oak"}
    assert "has no tag or branch v1.0.0" in told["demo/fir"]
    assert "moved" in told["demo/oak"] or "names another commit" in told["demo/oak"]
    assert len(record(rearch)["problems"]) == len(told), "each is told once"
    assert "compile demo/ash linux/arm64" in ran.started
    assert {*record(rearch)["whole"]} == {f"demo/{name}" for name in ("ash", *names)}
    assert [line for line in record(rearch)["told"] if "demo/yew: 'summer-edition' cannot be read as a version" in line]
    shutil.move(tmp_path / "elm-is-away", tmp_path / "upstreams/elm")
    release(tmp_path, "fir", "v1.0.1", "mended by a release")
    release(tmp_path, "oak", "v1.0.1", "and this")
    night(rearch, "2024-05-03", 0, "--no-publish")
    assert [one["after"] for one in record(rearch)["updates"]] == ["v1.0.1", "v1.0.1"]


def test_a_clock_that_jumps_removes_nothing(tmp_path: Path) -> None:
    """Forward by years: everything would look old. Back by years: what is newest has the oldest name."""
    settings = "nightly: {prune_keep: 2, prune_age: 3d, prune_apply: true}\n"
    rearch = moving_project(tmp_path, ("ash",), (), settings=settings)
    with run_registry(tmp_path / "registry", delete=True) as server:
        to = ("--to", f"{server.host}/team")

        def publish(day: str, *more: str) -> Ran:
            push(tmp_path, "ash", f"of {day} {more}")
            return night(rearch, day, 0, *to, *more)

        for day in ("2024-05-01", "2024-05-02", "2024-05-03"):
            publish(day)
        ran = publish("2036-02-07")
        assert "team/ash: nothing is removed, for the night before 2036-02-07 is 4297 days older" in ran.err
        assert dated(server) == ["2024-05-01", "2024-05-02", "2024-05-03", "2036-02-07"]
        publish("1970-01-01")
        publish("2024-05-04")
        # Of this year the newest two by name and what is younger than three days; then what was published last.
        assert dated(server) == ["1970-01-01", "2024-05-02", "2024-05-03", "2024-05-04", "2036-02-07"]


def dated(server: Server) -> list[str]:
    return sorted(tag.removeprefix("nightly-") for tag in tags_of(server, "team/ash") if tag != "nightly")
