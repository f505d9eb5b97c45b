"""How a smoke check fails, in words."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from rearch.errors import StepError
from rearch.model.command import Completed
from rearch.model.platform import Platform
from rearch.steps.smoke_run import Trial

TAIL_LINES = 20


class Failure(Struct, frozen=True, kw_only=True):
    """A check that was not met, and why."""

    trial: Trial
    completed: Completed
    reasons: tuple[str, ...]
    hint: str | None

    def lines(self) -> Iterator[str]:
        yield f"{' '.join(self.trial.check.run)}: {'; '.join(self.reasons)}"
        yield f"  $ {self.trial.line}"
        yield from last_lines(self.completed)


def last_lines(done: Completed) -> Iterator[str]:
    """The end of an output, for an error."""
    lines = done.output.rstrip().splitlines()
    if not lines:
        yield "  (it printed nothing)"
    if len(lines) > TAIL_LINES:
        yield f"  ... {len(lines) - TAIL_LINES} lines before are in the log"
    yield from (f"  | {line}" for line in lines[-TAIL_LINES:])


class SmokeFailed(StepError):
    """Programs that were started and did not do what the recipe says."""

    def __init__(self, platform: Platform, tried: int, failures: tuple[Failure, ...]) -> None:
        self.platform = platform
        self.tried = tried
        self.failures = failures
        names = ", ".join(dict.fromkeys(failure.trial.check.run[0] for failure in failures))
        hints = dict.fromkeys(failure.hint for failure in failures if failure.hint)
        super().__init__(
            f"{names} on {platform}: {len(failures)} of {tried} smoke checks failed",
            [line for failure in failures for line in failure.lines()],
            "; ".join(hints) or "run the command above, then change `smoke` in the recipe or the source by an edit",
        )


class EmulatorCrashed(StepError):
    """qemu itself died, again and again: nothing is known about the program."""

    def __init__(self, trial: Trial, completed: Completed, fault: str) -> None:
        self.trial = trial
        self.completed = completed
        self.fault = fault
        super().__init__(
            f"{trial.emulated_by} crashed while it ran {trial.check.run[0]}: {fault}",
            [f"$ {trial.line}", *last_lines(completed)],
            "the emulator failed, not the program: try a newer qemu-user, or limit this check's `platforms`",
        )


class EmulatorGone(StepError):
    """The plan was made with an emulator that is not there any more."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"{name} was there when the plan was made, and is gone", hint="run the same command again")
