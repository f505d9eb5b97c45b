"""The list that a rehearsal makes."""

from __future__ import annotations

import itertools

import pytest

from rearch.errors import ExitCode, Interrupted, TemporaryError, VerificationError
from rearch.rehearsal.findings import Checklist, Finding, NotAsExpected, Outcome, Seen, Stopped, finding_lines

STEPS = ("one", "two", "three")


def checklist(told: list[Finding]) -> Checklist:
    """A clock that goes on by a second whenever somebody looks at it."""
    ticks = itertools.count()
    return Checklist(STEPS, lambda: float(next(ticks)), told.append)


def wrong() -> Seen[None]:
    raise NotAsExpected("rain", ("sun", "wind"))


def test_what_a_step_saw_and_gives_to_the_next() -> None:
    told: list[Finding] = []
    steps = checklist(told)
    value: int = steps.step("one", lambda: Seen(42, ("the answer",)))
    assert value == 42
    assert told == [Finding(step="one", outcome=Outcome.OK, seconds=1.0, seen=("the answer",))]


def test_a_failure_stops_the_rest_and_says_what_was_seen() -> None:
    told: list[Finding] = []
    steps = checklist(told)
    steps.step("one", lambda: Seen(None))
    with pytest.raises(Stopped):
        steps.step("two", wrong)
    result = steps.result()
    assert [finding.outcome for finding in result.findings] == [Outcome.OK, Outcome.FAILED, Outcome.NOT_REACHED]
    assert told[1].seen == ("expected: rain", "| sun", "| wind")
    assert (result.held, result.exit_code) == (1, ExitCode.FAILED)
    assert "--keep" in (result.errors[0].hint or "")


@pytest.mark.parametrize(
    ("error", "code"),
    [(VerificationError("wrong"), ExitCode.VERIFICATION), (TemporaryError("later"), ExitCode.TEMPORARY)],
    ids=["verification", "temporary"],
)
def test_the_exit_code_is_that_of_the_error(error: VerificationError | TemporaryError, code: ExitCode) -> None:
    def fail() -> Seen[None]:
        raise error

    steps = checklist([])
    with pytest.raises(Stopped):
        steps.step("one", fail)
    assert steps.result().exit_code is code


def test_an_interruption_is_no_finding() -> None:
    def stop() -> Seen[None]:
        raise Interrupted

    told: list[Finding] = []
    with pytest.raises(Interrupted):
        checklist(told).step("one", stop)
    assert told == []


def test_a_bug_is_no_finding() -> None:
    def bug() -> Seen[None]:
        raise KeyError("x")

    with pytest.raises(KeyError):
        checklist([]).step("one", bug)


def test_a_step_that_is_not_on_the_list_is_a_bug() -> None:
    with pytest.raises(AssertionError):
        checklist([]).step("four", wrong)


def test_the_list_for_people_and_for_programs() -> None:
    steps = checklist([])
    steps.step("one", lambda: Seen(None, ("a", "b")))
    result = steps.result(kept=("below /x",))
    assert [line for finding in result.findings for line in finding_lines(finding)] == [
        "ok one (1.0 s)",
        "     a",
        "     b",
        "-- two",
        "-- three",
    ]
    facts = result.to_facts()
    assert facts["held"] is False
    assert facts["kept"] == ["below /x"]
    assert facts["steps"][0] == {"step": "one", "outcome": "ok", "seconds": 1.0, "seen": ["a", "b"]}
    assert facts["steps"][2]["outcome"] == "not reached"
