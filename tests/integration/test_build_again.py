"""A build, and the builds after it: what runs, what does not, and what is said about it."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from pathlib import Path

import pytest

from rearch.formats.elf import match_platform
from rearch.model.platform import parse_platform
from tests.support.binaries import digests, elf_of, start
from tests.support.cli import Cli
from tests.support.go_project import change, make_go_project
from tests.support.needs import unmet
from tests.support.warm_cache import demo

ARM64 = parse_platform("arm64")
BUILD = ("build", "--arch", "arm64")


def states(folder: Path) -> dict[str, tuple[int, int, int]]:
    """Inode, time of change of content, and of anything, for all that lies in a folder but what tells of runs."""
    found = {}
    told = {folder / "history.jsonl", folder / "report.html", folder / ".rearch/runs"}
    for path in sorted(folder.rglob("*")):
        if told & {path, *path.parents}:
            continue
        status = path.lstat()
        found[str(path.relative_to(folder))] = (status.st_ino, status.st_mtime_ns, status.st_ctime_ns)
    return found


def binary(rearch: Cli, name: str) -> Path:
    return rearch.binaries / "linux/arm64" / name / name


def settle(*folders: Path) -> None:
    """Make files older than the moments in which a note on them is not trusted (engine/stamp.py)."""
    then = time.time() - 60
    for folder in folders:
        for path in (folder, *folder.rglob("*")):
            os.utime(path, (then, then), follow_symlinks=False)


def test_first_build(tmp_path: Path) -> None:
    rearch = demo(tmp_path, "one", "two")
    done = rearch.run(*BUILD)
    assert done.out.splitlines() == [str(binary(rearch, name).parent) for name in ("one", "two")]
    for name in ("one", "two"):
        elf = elf_of(binary(rearch, name))
        assert match_platform(elf, ARM64) == ()
        assert elf.static
        assert start(binary(rearch, name), ARM64).text == f"{name} v1.0.0 good day\n"
    assert (rearch.output / "CACHEDIR.TAG").read_text().startswith("Signature: 8a477f597d28d172789f06886806bc55")
    assert (rearch.output / "logs/demo/one/compile@linux_arm64.log").is_file()


def test_build_json_says_what_was_built(tmp_path: Path) -> None:
    rearch = demo(tmp_path)
    rearch.run(*BUILD)
    (entry,) = json.loads((rearch.output / "build.json").read_text())["binaries"]
    file = rearch.output / entry["path"]
    assert entry["component"] == "demo/hello"
    assert entry["platform"] == "linux/arm64"
    assert entry["size"] == file.stat().st_size
    assert entry["sha256"] == digests(file.parent)[file.name]
    assert entry["smoke"] == "passed"
    assert entry["elf"]["machine"] == 183


def test_second_build_has_nothing_to_do_and_touches_nothing(tmp_path: Path) -> None:
    rearch = demo(tmp_path, "one", "two")
    first = rearch.run(*BUILD)
    settle(rearch.project)
    before = states(rearch.output)
    # The plan finds nothing to do; from then on a note does, without reading the YAML.
    for _ in range(3):
        again = rearch.run(*BUILD)
        assert again.err == "nothing to do: all 13 steps are made from the same inputs\n"
        assert again.out == first.out
        assert states(rearch.output) == before
    assert tuple((rearch.cache / "stamps").iterdir())


def test_the_note_of_nothing_to_do_is_not_trusted_after_a_change(tmp_path: Path) -> None:
    rearch = demo(tmp_path)
    rearch.run(*BUILD)
    settle(rearch.project)
    rearch.run(*BUILD)
    recipe = rearch.project / "recipes/demo/hello.yaml"
    stamped = recipe.stat().st_mtime_ns
    change(recipe, "v1.0.0", "v1.0.1")
    os.utime(recipe, ns=(stamped, stamped))  # same size, same time: only the inode's own time tells
    replaced = recipe.with_suffix(".new")
    shutil.copy2(recipe, replaced)
    replaced.replace(recipe)
    assert "compile demo/hello linux/arm64" in rearch.run(*BUILD).started
    assert start(binary(rearch, "hello"), ARM64).text == "hello v1.0.1 good day\n"


def test_a_changed_edit_rebuilds_what_depends_on_it_and_says_so(tmp_path: Path) -> None:
    rearch = demo(tmp_path, "one", "two")
    rearch.run(*BUILD)
    before = digests(rearch.binaries)
    recipe = rearch.project / "recipes/demo/one.yaml"
    change(recipe, "replace: 'greeting = \"good day\"'", "replace: 'greeting = \"hi\"'")
    change(recipe, "${{ version }} good day", "${{ version }} hi")
    plan = rearch.run("plan", "--arch", "arm64").out
    assert "run    patch demo/one: edit 1 of main.go changed\n" in plan
    assert "demo/two" not in plan
    explained = rearch.run(*BUILD, "--explain").out
    assert """inputs.edits[0].replace: 'greeting = "good day"' -> 'greeting = "hi"'""" in explained
    assert digests(rearch.binaries) == before
    done = rearch.run(*BUILD)
    assert "start   patch demo/one: edit 1 of main.go changed" in done.err
    assert {step.split()[1] for step in done.started} == {"demo/one"}
    assert start(binary(rearch, "one"), ARM64).text == "one v1.0.0 hi\n"
    after = digests(rearch.binaries)
    assert [name for name in before if before[name] != after[name]] == ["linux/arm64/one/one"]


def test_a_new_version_stamp_does_not_fetch_or_patch_again(tmp_path: Path) -> None:
    rearch = demo(tmp_path)
    rearch.run(*BUILD)
    change(rearch.project / "recipes/demo/hello.yaml", "version: v1.0.0", "version: v2.0.0")
    done = rearch.run(*BUILD)
    assert [step.split()[0] for step in done.started] == ["compile", "verify", "smoke"]
    assert "compile demo/hello linux/arm64: a version stamp changed" in done.err
    assert start(binary(rearch, "hello"), ARM64).text == "hello v2.0.0 good day\n"


def test_going_back_takes_the_earlier_result(tmp_path: Path) -> None:
    rearch = demo(tmp_path)
    rearch.run(*BUILD)
    recipe = rearch.project / "recipes/demo/hello.yaml"
    change(recipe, "version: v1.0.0", "version: v2.0.0")
    rearch.run(*BUILD)
    change(recipe, "version: v2.0.0", "version: v1.0.0")
    assert rearch.run(*BUILD).started == ()
    assert start(binary(rearch, "hello"), ARM64).text == "hello v1.0.0 good day\n"


def test_output_that_is_deleted_is_linked_again_without_any_step(tmp_path: Path) -> None:
    rearch = demo(tmp_path, "one", "two")
    rearch.run(*BUILD)
    settle(rearch.project)
    rearch.run(*BUILD)
    before, inode = digests(rearch.binaries), binary(rearch, "one").stat().st_ino
    shutil.rmtree(rearch.output)
    done = rearch.run(*BUILD)
    assert done.started == ()
    assert done.err.startswith("nothing to do")
    assert digests(rearch.binaries) == before
    assert binary(rearch, "one").stat().st_ino == inode
    assert (rearch.output / "build.json").is_file()


def test_a_binary_that_is_lost_in_output_comes_back(tmp_path: Path) -> None:
    rearch = demo(tmp_path, "one", "two")
    rearch.run(*BUILD)
    settle(rearch.project)
    rearch.run(*BUILD)
    before, other = digests(rearch.binaries), states(binary(rearch, "two").parent)
    lost = binary(rearch, "one")
    for loss in ("deleted", "emptied", "replaced", "a folder"):
        lost.unlink()
        if loss == "emptied":
            lost.touch()
        elif loss == "replaced":
            lost.write_text("#!/bin/sh\n")
        elif loss == "a folder":
            lost.mkdir()
        done = rearch.run(*BUILD)
        assert done.started == ()
        assert digests(rearch.binaries) == before
        assert states(binary(rearch, "two").parent) == other


def test_a_binary_that_was_written_to_in_place_is_made_again(tmp_path: Path) -> None:
    """As `strip` does with a file that has two names: the store's own copy is that file."""
    rearch = demo(tmp_path, "one", "two")
    rearch.run(*BUILD)
    before = digests(rearch.binaries)
    for place, text in ((0, b"more"), (-1, b"\x07")):  # longer than before; as long as before
        with binary(rearch, "one").open("r+b") as file:
            file.seek(place, os.SEEK_END)
            file.write(text)
        assert digests(rearch.binaries) != before
        done = rearch.run(*BUILD)
        assert "warning: compile demo/one linux/arm64: its files were changed in place" in done.err
        assert done.started == tuple(f"{kind} demo/one linux/arm64" for kind in ("compile", "verify", "smoke"))
        assert digests(rearch.binaries) == before


