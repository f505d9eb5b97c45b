"""A night: what the process returns, the day it is of, and the tags that it tries."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import date

from msgspec import Struct

from rearch.errors import ExitCode, UsageError
from rearch.reporting.night_record import Problem

MOST_A_DAY = 99


class Place(Struct, frozen=True, kw_only=True):
    """A repository of a registry."""

    registry: str
    repository: str


def exit_code(problems: Iterable[Problem], *, something_published: bool) -> ExitCode:
    """0 nothing went wrong; 3 something is not what it is labelled as; 75 all may go through another night; 4 part of
    it stands in a registry as it should; 1 nothing does."""
    codes = {problem.exit_code for problem in problems}
    if not codes:
        return ExitCode.OK
    if ExitCode.VERIFICATION in codes:
        return ExitCode.VERIFICATION
    if something_published:
        return ExitCode.PARTIAL
    if codes == {int(ExitCode.TEMPORARY)}:
        return ExitCode.TEMPORARY
    return ExitCode.USAGE if codes == {int(ExitCode.USAGE)} else ExitCode.FAILED


class BadDate(UsageError):
    """A text after --date that is no day."""

    def __init__(self, text: str) -> None:
        self.text = text
        super().__init__(f"--date: {text!r} is no day", hint="write it as 2024-05-17")


def parse_date(text: str) -> date:
    """`2024-05-17`. Errors: BadDate."""
    try:
        if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
            raise ValueError
        return date.fromisoformat(text)
    except ValueError:
        raise BadDate(text) from None


def dated_tag(channel: str, day: date, number: int = 1) -> str:
    """`nightly-2024-05-17`; the second of a day (a clock that was set back, a night that was run again) has `-2`."""
    return f"{channel}-{day.isoformat()}" + (f"-{number}" if number > 1 else "")


def candidates(channel: str, day: date, begun: str = "") -> Sequence[str]:
    """Dated tags in the order in which they are tried. `begun`: the one of a publish that did not come to its end."""
    usual = tuple(dated_tag(channel, day, number) for number in range(1, MOST_A_DAY + 1))
    return tuple(dict.fromkeys(((begun,) if begun else ()) + usual))
