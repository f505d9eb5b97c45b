"""Records and history: what is written is read, what is torn is told of."""

from __future__ import annotations

import json
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from rearch.reporting.again import again_line
from rearch.reporting.history import History, Line, line_bytes, line_of, read_lines, sizes_of
from rearch.reporting.record import Outcome, Words, read_run, run_bytes
from tests.support.runs import BEGAN, HOSTILE, chain, failed, full_run, publish_run, run


def test_a_record_is_read_as_it_was_written() -> None:
    for made in (full_run(3), publish_run(1), run(2, failed("compile", "demo/one", text=HOSTILE))):
        assert read_run(run_bytes(made)) == made


def test_a_torn_record_and_one_of_a_later_format_are_no_runs() -> None:
    whole = run_bytes(full_run(1))
    assert read_run(whole[: len(whole) // 2]) is None
    assert read_run(b"") is None
    assert read_run(b"[]") is None
    later = json.loads(whole) | {"format": 2}
    assert read_run(json.dumps(later).encode()) is None


def test_a_name_that_is_no_utf_8_does_not_cost_the_record() -> None:
    made = run(1, failed("compile", "demo/one", text=os.fsdecode(b"caf\xe9.go")), errors=(Words(summary="\udcff"),))
    found = read_run(run_bytes(made))
    assert found is not None
    assert found.steps[0].excerpt[1] == "caf\N{REPLACEMENT CHARACTER}.go"
    assert found.errors[0].summary == "\N{REPLACEMENT CHARACTER}"
    whole = replace(made, errors=(), steps=(failed("compile", "demo/one", text="caf\N{REPLACEMENT CHARACTER}.go"),))
    assert replace(found, errors=()) == whole
    named = full_run(1, ("demo/\udcff",))
    assert read_lines([line_bytes(line_of(named))]).lines[0].sizes[0].component == "demo/\N{REPLACEMENT CHARACTER}"


@pytest.mark.parametrize(
    "change", [{"time": 10**18}, {"time": -1}, {"seconds": -1.0}, {"seconds": 1e300}, {"exit_code": 10**9}]
)
def test_numbers_that_no_run_has_make_no_line_and_no_record(change: dict[str, float]) -> None:
    line = json.loads(line_bytes(line_of(full_run(1)))) | change
    assert read_lines([json.dumps(line).encode()]).told
    record = json.loads(run_bytes(full_run(1))) | change
    assert read_run(json.dumps(record).encode()) is None


def test_a_file_of_junk_is_told_in_one_sentence() -> None:
    told = read_lines([b"\xff"] * 10_000).told
    assert told == (
        "history.jsonl: lines 1, 2, 3, 4, 5 and 9995 more are torn or not ours; "
        "they are skipped, and nothing else is lost",
    )
    assert "2 lines near its end are torn" in read_lines([b"x", b"y"], first=None).told[0]


def test_a_line_of_a_run_that_found_nothing_to_do_is_read_as_it_was_meant() -> None:
    data = again_line("20261122T230336Z-00000002", "20261122T000001Z-00000001", BEGAN, 0.12345, 13)
    assert read_lines([data]).lines == (
        Line(
            run="20261122T230336Z-00000002",
            command="build",
            time=BEGAN,
            exit_code=0,
            seconds=0.123,
            counts={"reused": 13},
            again="20261122T000001Z-00000001",
        ),
    )


def test_fields_that_are_not_known_are_passed_over() -> None:
    more = json.loads(run_bytes(full_run(1))) | {"weather": "rain"}
    assert read_run(json.dumps(more).encode()) == full_run(1)


def test_the_worst_outcome_has_the_lowest_rank() -> None:
    assert sorted(Outcome, key=lambda one: one.rank)[0] is Outcome.FAILED
    assert max(Outcome, key=lambda one: one.rank) is Outcome.REUSED


def test_a_line_counts_and_weighs() -> None:
    line = line_of(full_run(2, ("demo/one",)))
    assert line.counts == {"made": 13}
    assert {(size.what, size.platform): size.bytes for size in line.sizes} == {
        ("binary", "linux/arm64"): 1_020_000,
        ("binary", "linux/arm/v7"): 1_020_000,
        ("image", "linux/arm64"): 5_002_000,
        ("image", "linux/arm/v7"): 5_002_000,
    }
    assert line_of(publish_run(1)).tags == {"unchanged": 1, "moved": 1}


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.integers(0, 300), st.binary(max_size=20))
def test_whatever_a_torn_line_holds_the_others_are_read(cut: int, dirt: bytes) -> None:
    first, second = line_of(full_run(1)), line_of(full_run(2))
    torn = line_bytes(line_of(full_run(3)))[:-1][:cut] + dirt.replace(b"\n", b"")
    found = read_lines([line_bytes(first).strip(), torn, line_bytes(second).strip()])
    assert (found.lines[0], found.lines[-1]) == (first, second)
    assert len(found.told) == (1 if torn.strip() and len(found.lines) == 2 else 0)
    assert all("line 2" in text for text in found.told)


def test_sizes_before_a_run_are_the_last_known_of_each_thing() -> None:
    both, one = full_run(1), full_run(2, ("demo/one",))
    now = full_run(3)
    history = History(lines=tuple(line_of(each) for each in (both, one, now)))
    before = history.sizes_before(now.id)
    assert before["binary", "demo/one", "linux/arm64", "one"] == 1_020_000
    assert before["binary", "demo/two", "linux/arm64", "two"] == 1_010_000
    assert before.keys() == {size.key for size in sizes_of(now)}


def test_a_part_of_a_component_counts_with_it() -> None:
    step = chain("demo/one+tools")[0]
    assert (step.subject, step.component) == ("demo/one+tools", "demo/one")
