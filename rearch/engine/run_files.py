"""The records of runs in output/: .rearch/runs/<utc time>-<8 hex>.json, and history.jsonl with a line for each.

Which run is the last one is said by the order of the lines: a clock can be set back, and names sort by the clock.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import secrets
import time
from collections.abc import Container, Iterator
from datetime import UTC, datetime
from pathlib import Path

from rearch.engine.durable import write_whole
from rearch.reporting.history import History, line_bytes, line_of, read_lines
from rearch.reporting.record import Run, read_run, run_bytes

HISTORY = "history.jsonl"
KEPT = 60
WINDOW = 4 * 1024 * 1024
_NAME = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}\.json")


def runs_folder(output: Path) -> Path:
    """Where the records are."""
    return output / ".rearch" / "runs"


def new_run(now: float | None = None) -> tuple[str, int]:
    """An id that nobody has, and the time in it: seconds since 1970."""
    moment = int(time.time() if now is None else now)
    return f"{datetime.fromtimestamp(moment, UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}", moment


def leave_run(output: Path, run: Run) -> Path:
    """Write the record, then its line; remove the oldest records. Errors: OSError."""
    path = runs_folder(output) / f"{run.id}.json"
    write_whole(path, run_bytes(run))
    append_line(output, line_bytes(line_of(run)))
    _forget(output, run.id)
    return path


def append_line(output: Path, data: bytes) -> None:
    """Add a line, whole: in one write, and never behind the torn end of another. Errors: OSError."""
    handle = os.open(output / HISTORY, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        size = os.fstat(handle).st_size
        torn = size > 0 and os.pread(handle, 1, size - 1) != b"\n"
        whole = (b"\n" if torn else b"") + data
        written = os.write(handle, whole)
        if written != len(whole):  # a full disk: what is there of it must not look like a line
            os.ftruncate(handle, size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(output / HISTORY))
        os.fsync(handle)
    finally:
        os.close(handle)


def read_history(output: Path) -> History:
    """The lines of history.jsonl, of the last 4 MiB where it is longer."""
    try:
        with (output / HISTORY).open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - WINDOW))
            lines = file.read().split(b"\n")
    except FileNotFoundError:
        return History()
    if size > WINDOW:
        return read_lines(lines[1:], first=None)
    return read_lines(lines)


def last_run(output: Path, history: History, command: str) -> Run | None:
    """The record of the last run of a command that is still there, whole."""
    for line in reversed(history.of(command)):
        run = _read(runs_folder(output) / f"{line.run}.json")
        if run is not None:
            return run
    known = {line.run for line in history.lines}
    return next((run for run in _newest_first(output, known) if run.command == command), None)


def _newest_first(output: Path, known: Container[str]) -> Iterator[Run]:
    """By name, those that the history does not know: for a project whose history is lost, or torn."""
    for name in sorted((name for name in _names(output) if name.removesuffix(".json") not in known), reverse=True):
        run = _read(runs_folder(output) / name)
        if run is not None:
            yield run


def _read(path: Path) -> Run | None:
    if not _NAME.fullmatch(path.name):
        return None  # a line of the history that somebody wrote
    try:
        return read_run(path.read_bytes())
    except FileNotFoundError:
        return None


def _names(output: Path) -> tuple[str, ...]:
    try:
        return tuple(path.name for path in runs_folder(output).iterdir() if _NAME.fullmatch(path.name))
    except FileNotFoundError:
        return ()


def _forget(output: Path, run: str) -> None:
    """Keep the last KEPT by the order of the history; what that does not name is older."""
    names = _names(output)
    if len(names) <= KEPT:
        return
    order = {f"{line.run}.json": place for place, line in enumerate(read_history(output).lines)}
    ranked = sorted(names, key=lambda name: (order.get(name, -1), name))
    for name in ranked[: len(names) - KEPT]:
        if name != f"{run}.json":
            (runs_folder(output) / name).unlink(missing_ok=True)
