"""What documents tell: cells, changes, words."""

from __future__ import annotations

import pytest

from rearch.reporting.page_time import ready_at, waited_for
from rearch.reporting.record import Outcome
from rearch.reporting.view import SHARED, changes, difference, human, length, matrix, totals, verdict
from tests.support.runs import failed, full_run, reused, run, step, story, untried


def test_a_cell_is_the_worst_of_its_steps_with_its_reason() -> None:
    made = run(
        0,
        step("fetch", "demo/one", None, reason="the tag moved"),
        failed("compile", "demo/one"),
        untried("verify", "demo/one", "compile demo/one linux/arm64"),
        step("compile", "demo/one", "linux/arm/v7", reason="edit 1 of main.go changed"),
        step("smoke", "demo/one", "linux/arm/v7", outcome=Outcome.NOT_RUN, note="no emulator"),
        reused("compile", "demo/two"),
        untried("compile", "demo/three", "fetch demo/three"),
    )
    found = matrix(made)
    assert found.components == ("demo/one", "demo/three", "demo/two")
    assert found.platforms == ("linux/arm/v7", "linux/arm64", SHARED)
    cells = {place: (cell.outcome.value, cell.reason) for place, cell in found.cells.items()}
    assert cells == {
        ("demo/one", SHARED): ("made", "fetch: the tag moved"),
        ("demo/one", "linux/arm64"): ("failed", "compile: summary it broke"),
        ("demo/one", "linux/arm/v7"): ("not run", "smoke: no emulator"),
        ("demo/two", "linux/arm64"): ("reused", "made from the same inputs"),
        ("demo/three", "linux/arm64"): ("not started", "fetch demo/three failed"),
    }


def test_a_toolchain_is_a_row_only_when_it_failed() -> None:
    assert matrix(run(0, step("toolchain", "go-1.27", None))).components == ()
    assert matrix(run(0, failed("toolchain", "go-1.27", None))).components == ("go-1.27",)


def test_changes_are_told_in_bytes_and_per_cent() -> None:
    before, now = full_run(1, ("demo/one",)), full_run(2)
    found = {
        (each.size.what, each.size.component): difference(each) for each in changes(now, story(before, now).history)
    }
    assert found["binary", "demo/one"] == "+10.0 kB (+1.0%)"
    assert found["binary", "demo/two"] == "new"
    same = full_run(2, ("demo/one",), id="20261121T000000Z-00000000")
    assert {difference(each) for each in changes(now, story(same, now).history)} == {"as before", "new"}
    shrunk = full_run(1, ("demo/one",))
    assert "\N{MINUS SIGN}10.0 kB" in difference(changes(shrunk, story(now, shrunk).history)[0])


def test_totals_carry_on_what_a_run_did_not_build() -> None:
    found = totals(story(full_run(1), full_run(2, ("demo/one",)), full_run(3, (), binaries=())).history)
    assert [size for _, size in found["linux/arm64"]] == [2_020_000, 2_030_000, 2_030_000]


def test_who_waited_for_whom() -> None:
    one = step("fetch", "demo/one", None, start=0.0, seconds=0.5)
    two = step("modules", "demo/one", None, start=0.0, seconds=1.25)
    cached = reused("toolchain", "go", None)
    late = step("compile", "demo/one", start=2.0, needs=(one.id, two.id, cached.id, "a step that is not planned"))
    by_id = {each.id: each for each in (one, two, cached, late)}
    assert ready_at(late, by_id) == 1.25
    assert waited_for(late, by_id) == (
        "fetch demo/one; modules demo/one (until 1.2 s); 1 from the cache; then 0.8 s for a free job"
    )
    assert waited_for(one, by_id) == "nothing"


@pytest.mark.parametrize(("size", "text"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (-2_500_000, "-2.5 MB")])
def test_sizes_in_words(size: int, text: str) -> None:
    assert human(size) == text


def test_lengths_and_verdicts_in_words() -> None:
    assert (length(4.24), length(187.9)) == ("4.2 s", "3 min 07 s")
    assert verdict(run(0, failed("compile", "demo/one"), reused("compile", "demo/two"))) == (
        "a step failed: 1 failed, 1 reused, in 12.5 s"
    )
    assert verdict(run(0, exit_code=9)) == "exit code 9, in 12.5 s"