def test_what_no_recipe_makes_any_more_leaves_output(tmp_path: Path) -> None:
    rearch = demo(tmp_path, "one", "two")
    rearch.run(*BUILD)
    change(rearch.project / "recipes/demo/one.yaml", "binaries: {one: .}", "binaries: {renamed: .}")
    change(rearch.project / "recipes/demo/one.yaml", "run: [one]", "run: [renamed]")
    rearch.run(*BUILD)
    assert set(digests(rearch.binaries)) == {"linux/arm64/one/renamed", "linux/arm64/two/two"}


def test_a_result_that_is_lost_in_the_store_is_made_again(tmp_path: Path) -> None:
    rearch = demo(tmp_path)
    rearch.run(*BUILD)
    settle(rearch.project)
    rearch.run(*BUILD)
    before = digests(rearch.binaries)
    (entry,) = json.loads((rearch.output / "build.json").read_text())["binaries"]
    shutil.rmtree(rearch.cache / "store-1" / entry["key"][:2] / entry["key"])
    done = rearch.run(*BUILD)
    assert done.started == tuple(f"{kind} demo/hello linux/arm64" for kind in ("compile", "verify", "smoke"))
    assert "its result is no longer in the store" in done.err
    assert digests(rearch.binaries) == before


def test_fresh_makes_everything_again_to_the_same_bytes(tmp_path: Path) -> None:
    rearch = demo(tmp_path)
    rearch.run(*BUILD)
    before = digests(rearch.binaries)
    done = rearch.run(*BUILD, "--fresh")
    assert [step.split()[0] for step in done.started] == ["patch", "modules", "compile", "verify", "smoke"]
    assert digests(rearch.binaries) == before
    settle(rearch.project)
    assert rearch.run(*BUILD).started == ()


