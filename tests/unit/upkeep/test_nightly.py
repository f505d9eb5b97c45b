from __future__ import annotations

from datetime import date

import pytest

from rearch.errors import ExitCode, StepError, TemporaryError, VerificationError
from rearch.reporting.night_record import Night, Problem, Stage, Tagged, problem_of
from rearch.upkeep.nightly import BadDate, candidates, dated_tag, exit_code, parse_date

DAY = date(2024, 5, 17)


def problem(code: ExitCode, component: str = "s/a") -> Problem:
    return Problem(stage=Stage.BUILD, component=component, summary="broken", exit_code=int(code))


@pytest.mark.parametrize(
    ("codes", "published", "wanted"),
    [
        ((), False, ExitCode.OK),
        ((), True, ExitCode.OK),
        ((ExitCode.FAILED,), True, ExitCode.PARTIAL),
        ((ExitCode.FAILED,), False, ExitCode.FAILED),
        ((ExitCode.TEMPORARY,), False, ExitCode.TEMPORARY),
        ((ExitCode.TEMPORARY,), True, ExitCode.PARTIAL),
        ((ExitCode.TEMPORARY, ExitCode.FAILED), False, ExitCode.FAILED),
        ((ExitCode.USAGE,), False, ExitCode.USAGE),
        ((ExitCode.VERIFICATION, ExitCode.FAILED), True, ExitCode.VERIFICATION),
    ],
)
def test_the_exit_code_says_what_happened(codes: tuple[ExitCode, ...], published: bool, wanted: ExitCode) -> None:
    assert exit_code(map(problem, codes), something_published=published) is wanted


@pytest.mark.parametrize("error", [StepError("no", ("a\nb",), "mend it"), TemporaryError("no", ("a\nb",), "mend it")])
def test_an_error_as_it_is_kept(error: StepError | TemporaryError) -> None:
    kept = problem_of(Stage.PUBLISH, "s/a", error)
    assert (kept.words, kept.details, kept.hint) == ("publish: s/a: no", ("a", "b"), "mend it")
    assert kept.is_temporary == isinstance(error, TemporaryError)


def test_a_wrong_binary_is_not_temporary() -> None:
    assert not problem_of(Stage.RUN, "", VerificationError("wrong")).is_temporary


def test_dated_tags_in_the_order_in_which_they_are_tried() -> None:
    assert dated_tag("nightly", DAY) == "nightly-2024-05-17"
    assert candidates("edge", DAY)[:3] == ("edge-2024-05-17", "edge-2024-05-17-2", "edge-2024-05-17-3")
    again = candidates("edge", DAY, "edge-2024-05-16")
    assert again[:2] == ("edge-2024-05-16", "edge-2024-05-17")
    assert candidates("edge", DAY, "edge-2024-05-17") == candidates("edge", DAY)


@pytest.mark.parametrize("text", ["", "2024-5-17", "20240517", "2024-02-30", "2024-W20-5", "tomorrow"])
def test_no_day(text: str) -> None:
    with pytest.raises(BadDate):
        parse_date(text)


def test_what_is_new_and_what_fails() -> None:
    tags = tuple(Tagged(component="s/a", reference=how, change=how) for how in ("new", "unchanged", "moved"))
    night = Night(date="2024-05-17", tags=tags, problems=(problem(ExitCode.FAILED), problem(ExitCode.FAILED, "")))
    assert [tag.change for tag in night.new_tags] == ["new", "moved"]
    assert night.failing == ("build", "s/a")
