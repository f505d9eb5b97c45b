"""The family of errors: text and exit codes."""

from __future__ import annotations

import pytest

from rearch.errors import (
    ExitCode,
    HostileInputError,
    Interrupted,
    RearchError,
    StepError,
    TemporaryError,
    UsageError,
    VerificationError,
    worst,
)


def test_text() -> None:
    error = StepError("patch 1 does not apply", ["main.go:3", "two\nlines"], "refresh it")
    assert error.render() == ("error: patch 1 does not apply\n  main.go:3\n  two\n  lines\nhint: refresh it")
    assert RearchError("short").render() == "error: short"
    assert RearchError("short").render("fetch a/b") == "error: fetch a/b: short"


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (RearchError, 1),
        (StepError, 1),
        (UsageError, 2),
        (VerificationError, 3),
        (HostileInputError, 3),
        (TemporaryError, 75),
    ],
)
def test_exit_codes(kind: type[RearchError], code: int) -> None:
    error = kind("x")
    assert int(error.exit_code) == code
    assert error.retryable == (code == 75)


def test_interruption() -> None:
    assert Interrupted().exit_code == 130


def test_the_worst_of_several() -> None:
    assert worst([]) is ExitCode.OK
    assert worst([TemporaryError("x"), StepError("y")]) is ExitCode.FAILED
    assert worst([StepError("y"), VerificationError("z"), TemporaryError("x")]) is ExitCode.VERIFICATION
    assert worst([TemporaryError("x")]) is ExitCode.TEMPORARY
