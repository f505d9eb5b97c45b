"""Builds that are stopped, killed, or meet each other: nothing is torn, nobody is left behind, the next run goes on."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from rearch.errors import ExitCode
from rearch.model.platform import parse_platform
from tests.support.binaries import digests, start
from tests.support.cli import Cli, processes_of, wait_until
from tests.support.go_project import make_go_project
from tests.support.slow_go import ScriptedGo, scripted_go
from tests.support.warm_cache import demo

ARM64 = parse_platform("arm64")
BUILD = ("build", "--arch", "arm64", "--progress", "plain")


def slow_demo(tmp_path: Path) -> tuple[Cli, ScriptedGo]:
    """A project whose compiler sleeps until it is told not to."""
    go = scripted_go(tmp_path / "go")
    go.be_slow()
    project = make_go_project(tmp_path / "project", toolchain="go-system")
    return Cli(project, tmp_path / "cache", env={"PATH": go.path}), go


def leftovers(rearch: Cli) -> list[Path]:
    """What a run that came to its end has no reason to leave: scratch, leases, half-written files."""
    store = rearch.cache / "store-1"
    found = [path for name in ("scratch", "leases") for path in (store / name).glob("*")]
    return found + [path for path in rearch.project.rglob(".*") if path.name.endswith(".new")]


def assert_whole(rearch: Cli) -> None:
    """Every result of the store has its record, and its files."""
    for folder in (rearch.cache / "store-1").glob("??/*"):
        assert (folder / "result.json").is_file()
        assert (folder / "files").is_dir()


@pytest.mark.parametrize(
    ("number", "group"),
    [(signal.SIGINT, True), (signal.SIGINT, False), (signal.SIGTERM, False)],
    ids=["Ctrl-C", "SIGINT", "SIGTERM"],
)
def test_a_signal_ends_the_compiler_and_its_children(tmp_path: Path, number: signal.Signals, group: bool) -> None:
    rearch, go = slow_demo(tmp_path)
    with rearch.start(*BUILD) as running:
        wait_until(go.reached.exists, what="the compiler runs")
        wait_until(lambda: len(processes_of(f"{go.base}/sleeper")) == 2, what="both sleepers sleep")
        running.send(number, group=group)
        done = running.end(timeout=30)
        assert processes_of(str(tmp_path)) == {}
    assert done.code == ExitCode.INTERRUPTED, str(done)
    assert done.err.endswith("error: interrupted\nhint: run the same command again: what was finished is kept\n")
    assert done.out == ""
    assert leftovers(rearch) == []
    assert_whole(rearch)
    assert not rearch.binaries.exists()
    go.be_quick()
    again = rearch.run(*BUILD)
    assert again.started == tuple(f"{kind} demo/hello linux/arm64" for kind in ("compile", "verify", "smoke"))
    assert start(rearch.binaries / "linux/arm64/hello/hello", ARM64).text == "hello v1.0.0 good day\n"


def test_a_second_signal_does_not_make_it_worse(tmp_path: Path) -> None:
    rearch, go = slow_demo(tmp_path)
    with rearch.start(*BUILD) as running:
        wait_until(go.reached.exists, what="the compiler runs")
        running.send(signal.SIGINT)
        running.send(signal.SIGINT)
        done = running.end(timeout=30)
        assert processes_of(str(tmp_path)) == {}
    assert done.code == ExitCode.INTERRUPTED, str(done)
    assert_whole(rearch)
    go.be_quick()
    rearch.run(*BUILD)
    assert leftovers(rearch) == []


def test_after_a_kill_the_next_run_tidies_up_and_goes_on(tmp_path: Path) -> None:
    rearch, go = slow_demo(tmp_path)
    with rearch.start(*BUILD) as running:
        wait_until(go.reached.exists, what="the compiler runs")
        running.send(signal.SIGKILL)
        assert running.child.wait(30) == -signal.SIGKILL
    for process in processes_of(f"{go.base}/"):  # nobody was left to end the compiler
        os.kill(process, signal.SIGKILL)
    assert leftovers(rearch) != []
    assert_whole(rearch)
    go.be_quick()
    again = rearch.run(*BUILD)
    assert [step.split()[0] for step in again.started] == ["compile", "verify", "smoke"]
    assert leftovers(rearch) == []


def test_a_kill_while_output_is_written_leaves_old_or_new(tmp_path: Path) -> None:
    rearch = demo(tmp_path, "one", "two")
    rearch.run("build", "--arch", "arm64")
    whole = digests(rearch.binaries)
    for delay in (0.0, 0.02, 0.05):
        for path in rearch.binaries.rglob("one"):
            if path.is_file():
                path.unlink()
        with rearch.start(*BUILD) as running:
            running.wait_for("nothing to do")
            time.sleep(delay)
            running.send(signal.SIGKILL)
            running.child.wait(30)
        now = {name: digest for name, digest in digests(rearch.binaries).items() if not name.endswith(".new")}
        assert now.items() <= whole.items()
        rearch.run("build", "--arch", "arm64")
        assert digests(rearch.binaries) == whole


def test_two_builds_at_once_in_one_project(tmp_path: Path) -> None:
    rearch = demo(tmp_path, "one", "two", "three")
    with rearch.start(*BUILD) as first, rearch.start(*BUILD) as second:
        done = [first.end(), second.end()]
    assert [ran.code for ran in done] == [0, 0], "\n".join(map(str, done))
    assert done[0].out == done[1].out
    for name in ("one", "two", "three"):
        assert start(rearch.binaries / "linux/arm64" / name / name, ARM64).text == f"{name} v1.0.0 good day\n"
    assert leftovers(rearch) == []
    assert_whole(rearch)


def test_two_projects_at_once_make_each_result_once(tmp_path: Path) -> None:
    rearch, go = slow_demo(tmp_path)
    other = Cli(make_go_project(tmp_path / "other", toolchain="go-system"), rearch.cache, env=rearch.env)
    with rearch.start(*BUILD) as first:
        wait_until(go.reached.exists, what="the compiler runs")
        with other.start(*BUILD) as second:
            second.wait_for("start   compile")
            assert len(processes_of(f"{go.base}/sleeper")) == 2  # one compiler with its child, not two
            go.be_quick()
            for sleeper in processes_of(f"{go.base}/sleeper"):
                os.kill(sleeper, signal.SIGKILL)
            done = [first.end(), second.end()]
    assert [ran.code for ran in done] == [0, 0], "\n".join(map(str, done))
    ours, theirs = (cli.binaries / "linux/arm64/hello/hello" for cli in (rearch, other))
    assert ours.stat().st_ino == theirs.stat().st_ino


def test_who_waits_for_another_run_can_be_interrupted(tmp_path: Path) -> None:
    rearch, go = slow_demo(tmp_path)
    other = Cli(make_go_project(tmp_path / "other", toolchain="go-system"), rearch.cache, env=rearch.env)
    with rearch.start(*BUILD) as first:
        wait_until(go.reached.exists, what="the compiler runs")
        with other.start(*BUILD) as second:
            second.wait_for("start   compile")
            second.send(signal.SIGINT)
            assert second.end(timeout=20).code == ExitCode.INTERRUPTED
        assert first.child.poll() is None
        assert len(processes_of(f"{go.base}/sleeper")) == 2
        first.send(signal.SIGINT)
        assert first.end(timeout=20).code == ExitCode.INTERRUPTED


def test_gc_beside_a_build_removes_nothing_that_it_uses(tmp_path: Path) -> None:
    rearch, go = slow_demo(tmp_path)
    with rearch.start(*BUILD) as running:
        wait_until(go.reached.exists, what="the compiler runs")
        kept = rearch.run("gc", "--everything")
        assert kept.out.startswith("removed 0 ")
        assert len(list((rearch.cache / "store-1").glob("??/*"))) == 4  # fetch, patch, modules, toolchain
        go.be_quick()
        for sleeper in processes_of(f"{go.base}/sleeper"):
            os.kill(sleeper, signal.SIGKILL)
        done = running.end()
    assert done.code == 0, str(done)
    assert rearch.run("gc", "--everything").out.splitlines()[-1].startswith("removed ")
    assert list((rearch.cache / "store-1").glob("??/*")) == []
