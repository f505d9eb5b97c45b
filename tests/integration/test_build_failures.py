"""Builds that cannot end well: each says what, where and what to do, with the exit code of its kind."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rearch.errors import ExitCode
from tests.support.binaries import digests
from tests.support.cli import Cli
from tests.support.disk import small_disk
from tests.support.go_project import change, make_go_project, write_file
from tests.support.needs import elsewhere, need_program
from tests.support.slow_go import scripted_go
from tests.support.warm_cache import demo

BUILD = ("build", "--arch", "arm64", "--progress", "plain")


def break_source(rearch: Cli, name: str) -> None:
    change(rearch.project / f"recipes/demo/src/{name}/main.go", "func main() {", "func main() {\n\tundefinedThing()")


def test_a_binary_for_another_architecture_stops_the_build(tmp_path: Path) -> None:
    go = scripted_go(tmp_path / "go")
    go.build_for("amd64")
    project = make_go_project(tmp_path / "project", toolchain="go-system")
    rearch = Cli(project, tmp_path / "cache", env={"PATH": go.path})
    done = rearch.run(*BUILD, code=ExitCode.VERIFICATION)
    assert "error: verify demo/hello linux/arm64: not right for linux/arm64: hello\n" in done.err
    assert re.search(r"hello: ELF 64-bit .*(x86.64|amd64)", done.err), done.err
    assert re.search(r"machine.*(found|is).*", done.err), done.err
    assert "hint: " in done.err
    assert not any(step.startswith("smoke") for step in done.started)
    assert not rearch.binaries.exists()
    assert json.loads((rearch.output / "build.json").read_text())["binaries"] == []
    # It was not taken for good: the same is said again.
    assert rearch.run(*BUILD, code=ExitCode.VERIFICATION).started == ("verify demo/hello linux/arm64",)


def test_a_recipe_cannot_choose_another_architecture(tmp_path: Path) -> None:
    rearch = demo(tmp_path)
    change(rearch.project / "recipes/demo/hello.yaml", "    stamps:", "    env: {GOARCH: amd64}\n    stamps:")
    done = rearch.run(*BUILD, code=ExitCode.USAGE)
    assert "recipes/demo/hello.yaml:13:11: build.go.env.GOARCH" in done.err


def test_an_error_of_the_compiler_is_shown_with_its_log(tmp_path: Path) -> None:
    rearch = demo(tmp_path)
    break_source(rearch, "hello")
    done = rearch.run(*BUILD, code=ExitCode.FAILED)
    assert "FAILED  compile demo/hello linux/arm64" in done.err
    assert re.search(r"main\.go:\d+:\d+: undefined: undefinedThing", done.err.partition("error: ")[2])
    log = re.search(r"^  log: (.+)$", done.err, re.MULTILINE)
    assert log is not None
    text = (rearch.project / log[1]).read_text()
    assert "undefined: undefinedThing" in text
    tail = [line[4:] for line in done.err.splitlines() if line.startswith("  | ")]
    assert tail == [line for line in text.splitlines() if line.strip()][-len(tail) :] or set(tail) <= {
        *text.splitlines()
    }
    # Mended, it goes on from there.
    change(rearch.project / "recipes/demo/src/hello/main.go", "\n\tundefinedThing()", "")
    assert "smoke demo/hello linux/arm64" in rearch.run(*BUILD).started


def test_the_first_failure_ends_the_build(tmp_path: Path) -> None:
    rearch = demo(tmp_path, "one", "two")
    break_source(rearch, "one")
    done = rearch.run(*BUILD, "--jobs", "1", code=ExitCode.FAILED)
    assert "skipped verify demo/one linux/arm64: compile demo/one linux/arm64 failed" in done.err
    assert "skipped compile demo/two linux/arm64" in done.err
    assert not rearch.binaries.exists()


def test_keep_going_builds_what_does_not_depend_on_the_failure(tmp_path: Path) -> None:
    rearch = demo(tmp_path, "one", "two", "three")
    break_source(rearch, "one")
    change(rearch.project / "recipes/demo/two.yaml", "good day'}", "good night'}")
    done = rearch.run(*BUILD, "--keep-going", code=ExitCode.FAILED)
    assert "undefined: undefinedThing" in done.err
    assert len(re.findall("^error: ", done.err, re.MULTILINE)) == 2
    assert "two on linux/arm64: 1 of 1 smoke checks failed" in done.err
    assert set(digests(rearch.binaries)) == {"linux/arm64/three/three"}
    assert done.out == f"{rearch.binaries / 'linux/arm64/three'}\n"


def test_a_smoke_check_that_fails_shows_the_program_and_how_to_run_it(tmp_path: Path) -> None:
    rearch = demo(tmp_path)
    change(rearch.project / "recipes/demo/hello.yaml", "good day'}", "good night'}")
    done = rearch.run(*BUILD, code=ExitCode.FAILED)
    assert "its output does not match 'hello v1.0.0 good night'" in done.err
    assert "| hello v1.0.0 good day" in done.err
    assert not rearch.binaries.exists()


@contextmanager
def without_emulators(rearch: Cli, base: Path) -> Iterator[Cli]:
    """A PATH on which everything is but qemu."""
    folder = base / "path"
    folder.mkdir()
    for program in ("git", "sh", "env"):
        (folder / program).symlink_to(need_program(program, program))
    yield Cli(rearch.project, rearch.cache, env={"PATH": str(folder)})


def test_without_an_emulator_nobody_is_told_that_it_works(tmp_path: Path) -> None:
    foreign = "arm64" if os.uname().machine != "aarch64" else "riscv64"
    with without_emulators(demo(tmp_path), tmp_path) as rearch:
        done = rearch.run("build", "--arch", foreign)
        assert f"warning: smoke demo/hello linux/{foreign}: not run, no emulator on this host" in done.err
        (entry,) = json.loads((rearch.output / "build.json").read_text())["binaries"]
        assert entry["smoke"] == "not run"
        # And again each time, although there is nothing to do.
        assert "warning: smoke" in rearch.run("build", "--arch", foreign).err
        strict = rearch.run("build", "--arch", foreign, "--require-smoke", code=ExitCode.FAILED)
        assert "error: smoke checks were not run, and --require-smoke wants them" in strict.err
        assert f"demo/hello linux/{foreign}" in strict.err
        assert "qemu-user-static" in strict.err


def test_when_an_emulator_is_installed_the_checks_are_run(tmp_path: Path) -> None:
    need_program("qemu-aarch64-static", "qemu-user-static")
    if os.uname().machine == "aarch64":
        elsewhere("a host that is not arm64")
    rearch = demo(tmp_path)
    with without_emulators(rearch, tmp_path) as poor:
        poor.run(*BUILD)
    done = rearch.run(*BUILD)
    assert done.started == ("smoke demo/hello linux/arm64",)
    assert "the emulator changed" in done.err


def test_locked_wants_an_entry_for_every_name(tmp_path: Path) -> None:
    rearch = demo(tmp_path, "one", "two", upstreams=tmp_path / "upstreams")
    done = rearch.run(*BUILD, "--locked", code=ExitCode.USAGE)
    assert "rearch.lock has no entry for 4 names" in done.err
    assert "git https://git.example.org/upstream/one v1.0.0" in done.err
    assert "`invoke lock`" in done.err
    rearch.run("lock")
    lock = (rearch.project / "rearch.lock").read_bytes()
    rearch.run(*BUILD, "--locked")
    assert (rearch.project / "rearch.lock").read_bytes() == lock


def test_offline_with_everything_in_the_cache(tmp_path: Path) -> None:
    rearch = demo(tmp_path, "one", upstreams=tmp_path / "upstreams")
    rearch.run(*BUILD)
    shutil.rmtree(tmp_path / "upstreams")
    shutil.rmtree(rearch.output)
    rearch.run(*BUILD, "--offline")
    change(rearch.project / "recipes/demo/one.yaml", "'greeting = \"good day\"'", "'greeting = \"good day\" // really'")
    assert "compile demo/one linux/arm64" in rearch.run(*BUILD, "--offline").started


def test_offline_with_nothing_in_the_cache(tmp_path: Path) -> None:
    rearch = demo(tmp_path, "one", "two", upstreams=tmp_path / "upstreams")
    done = rearch.run(*BUILD, "--offline", code=ExitCode.TEMPORARY)
    for name in ("one", "two"):
        assert f"https://git.example.org/upstream/{name}" in done.err
    assert "--offline" in done.err
    rearch.run("lock")
    empty = Cli(rearch.project, tmp_path / "empty")
    done = empty.run(*BUILD, "--offline", "--keep-going", code=ExitCode.TEMPORARY)
    assert "the wheel of toolchain go-1.27 is not in the cache" in done.err
    assert "offline, and not in the cache: commit" in done.err


def test_a_source_that_changes_while_it_is_read(tmp_path: Path) -> None:
    rearch = demo(tmp_path)
    planned = rearch.run("plan", "--arch", "arm64", "--explain").out
    key = re.search(r"fetch demo/hello: .*\n +key ([0-9a-f]+)", planned)
    assert key is not None
    lock = rearch.cache / "store-1" / "locks" / key[1][:3]
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("a") as file:
        # The plan is made, and the step that copies the folder waits for us.
        fcntl.flock(file, fcntl.LOCK_EX)
        with rearch.start(*BUILD) as running:
            running.wait_for("start   fetch demo/hello")
            break_source(rearch, "hello")
            fcntl.flock(file, fcntl.LOCK_UN)
            done = running.end()
    assert done.code == ExitCode.VERIFICATION, str(done)
    assert "recipes/demo/src/hello changed while it was read" in done.err
    assert "run the same command again" in done.err
    change(rearch.project / "recipes/demo/src/hello/main.go", "\n\tundefinedThing()", "")
    rearch.run(*BUILD)


def test_a_full_disk_in_the_middle_of_a_copy(tmp_path: Path) -> None:
    rearch = demo(tmp_path)
    write_file(rearch.project / "recipes/demo/src/hello/data", "x" * 3_000_000)
    with small_disk(tmp_path / "small", "2m") as small:
        shutil.copytree(rearch.cache, small / "cache", symlinks=True)
        full = Cli(rearch.project, small / "cache")
        done = full.run(*BUILD, code=ExitCode.FAILED)
        assert "error: fetch demo/hello: the machine refused: No space left on device" in done.err
        assert "hint: free some space" in done.err
        assert list((full.cache / "store-1/scratch").iterdir()) == []
        subprocess.run(("mount", "-o", "remount,size=40m", str(small)), check=True)
        full.run(*BUILD)


def test_a_full_disk_under_the_compiler(tmp_path: Path) -> None:
    rearch = demo(tmp_path)
    with small_disk(tmp_path / "small", "600k") as small:
        shutil.copytree(rearch.cache, small / "cache", symlinks=True)
        full = Cli(rearch.project, small / "cache")
        done = full.run(*BUILD, code=ExitCode.FAILED)
        assert "no space left on device" in done.err.lower()
        assert "hint: the disk is full: `invoke gc` makes room in the cache" in done.err
        assert list((full.cache / "store-1/scratch").iterdir()) == []
        subprocess.run(("mount", "-o", "remount,size=40m", str(small)), check=True)
        assert full.run(*BUILD).started[0].startswith("compile")


def test_a_full_disk_under_output(tmp_path: Path) -> None:
    rearch = demo(tmp_path)
    rearch.run(*BUILD)
    with small_disk(tmp_path / "small", "200k") as small:
        done = rearch.run(*BUILD, "--output", small / "output", code=ExitCode.FAILED)
        assert "No space left on device" in done.err
        assert "hint: " in done.err
        assert [path for path in (small / "output/bin").rglob("*") if path.is_file()] == []
        subprocess.run(("mount", "-o", "remount,size=40m", str(small)), check=True)
        rearch.run(*BUILD, "--output", small / "output")
        assert digests(small / "output/bin") == digests(rearch.binaries)
