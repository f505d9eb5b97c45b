"""One family of errors: facts in, words out, an exit code that a build server can act on.

Every error has a summary (what, with the name), details (one indented line each) and a hint
(a command or an edit). A subclass takes the facts, keeps them as attributes and words the
text itself; nobody parses a message.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum


class ExitCode(IntEnum):
    """What the process returns. 75 is EX_TEMPFAIL of BSD's sysexits.h: try again later."""

    OK = 0
    FAILED = 1
    USAGE = 2
    VERIFICATION = 3
    PARTIAL = 4
    TEMPORARY = 75
    INTERRUPTED = 130


class RearchError(Exception):
    """A failure that is explained to the user. A bug is any other exception and keeps its traceback."""

    # Of the class, but for an error that stands for several: that one has the exit code of the worst.
    exit_code: ExitCode = ExitCode.FAILED

    def __init__(self, summary: str, details: Sequence[str] = (), hint: str | None = None) -> None:
        super().__init__(summary)
        self.summary = summary
        self.details = tuple(details)
        self.hint = hint

    @property
    def retryable(self) -> bool:
        """Whether the same call may go through later, with nothing changed on this side."""
        return self.exit_code is ExitCode.TEMPORARY

    def render(self, where: object = "") -> str:
        """The text for a terminal: `error: ...`, indented details, `hint: ...`. `where` is the step, if one failed."""
        lines = [f"error: {where}: {self.summary}" if where else f"error: {self.summary}"]
        lines += [f"  {line}" for detail in self.details for line in detail.splitlines() or [""]]
        if self.hint:
            lines.append(f"hint: {self.hint}")
        return "\n".join(lines)


class UsageError(RearchError):
    """A flag, a setting or a YAML file is wrong; nothing was started."""

    exit_code = ExitCode.USAGE


class VerificationError(RearchError):
    """Something is not what it is labelled as: architecture, digest, signature."""

    exit_code = ExitCode.VERIFICATION


class TemporaryError(RearchError):
    """The outside world did not answer; later it may."""

    exit_code = ExitCode.TEMPORARY


class StepError(RearchError):
    """A build step failed for a reason that lies in the source or the recipe."""


class HostileInputError(RearchError):
    """Input that tries to reach outside the place it was given, or to exhaust the machine."""

    exit_code = ExitCode.VERIFICATION

    def __init__(self, summary: str, details: Sequence[str] = (), hint: str | None = None) -> None:
        usual = "do not use it, and tell its publisher; where a recipe or toolchain names it, rearch.lock pins it"
        super().__init__(summary, details, hint or usual)


class Interrupted(RearchError):
    """The user (or the build server) stopped the run."""

    exit_code = ExitCode.INTERRUPTED

    def __init__(self) -> None:
        super().__init__("interrupted", hint="run the same command again: what was finished is kept")


def worst(errors: Sequence[RearchError]) -> ExitCode:
    """One exit code for several failures: a wrong binary outranks a failed build outranks a time-out."""
    rank = (
        ExitCode.INTERRUPTED,
        ExitCode.VERIFICATION,
        ExitCode.USAGE,
        ExitCode.FAILED,
        ExitCode.PARTIAL,
        ExitCode.TEMPORARY,
    )
    codes = {error.exit_code for error in errors}
    return next((code for code in rank if code in codes), ExitCode.OK)
