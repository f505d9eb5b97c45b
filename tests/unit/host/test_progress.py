"""What people and programs see of a run."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from rearch.errors import StepError, UsageError
from rearch.host.progress import BarReporter, JsonReporter, PlainReporter, error_line, reporter
from rearch.model.plan import Plan
from rearch.model.step import StepId, StepKind
from rearch.planning.graph import steps_of
from rearch.planning.planner import make_plan
from rearch.report import Event, Failed, Finished, Planned, Progress, Said, Skipped, Started
from tests.support.plans import ARM64, MemoryView, component, facts

STEP = StepId(StepKind.COMPILE, "test/hello", ARM64)


def _plan() -> Plan:
    example = component()
    return make_plan(steps_of((example,), facts(example)), MemoryView())


def _events(log: Path) -> list[Event]:
    log.write_text("\n".join(f"line {number}" for number in range(100)) + "\n\n")
    return [
        Planned(plan=_plan()),
        Started(step=STEP, reason="edit 1 of main.go changed"),
        Progress(step=STEP, label="main", done=50, total=200, unit="B"),
        Finished(step=STEP, seconds=1.26, note="2 checks passed"),
        Failed(step=STEP, seconds=0.5, error=StepError("boom", ["why"], "do this"), log=log),
        Skipped(step=STEP, because=STEP),
        Said(text="for all"),
        Said(text="for the curious", level="detail"),
        Said(text="look out", level="warning"),
    ]


def _show(kind: str, tmp_path: Path, *, verbose: bool = False) -> str:
    stream = io.StringIO()
    show = reporter(kind, stream, {}, verbose=verbose, root=tmp_path)
    for event in _events(tmp_path / "compile.log"):
        show(event)
    return stream.getvalue()


def test_plain_lines(tmp_path: Path) -> None:
    lines = _show("plain", tmp_path).splitlines()
    assert lines[:3] == [
        "6 steps to run, 0 reused",
        "start   compile test/hello linux/arm64: edit 1 of main.go changed",
        "done    compile test/hello linux/arm64 in 1.3 s [1/6] (2 checks passed)",
    ]
    assert "FAILED  compile test/hello linux/arm64 after 0.5 s" in lines
    assert "  | line 99" in lines
    assert "  | line 87" not in lines
    assert "  log: compile.log" in lines
    assert lines[-3:] == [
        "skipped compile test/hello linux/arm64: compile test/hello linux/arm64 failed",
        "for all",
        "warning: look out",
    ]


def test_quiet_still_tells_failures_and_warnings(tmp_path: Path) -> None:
    text = _show("quiet", tmp_path)
    assert "done" not in text
    assert "for all" not in text
    assert "FAILED" in text
    assert "warning: look out" in text


def test_verbose_tells_details(tmp_path: Path) -> None:
    assert "for the curious" in _show("plain", tmp_path, verbose=True)
    assert "for the curious" not in _show("plain", tmp_path)


def test_json_lines(tmp_path: Path) -> None:
    events = [json.loads(line) for line in _show("json", tmp_path).splitlines()]
    assert [event["event"] for event in events] == [
        "planned", "started", "progress", "finished", "failed", "skipped", "said", "said", "said",
    ]  # fmt: skip
    assert events[0]["steps"][0]["action"] == "run"
    assert events[4]["error"] == {"summary": "boom", "details": ["why"], "hint": "do this"}
    assert events[4]["exit_code"] == 1


def test_a_bar_leaves_the_same_lines(tmp_path: Path) -> None:
    text = _show("tty", tmp_path)
    for line in _show("plain", tmp_path).splitlines()[1:]:
        assert line in text


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("environment", "kind"),
    [
        ({"TERM": "xterm"}, BarReporter),
        ({"TERM": "dumb"}, PlainReporter),
        ({"TERM": "xterm", "CI": "true"}, PlainReporter),
        ({"TERM": "xterm", "NO_COLOR": "1"}, PlainReporter),
    ],
    ids=["terminal", "dumb terminal", "CI", "NO_COLOR"],
)
def test_auto(environment: dict[str, str], kind: type, tmp_path: Path) -> None:
    assert type(reporter("auto", _Terminal(), environment, verbose=False, root=tmp_path)) is kind
    assert type(reporter("auto", io.StringIO(), environment, verbose=False, root=tmp_path)) is PlainReporter


def test_an_unknown_kind(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--progress loud"):
        reporter("loud", io.StringIO(), {}, verbose=False, root=tmp_path)
    assert isinstance(reporter("json", io.StringIO(), {}, verbose=False, root=tmp_path), JsonReporter)


def test_the_tail_of_a_log_leaves_out_the_error_that_is_told_at_the_end(tmp_path: Path) -> None:
    error = StepError("boom", ["why"], "do this")
    log = tmp_path / "compile.log"
    log.write_text(f"what the compiler said\n\n{error.render(STEP)}\n")
    stream = io.StringIO()
    reporter("plain", stream, {}, verbose=False, root=tmp_path)(Failed(step=STEP, seconds=0.5, error=error, log=log))
    assert stream.getvalue().splitlines()[1:] == ["  | what the compiler said", "  log: compile.log"]


def test_an_error_that_is_no_steps_as_json() -> None:
    line = error_line(UsageError("wrong", ["here"], "mend it"))
    assert json.loads(line) == {
        "event": "error",
        "error": {"summary": "wrong", "details": ["here"], "hint": "mend it"},
        "exit_code": 2,
    }
