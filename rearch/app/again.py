"""A build that is answered by its note: its line in history.jsonl, and its word in report.html, at nearly no cost.

It imports nothing of the reports unless the page that is there tells of another run, and must be made anew.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from rearch.engine.history_file import add_line, held_history, new_run
from rearch.reporting.again import again_line, page_again

if TYPE_CHECKING:
    from rearch.engine.stamp import Settled

PAGE = "report.html"


def note_again(settled: Settled) -> str | None:
    """Note one more run that found nothing to do; a warning where that could not be written."""
    output, run = settled.run.parents[2], settled.run.stem
    own, now = new_run()
    try:
        with held_history(output) as handle:
            add_line(handle, again_line(own, run, now, time.process_time(), settled.steps))
            shown = _add_to_page(output / PAGE, run, now)
        if not shown:
            from rearch.app.report import renew_page

            renew_page(output)
    except OSError as error:
        return not_written(error)
    return None


def not_written(error: OSError) -> str:
    """The warning of a report that has no place: what was built stands."""
    return f"the report of this run could not be written: {error}"


def _add_to_page(path: Path, run: str, now: int) -> bool:
    """Whether the page that is there tells of this run. Errors: OSError."""
    try:
        page = page_again(path.read_bytes(), run, now)
    except FileNotFoundError:
        return False
    if page is None:
        return False
    beside = path.with_name(f".{path.name}.again")  # one at a time: the history is held
    try:
        beside.write_bytes(page)
        beside.replace(path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise
    return True
