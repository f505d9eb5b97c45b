"""A command as a value: made by a pure function, run in one place (host/process.py)."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct


class Command(Struct, frozen=True, kw_only=True):
    """`env` is the whole environment: nothing of os.environ enters unless it is named. `timeout` in seconds.

    `until` is a regular expression (`^` and `$` match at line ends): the command is ended when its output matches.
    """

    argv: tuple[str, ...]
    cwd: Path
    env: tuple[tuple[str, str], ...] = ()
    stdin: bytes = b""
    timeout: float | None = None
    umask: int = 0o022
    until: str | None = None


class Completed(Struct, frozen=True, kw_only=True):
    """How a command ended. `exit` is negative for a signal, None when it was stopped at its time limit.

    `matched`: its output matched `until` (and it was ended for that, if it had not ended by itself).

    `output` is the end of what it printed on both streams, at most `TAIL` bytes; the log file has it all.
    """

    exit: int | None
    output: str
    seconds: float
    matched: bool = False


TAIL = 64 * 1024
