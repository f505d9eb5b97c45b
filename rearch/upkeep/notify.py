"""Whether a night is worth a message, and its words: the three lines that matter, and a link."""

from __future__ import annotations

from msgspec import Struct

from rearch.formats.printable import printable
from rearch.reporting.night_record import Night

_LONGEST = 300
_MOST = 5


class Told(Struct, frozen=True, kw_only=True):
    """What people were told last: what was failing, nothing if all was well. `since`: the night it began."""

    failing: tuple[str, ...] = ()
    since: str = ""


class Message(Struct, frozen=True, kw_only=True):
    """Plain text. `kind`: `failure` or `success`."""

    title: str
    body: str
    kind: str


def message(night: Night, told: Told, *, project: str, policy: str, link: str = "") -> Message | None:
    """The message of a night, None where there is none to send.

    `change`: when it begins to fail, when something else begins to fail, and when all is well again. What goes on
    failing is quiet.
    """
    begun = tuple(name for name in night.failing if name not in told.failing)
    recovered = bool(told.failing) and not night.failing and not _elsewhere(night, told)
    if policy == "never" or (policy == "change" and not begun and not recovered):
        return None
    if night.failing:
        title = f"{project}: nightly {'still fails' if not begun else 'fails'}"
        lines = (_failing(night), _first(night), _published(night))
        return _message(title, lines, link, "failure")
    title = f"{project}: nightly {'is well again' if recovered else 'is well'}"
    before = f"failed since {told.since}: {_some(told.failing)}" if recovered else "nothing failed"
    return _message(title, (before, _updates(night), _published(night)), link, "success")


def told_after(night: Night, told: Told) -> Told:
    """What people know when this night's message has reached them, or when none was due."""
    failing = tuple(sorted({*night.failing, *_elsewhere(night, told)}))
    return Told(failing=failing, since=told.since or night.date) if failing else Told()


def _elsewhere(night: Night, told: Told) -> tuple[str, ...]:
    """What failed before, and a night on a part of the project has not looked at."""
    return tuple(name for name in told.failing if night.in_part and "/" in name and name not in night.components)


def _message(title: str, lines: tuple[str, ...], link: str, kind: str) -> Message:
    body = [_line(line) for line in lines if line] + ([link] if link else [])
    return Message(title=_line(title), body="\n".join(body), kind=kind)


def _line(text: str) -> str:
    """One line of text: what a foreign server or source said must not make more of it."""
    plain = printable(" ".join(text.split()))
    return plain if len(plain) <= _LONGEST else f"{plain[:_LONGEST]}..."


def _failing(night: Night) -> str:
    return f"failing: {_some(night.failing)}"


def _first(night: Night) -> str:
    """The problem that most wants a person: one that does not pass by itself."""
    lasting = [problem for problem in night.problems if not problem.is_temporary] or list(night.problems)
    more = len(night.problems) - 1
    return lasting[0].words + (f" (and {more} more)" if more else "")


def _published(night: Night) -> str:
    count = len(night.new_tags)
    return f"published {night.date}: {count} tag{'s' * (count != 1)}" if count else f"{night.date}: nothing published"


def _updates(night: Night) -> str:
    done = [change.name for change in night.updates if not change.held]
    return f"updated: {_some(tuple(done))}" if done else ""


def _some(names: tuple[str, ...]) -> str:
    rest = len(names) - _MOST
    return ", ".join(names[:_MOST]) + (f" and {rest} more" if rest > 0 else "")
