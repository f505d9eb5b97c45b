"""What a rehearsal saw, step by step, and the list that is made of it. Pure, but for the clock that it is given."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from typing import Any, Generic, TypeVar

from msgspec import Struct

from rearch.errors import ExitCode, Interrupted, RearchError, StepError, worst

T = TypeVar("T")
Clock = Callable[[], float]


class Outcome(Enum):
    """How a step went."""

    OK = "ok"
    FAILED = "failed"
    NOT_REACHED = "not reached"


class Seen(Struct, Generic[T], frozen=True):
    """What a step gives to those after it, and what it saw, a line each."""

    value: T
    lines: tuple[str, ...] = ()


class Finding(Struct, frozen=True, kw_only=True):
    """One step. `seconds` is how long it took; `seen` what was seen; of a failure what was wrong."""

    step: str
    outcome: Outcome
    seconds: float = 0.0
    seen: tuple[str, ...] = ()

    def to_facts(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "step": self.step,
            "outcome": self.outcome.value,
            "seconds": round(self.seconds, 1),
            "seen": list(self.seen),
        }


class Rehearsed(Struct, frozen=True, kw_only=True):
    """The whole run. `errors` are those of the failed steps; `kept` says where things were left, if they were."""

    findings: tuple[Finding, ...]
    errors: tuple[RearchError, ...] = ()
    kept: tuple[str, ...] = ()

    @property
    def exit_code(self) -> ExitCode:
        return worst(self.errors)

    @property
    def held(self) -> int:
        """How many steps went as the story says."""
        return sum(finding.outcome is Outcome.OK for finding in self.findings)

    def to_facts(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "held": self.held == len(self.findings),
            "steps": [one.to_facts() for one in self.findings],
            "kept": list(self.kept),
        }


class NotAsExpected(StepError):
    """Something was done, and what was seen is not what the story says."""

    def __init__(self, expected: str, seen: Sequence[str]) -> None:
        self.expected = expected
        self.seen = tuple(seen)
        super().__init__(
            f"expected: {expected}",
            [f"| {line}" for line in seen] or ["| (nothing)"],
            hint="`invoke rehearse --keep` leaves everything in its place to be looked at",
        )


class Stopped(Exception):
    """A step failed, and those after it need it: the rehearsal goes no further. Its finding is on the list."""


class Checklist:
    """Runs steps and writes down what they saw. `tell` is called with each finding as it is made."""

    def __init__(self, steps: Sequence[str], clock: Clock, tell: Callable[[Finding], None]) -> None:
        self._steps = tuple(steps)
        self._clock = clock
        self._tell = tell
        self._findings: list[Finding] = []
        self._errors: list[RearchError] = []

    def step(self, name: str, act: Callable[[], Seen[T]]) -> T:
        """Do one step; what it gives. Errors: Stopped, Interrupted."""
        assert name in self._steps, name
        began = self._clock()
        try:
            seen = act()
        except Interrupted:
            raise
        except RearchError as error:
            self._errors.append(error)
            self._note(name, Outcome.FAILED, began, (error.summary, *error.details))
            raise Stopped from error
        self._note(name, Outcome.OK, began, seen.lines)
        return seen.value

    def _note(self, name: str, outcome: Outcome, began: float, seen: tuple[str, ...]) -> None:
        finding = Finding(step=name, outcome=outcome, seconds=self._clock() - began, seen=seen)
        self._findings.append(finding)
        self._tell(finding)

    def result(self, kept: Sequence[str] = ()) -> Rehearsed:
        """All steps in their order; those that nobody came to are `not reached`."""
        done = {finding.step: finding for finding in self._findings}
        rest = {name: Finding(step=name, outcome=Outcome.NOT_REACHED) for name in self._steps}
        ordered = tuple(done.get(name, missing) for name, missing in rest.items())
        return Rehearsed(findings=ordered, errors=tuple(self._errors), kept=tuple(kept))


def finding_lines(finding: Finding) -> Iterator[str]:
    """A finding for people: a mark, the step, its time; below it what was seen."""
    marks = {Outcome.OK: "ok", Outcome.FAILED: "!!", Outcome.NOT_REACHED: "--"}
    time = f" ({finding.seconds:.1f} s)" if finding.outcome is not Outcome.NOT_REACHED else ""
    yield f"{marks[finding.outcome]} {finding.step}{time}"
    for line in finding.seen:
        yield f"     {line}"
