"""What can be wrong with a Dockerfile. Every problem has its line; all that can be found at once is told at once."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

from msgspec import Struct

from rearch.errors import UsageError


class Problem(Struct, frozen=True):
    """One thing that is wrong. `line` counts from 1; 0 where no line is to blame."""

    line: int
    text: str
    hint: str | None = None


class BadDockerfile(UsageError):
    """A Dockerfile that cannot be built as it is: `template:line: what`, for every problem."""

    def __init__(self, template: str, problems: Sequence[Problem]) -> None:
        self.template = template
        self.problems = tuple(sorted(problems, key=lambda problem: problem.line))
        lines = tuple(f"{place(template, problem.line)}: {problem.text}" for problem in self.problems)
        hints = dict.fromkeys(problem.hint for problem in self.problems if problem.hint)
        hint = "; ".join(hints) or None
        if len(lines) == 1:
            super().__init__(lines[0], hint=hint)
        else:
            super().__init__(f"{template}: {len(lines)} problems", lines, hint)


class Trouble(Exception):
    """A problem whose line is not known where it is found. Whoever knows the line makes a Problem of it."""

    def __init__(self, text: str, hint: str | None = None) -> None:
        super().__init__(text)
        self.text = text
        self.hint = hint

    def at(self, line: int) -> Problem:
        return Problem(line, self.text, self.hint)


def place(template: str, line: int) -> str:
    """Where: `template:line`."""
    return f"{template}:{line}" if line else template


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that this one is most like, whatever the case, if any is."""
    lowered = {name.lower(): name for name in known}
    found = difflib.get_close_matches(word.lower()[:200], lowered, n=1, cutoff=0.6)
    return lowered[found[0]] if found else None


def meant(word: str, known: Iterable[str]) -> str:
    """A question for the end of a message, or nothing."""
    near = nearest(word, known)
    return f"; is {near!r} meant?" if near else ""
