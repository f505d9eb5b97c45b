from __future__ import annotations

from rearch.app.nightly import _each_once
from rearch.model.plan import Plan
from rearch.report import Event, Planned, Said


def test_a_dry_run_says_each_line_once_and_passes_on_the_rest() -> None:
    passed: list[Event] = []
    report = _each_once(passed.append)
    one, other, planned = (
        Said(text="would lock a"),
        Said(text="would lock a", level="warning"),
        Planned(plan=Plan(steps=())),
    )
    for event in (one, planned, other, one, planned):
        report(event)
    assert passed == [one, planned, other, planned]
