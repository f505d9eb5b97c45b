"""The recorder and the files of runs: every event is passed on, a torn history costs one line, old records go."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from rearch.engine import run_files
from rearch.engine.history_file import add_line, held_history, new_run
from rearch.engine.run_files import KEPT, last_run, leave_run, read_history, runs_folder
from rearch.engine.runs import UNTRIED, Recorder
from rearch.errors import StepError
from rearch.model.plan import Plan, PlannedStep
from rearch.planning.graph import steps_of
from rearch.planning.planner import make_plan
from rearch.report import Event, Failed, Finished, Planned, Said, Skipped, Started
from rearch.reporting.again import again_line
from rearch.reporting.history import line_bytes, line_of
from rearch.reporting.record import Outcome, StepRun
from tests.support.plans import MemoryView, component, facts
from tests.support.runs import full_run, publish_run


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def plan() -> Plan:
    hello = component()
    return make_plan(steps_of((hello,), facts(hello)), MemoryView())


def append(output: Path, data: bytes) -> None:
    with held_history(output) as handle:
        add_line(handle, data)


def recorded(
    recorder: Recorder, output: Path, why: Callable[[PlannedStep], str | None] = lambda _step: None
) -> dict[str, StepRun]:
    return {step.kind: step for step in recorder.steps(output, lambda log: (f"end of {log.name}",), why)}


def test_every_event_is_passed_on_and_noted(plan: Plan, tmp_path: Path) -> None:
    heard: list[Event] = []
    clock = Clock()
    recorder = Recorder(heard.append, clock)
    ids = {str(planned.step.id.kind): planned.step.id for planned in plan.steps}
    error = StepError("no such package", ("main.go:3\nmain.go:4",), "add it")
    log = tmp_path / "logs/compile.log"
    clock.now = 101.0
    events: list[Event] = [
        Planned(plan=plan),
        Started(step=ids["fetch"], reason="not made yet"),
        Finished(step=ids["fetch"], seconds=0.5, note="1 commit"),
        Started(step=ids["compile"], reason="not made yet"),
        Failed(step=ids["compile"], seconds=2.0, error=error, log=log),
        Skipped(step=ids["verify"], because=ids["compile"]),
        Said(text="a warning", level="warning"),
        Said(text="a word"),
        Said(text="a warning", level="warning"),
    ]
    for event in events:
        recorder(event)
    assert heard == events
    assert recorder.warnings == ("a warning",)
    steps = recorded(recorder, tmp_path)
    fetch, compiled = steps["fetch"], steps["compile"]
    assert (fetch.outcome, fetch.start, fetch.seconds, fetch.note) == (Outcome.MADE, 1.0, 0.5, "1 commit")
    assert (compiled.outcome, compiled.log, compiled.excerpt) == (
        Outcome.FAILED,
        "logs/compile.log",
        ("end of compile.log",),
    )
    assert compiled.error is not None
    assert compiled.error.details == ("main.go:3", "main.go:4")
    assert compiled.error.hint == "add it"
    assert steps["verify"].outcome is Outcome.NOT_STARTED
    assert steps["verify"].because == str(ids["compile"])
    assert (steps["patch"].outcome, steps["patch"].because) == (Outcome.NOT_STARTED, UNTRIED)
    assert str(ids["fetch"]) in steps["patch"].needs


def test_a_check_that_could_not_run_is_neither_made_nor_reused(plan: Plan, tmp_path: Path) -> None:
    recorder = Recorder(lambda _event: None)
    recorder(Planned(plan=plan))
    for planned in plan.steps:
        recorder(Started(step=planned.step.id, reason=""))
        recorder(Finished(step=planned.step.id, seconds=0.1))
    steps = recorded(recorder, tmp_path, lambda one: "no emulator" if one.step.id.kind == "smoke" else None)
    assert (steps["smoke"].outcome, steps["smoke"].note) == (Outcome.NOT_RUN, "no emulator")
    assert {step.outcome for kind, step in steps.items() if kind != "smoke"} == {Outcome.MADE}


def test_ids_say_the_time_and_differ() -> None:
    first, time = new_run(1_795_388_616.9)
    second, _ = new_run(1_795_388_616.9)
    assert first.startswith("20261122T230336Z-")
    assert time == 1_795_388_616
    assert first != second


def test_runs_are_kept_in_the_order_of_writing_though_the_clock_was_set_back(tmp_path: Path) -> None:
    late, early = full_run(9), full_run(1)
    for run in (full_run(5), publish_run(4), late, early):
        leave_run(tmp_path, run)
    history = read_history(tmp_path)
    assert [line.run for line in history.lines][-2:] == [late.id, early.id]
    assert last_run(tmp_path, history, "build") == early
    assert last_run(tmp_path, history, "publish") == publish_run(4)


def test_a_torn_line_is_told_and_costs_nothing_else(tmp_path: Path) -> None:
    leave_run(tmp_path, full_run(1))
    with (tmp_path / "history.jsonl").open("ab") as file:
        file.write(line_bytes(line_of(full_run(2)))[:40])
    leave_run(tmp_path, full_run(3))
    history = read_history(tmp_path)
    assert [line.run for line in history.lines] == [full_run(1).id, full_run(3).id]
    assert history.told == ("history.jsonl: line 2 is torn or not ours; it is skipped, and nothing else is lost",)


def test_the_last_run_is_found_though_its_own_line_is_torn(tmp_path: Path) -> None:
    for number in (1, 2):
        leave_run(tmp_path, full_run(number))
    path = tmp_path / "history.jsonl"
    path.write_bytes(path.read_bytes()[:-30])
    history = read_history(tmp_path)
    assert [line.run for line in history.lines] == [full_run(1).id]
    assert last_run(tmp_path, history, "build") == full_run(2)
    leave_run(tmp_path, publish_run(3))
    assert read_history(tmp_path).lines[-1] == line_of(publish_run(3))


@pytest.mark.parametrize(
    "content",
    [b"", b"\n", b"\0" * 5000, b"\xff\xfe\n" * 3, b'{"run":1}'],
    ids=["empty", "blank", "zeros", "binary", "not ours"],
)
def test_junk_for_a_history_is_told_in_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "history.jsonl").write_bytes(content)
    leave_run(tmp_path, full_run(1))
    history = read_history(tmp_path)
    assert [line.run for line in history.lines] == [full_run(1).id]
    assert len(history.told) == bool(content.strip())
    assert last_run(tmp_path, history, "build") == full_run(1)


def test_a_run_that_found_nothing_to_do_stands_for_the_one_that_did_it(tmp_path: Path) -> None:
    good, bad = full_run(1), full_run(2, exit_code=1)
    leave_run(tmp_path, good)
    leave_run(tmp_path, bad)
    assert last_run(tmp_path, read_history(tmp_path), "build") == bad
    for number in (3, 4):
        append(tmp_path, again_line(full_run(number).id, good.id, full_run(number).time, 0.1, 13))
    history = read_history(tmp_path)
    assert last_run(tmp_path, history, "build") == good
    assert [line.run for line in history.again(good.id)] == [full_run(3).id, full_run(4).id]
    assert history.again(bad.id) == ()
    for number in range(5, KEPT + 3):
        leave_run(tmp_path, publish_run(number))
    leave_run(tmp_path, publish_run(900))  # the records of 1 and 2 and KEPT - 1 others: one is too many
    kept = {path.stem for path in runs_folder(tmp_path).iterdir()}
    assert (good.id in kept, bad.id in kept) == (True, False)


def test_a_full_disk_leaves_no_half_of_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    leave_run(tmp_path, full_run(1))
    whole = (tmp_path / "history.jsonl").read_bytes()
    real = os.write
    monkeypatch.setattr(os, "write", lambda handle, data: real(handle, data[:20]))
    with pytest.raises(OSError, match="No space left"):
        append(tmp_path, line_bytes(line_of(full_run(2))))
    assert (tmp_path / "history.jsonl").read_bytes() == whole


def test_a_torn_record_leaves_the_one_before(tmp_path: Path) -> None:
    leave_run(tmp_path, full_run(1))
    torn = leave_run(tmp_path, full_run(2))
    torn.write_bytes(torn.read_bytes()[:100])
    assert last_run(tmp_path, read_history(tmp_path), "build") == full_run(1)


def test_without_a_history_the_names_say_which_is_last(tmp_path: Path) -> None:
    for number in (2, 3, 1):
        leave_run(tmp_path, full_run(number))
    (tmp_path / "history.jsonl").unlink()
    assert last_run(tmp_path, read_history(tmp_path), "build") == full_run(3)
    assert last_run(tmp_path / "nothing", read_history(tmp_path / "nothing"), "build") is None


def test_a_line_cannot_name_a_file_elsewhere(tmp_path: Path) -> None:
    leave_run(tmp_path, full_run(1))
    (tmp_path / "secret.json").write_bytes((runs_folder(tmp_path) / f"{full_run(1).id}.json").read_bytes())
    line = line_of(full_run(2, id="../../secret"))
    append(tmp_path, line_bytes(line))
    (runs_folder(tmp_path) / f"{full_run(1).id}.json").unlink()
    assert last_run(tmp_path, read_history(tmp_path), "build") is None


def test_only_the_last_records_stay_and_the_history_stays_whole(tmp_path: Path) -> None:
    stranger = runs_folder(tmp_path) / "notes.txt"
    stranger.parent.mkdir(parents=True)
    stranger.write_text("mine")
    for number in (99_999, *range(KEPT + 4)):  # the first is of a clock that was ahead
        leave_run(tmp_path, full_run(number, ()))
    names = {path.name for path in runs_folder(tmp_path).iterdir()}
    assert names == {"notes.txt", *(f"{full_run(number).id}.json" for number in range(4, KEPT + 4))}
    assert len(read_history(tmp_path).lines) == KEPT + 5


def test_of_a_long_history_the_end_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_files, "WINDOW", 2000)
    for number in range(40):
        append(tmp_path, line_bytes(line_of(full_run(number, ()))))
    history = read_history(tmp_path)
    assert history.told == ()
    assert 3 < len(history.lines) < 40
    assert history.lines[-1].run == full_run(39).id


def test_lines_of_runs_at_the_same_time_do_not_mix(tmp_path: Path) -> None:
    data = line_bytes(line_of(full_run(1)))

    def work() -> None:
        for _ in range(20):
            append(tmp_path, data)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    history = read_history(tmp_path)
    assert (len(history.lines), history.told) == (80, ())