def test_only_builds_what_it_names(tmp_path: Path) -> None:
    rearch = demo(tmp_path, "one", "two", "three")
    done = rearch.run(*BUILD, "--only", "demo/two,three")
    assert set(digests(rearch.binaries)) == {"linux/arm64/three/three", "linux/arm64/two/two"}
    assert {step.split()[1] for step in done.started} == {"demo/two", "demo/three"}


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_jobs(tmp_path: Path, jobs: str) -> None:
    rearch = demo(tmp_path, "one", "two")
    done = rearch.run(*BUILD, "--jobs", jobs)
    most = running = 0
    for line in done.err.splitlines():
        running += line.startswith("start ") - line.startswith("done ")
        most = max(most, running)
    assert most == int(jobs)
    assert set(digests(rearch.binaries)) == {"linux/arm64/one/one", "linux/arm64/two/two"}


def test_output_on_another_file_system_is_copied(tmp_path: Path) -> None:
    rearch = demo(tmp_path)
    memory = Path("/dev/shm")
    if not memory.is_dir() or memory.stat().st_dev == tmp_path.stat().st_dev:
        unmet("a second file system at /dev/shm")
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        elsewhere = Path(folder) / "results"
        rearch.run(*BUILD, "--output", elsewhere)
        rearch.run(*BUILD)
        assert digests(elsewhere / "bin") == digests(rearch.binaries)
        there = elsewhere / "bin/linux/arm64/hello/hello"
        assert there.stat().st_mode == binary(rearch, "hello").stat().st_mode
        assert there.stat().st_dev != binary(rearch, "hello").stat().st_dev
        settle(rearch.project, elsewhere)
        before = states(elsewhere)
        assert rearch.run(*BUILD, "--output", elsewhere).err.startswith("nothing to do")
        assert states(elsewhere) == before


def test_two_projects_share_results(tmp_path: Path) -> None:
    rearch = demo(tmp_path)
    rearch.run(*BUILD)
    other = Cli(make_go_project(tmp_path / "elsewhere"), rearch.cache)
    assert other.run(*BUILD).started == ()
    assert binary(other, "hello").stat().st_ino == binary(rearch, "hello").stat().st_ino


def test_several_platforms_share_the_source(tmp_path: Path) -> None:
    rearch = demo(tmp_path)
    done = rearch.run("build", "--arch", "arm64,amd64")
    assert sum(step.startswith(("fetch", "patch", "modules")) for step in done.started) == 3
    for name in ("arm64", "amd64"):
        platform = parse_platform(name)
        assert match_platform(elf_of(rearch.binaries / str(platform) / "hello/hello"), platform) == ()
