"""The records of runs in output/: .rearch/runs/<utc time>-<8 hex>.json, and history.jsonl with a line for each.

Which run is the last one is said by the order of the lines: a clock can be set back, and names sort by the clock.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from rearch.engine.durable import write_whole
from rearch.engine.history_file import HISTORY, add_line, held_history
from rearch.reporting.history import History, line_bytes, line_of, read_lines
from rearch.reporting.record import Run, read_run, run_bytes

KEPT = 60
WINDOW = 4 * 1024 * 1024
_NAME = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}\.json")


def runs_folder(output: Path) -> Path:
    """Where the records are."""
    return output / ".rearch" / "runs"


def leave_run(output: Path, run: Run) -> Path:
    """Write the record, then its line; remove the oldest records. Errors: OSError."""
    path = runs_folder(output) / f"{run.id}.json"
    write_whole(path, run_bytes(run))
    with held_history(output) as handle:
        add_line(handle, line_bytes(line_of(run)))
        os.fsync(handle)
    _forget(output, run.id)
    return path


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
    unknown = _unknown(output, history)
    newest = history.lines[-1].run if history.lines else ""
    later = [name for name in unknown if name > newest]  # their lines are torn, or were never written
    for name in (*later, *_listed(history, command), *unknown[len(later) :]):
        run = _read(runs_folder(output) / f"{name}.json")
        if run is not None and run.command == command:
            return run
    return None


def _listed(history: History, command: str) -> tuple[str, ...]:
    """Runs of a command, the last first; one that changed nothing stands for the one whose results it found."""
    return tuple(dict.fromkeys(line.again or line.run for line in reversed(history.of(command))))


def _unknown(output: Path, history: History) -> tuple[str, ...]:
    """Records that no line names, the newest by name first: of a history that is lost, or torn."""
    known = {line.run for line in history.lines} | {line.again for line in history.lines}
    return tuple(sorted((name for name in _names(output) if name not in known), reverse=True))


def _read(path: Path) -> Run | None:
    if not _NAME.fullmatch(path.name):
        return None  # a line of the history that somebody wrote
    try:
        return read_run(path.read_bytes())
    except FileNotFoundError:
        return None


def _names(output: Path) -> tuple[str, ...]:
    try:
        return tuple(path.stem for path in runs_folder(output).iterdir() if _NAME.fullmatch(path.name))
    except FileNotFoundError:
        return ()


def _forget(output: Path, run: str) -> None:
    """Keep the last KEPT by the order of the history; what that does not name is older."""
    names = _names(output)
    if len(names) <= KEPT:
        return
    order = {line.again or line.run: place for place, line in enumerate(read_history(output).lines)}
    ranked = sorted(names, key=lambda name: (order.get(name, -1), name))
    for name in ranked[: len(names) - KEPT]:
        if name != run:
            (runs_folder(output) / f"{name}.json").unlink(missing_ok=True)
