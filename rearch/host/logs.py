"""The end of a log file, without reading all of it."""

from __future__ import annotations

from pathlib import Path

WINDOW = 64 * 1024


def last_lines(path: Path, count: int) -> tuple[str, ...]:
    """The last `count` lines that are not empty; none when there is no such file."""
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - WINDOW))
            text = file.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return ()
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    return tuple(lines[-count:])
