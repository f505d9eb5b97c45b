"""The executor: order, lanes, failures, interruption, and what is in the store afterwards."""

from __future__ import annotations

import errno
import threading
import time
from pathlib import Path

import pytest

from rearch.engine.refused import HostError
from rearch.engine.state import ProjectState
from rearch.errors import Interrupted, StepError
from rearch.model.plan import Plan
from rearch.model.step import CompileInputs, Inputs, PatchInputs, StepKind
from rearch.planning.graph import steps_of
from rearch.planning.planner import make_plan
from rearch.report import Failed, Finished, Skipped, Started
from rearch.steps.ports import Outcome, Workspace
from tests.support.engines import Bench, make_files
from tests.support.plans import AMD64, ARM64, component, facts


def _plan(bench: Bench, *names: str) -> Plan:
    components = tuple(component(name, platforms=(ARM64, AMD64)) for name in names or ("hello",))
    return make_plan(steps_of(components, facts(*components)), ProjectState(bench.store, bench.base / "last.json"))


def test_everything_is_made_once_and_in_order(tmp_path: Path) -> None:
    bench = Bench(tmp_path, jobs=4)
    plan = _plan(bench, "a", "b")
    summary = bench.run(plan)
    assert len(summary.finished) == len(plan.to_run) == 17
    ended: set[object] = set()
    needs = {planned.step.id: planned.step.needs for planned in plan.steps}
    for event in bench.events:
        if isinstance(event, Started):
            assert set(needs[event.step].values()) <= ended
        if isinstance(event, Finished):
            ended.add(event.step)
    assert _plan(bench, "a", "b").to_run == ()


def test_one_compile_at_a_time_for_a_platform_but_platforms_side_by_side(tmp_path: Path) -> None:
    active: list[str] = []
    together: set[tuple[str, ...]] = set()
    both = threading.Barrier(2, timeout=10)

    def perform(inputs: Inputs, work: Workspace) -> Outcome:
        if isinstance(inputs, CompileInputs):
            active.append(str(inputs.platform))
            if not both.broken and not together:
                both.wait()
            together.add(tuple(sorted(active)))
            time.sleep(0.02)
            active.remove(str(inputs.platform))
        return make_files(inputs, work)

    bench = Bench(tmp_path, perform, jobs=8)
    bench.run(_plan(bench, "a", "b", "c"))
    assert ("linux/amd64", "linux/arm64") in together
    assert all(len(set(names)) == len(names) for names in together)


def test_a_failure_stops_what_has_not_begun(tmp_path: Path) -> None:
    def perform(inputs: Inputs, work: Workspace) -> Outcome:
        if isinstance(inputs, PatchInputs) and inputs.place == "a":
            raise StepError("patch does not apply", ["hunk 1"], "refresh it")
        return make_files(inputs, work)

    bench = Bench(tmp_path, perform, jobs=1)
    summary = bench.run(_plan(bench, "a", "b"))
    assert [str(failed.step) for failed in summary.failed] == ["patch test/a"]
    assert len(summary.finished) + len(summary.failed) + len(summary.skipped) == 17
    log = next(event.log for event in bench.events if isinstance(event, Failed))
    assert log is not None
    assert "error: patch test/a: patch does not apply\n  hunk 1\nhint: refresh it" in log.read_text()


def test_keep_going_makes_all_that_does_not_depend_on_the_failure(tmp_path: Path) -> None:
    def perform(inputs: Inputs, work: Workspace) -> Outcome:
        if isinstance(inputs, CompileInputs) and inputs.place == "a" and inputs.platform == ARM64:
            raise StepError("does not compile")
        return make_files(inputs, work)

    bench = Bench(tmp_path, perform, keep_going=True)
    summary = bench.run(_plan(bench, "a", "b"))
    assert {str(skipped.step) for skipped in summary.skipped} == {
        "verify test/a linux/arm64",
        "smoke test/a linux/arm64",
    }
    assert {str(event.because) for event in bench.events if isinstance(event, Skipped)} == {
        "compile test/a linux/arm64"
    }
    assert len(summary.finished) == 14
    again = {str(planned.step.id) for planned in _plan(bench, "a", "b").to_run}
    assert again == {"compile test/a linux/arm64", "verify test/a linux/arm64", "smoke test/a linux/arm64"}


def test_a_failed_step_leaves_nothing_behind(tmp_path: Path) -> None:
    def perform(_inputs: Inputs, work: Workspace) -> Outcome:
        (work.files / "half").write_text("half")
        raise StepError("no")

    bench = Bench(tmp_path, perform)
    plan = _plan(bench)
    bench.run(plan)
    assert not any(bench.store.has(planned.key) for planned in plan.steps)
    assert list((bench.store.root / "scratch").iterdir()) == []
    assert list((bench.store.root / "leases").iterdir()) == []


def test_interruption_ends_the_children_and_the_next_run_goes_on(tmp_path: Path) -> None:
    fetched = threading.Event()

    def perform(inputs: Inputs, work: Workspace) -> Outcome:
        if isinstance(inputs, PatchInputs):
            fetched.wait(10)
        return make_files(inputs, work)

    bench = Bench(tmp_path, perform, jobs=1)

    def report(event: object) -> None:
        if isinstance(event, Finished):
            fetched.set()
            raise KeyboardInterrupt

    bench.events = _Hooked(report)
    with pytest.raises(Interrupted):
        bench.run(_plan(bench))
    assert bench.stopped == 1
    assert list((bench.store.root / "scratch").iterdir()) == []
    bench.events = []
    remaining = _plan(bench)
    assert 0 < len(remaining.to_run) < 9
    assert bench.run(remaining).failed == ()


class _Hooked(list):  # type: ignore[type-arg]
    def __init__(self, hook: object) -> None:
        super().__init__()
        self._hook = hook

    def append(self, event: object) -> None:
        super().append(event)
        self._hook(event)  # type: ignore[operator]


def test_a_full_disk_is_told_in_words(tmp_path: Path) -> None:
    def perform(_inputs: Inputs, _work: Workspace) -> Outcome:
        raise OSError(errno.ENOSPC, "No space left on device", "/somewhere/file")

    bench = Bench(tmp_path, perform, jobs=1)
    failed = bench.run(_plan(bench)).failed[0]
    assert isinstance(failed.error, HostError)
    assert "No space left on device (/somewhere/file)" in failed.error.summary
    assert "invoke gc" in str(failed.error.hint)


def test_a_bug_is_not_dressed_up(tmp_path: Path) -> None:
    def perform(_inputs: Inputs, _work: Workspace) -> Outcome:
        raise ZeroDivisionError

    bench = Bench(tmp_path, perform)
    with pytest.raises(ZeroDivisionError):
        bench.run(_plan(bench))


def test_two_runs_at_once_make_each_result_once(tmp_path: Path) -> None:
    made: list[str] = []

    def perform(inputs: Inputs, work: Workspace) -> Outcome:
        made.append(repr(inputs))
        time.sleep(0.01)
        return make_files(inputs, work)

    benches = [Bench(tmp_path, perform) for _ in range(2)]
    plans = [_plan(bench) for bench in benches]
    threads = [threading.Thread(target=bench.run, args=(plan,)) for bench, plan in zip(benches, plans, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == len(set(made)) == 9
    kinds = [event.step.kind for bench in benches for event in bench.events if isinstance(event, Finished)]
    assert kinds.count(StepKind.COMPILE) == 4
