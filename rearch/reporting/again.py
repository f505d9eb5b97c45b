"""A build that finds nothing to do, as history.jsonl and a page that is there already have it.

Such a build takes the time of starting Python, so this module imports nothing of the reports: no msgspec, no charts.
"""

from __future__ import annotations

import json
import re
import time

_MARK = re.compile(rb"<!-- again (\S+) ([0-9]+) -->.*?<!-- /again -->", re.DOTALL)


def again_line(run: str, of: str, now: int, seconds: float, steps: int) -> bytes:
    """The line of a run that found everything as the run `of` had left it: what history.Line reads."""
    line = {
        "run": run,
        "command": "build",
        "time": now,
        "exit_code": 0,
        "seconds": round(seconds, 3),
        "counts": {"reused": steps},
        "again": of,
    }
    return json.dumps(line, separators=(",", ":")).encode() + b"\n"


def again_mark(run: str, count: int, last: int) -> str:
    """HTML: what is said of a run that `count` runs found to stand since, the last of them at `last` (since 1970)."""
    body = f'<p class="quiet">{since(count, last)}</p>' if count else ""
    return f"<!-- again {run} {count} -->{body}<!-- /again -->"


def since(count: int, last: int) -> str:
    """The same in words, for any document."""
    return f"{count} run{'s' * (count != 1)} since then found nothing to do; the last was on {_moment(last)}."


def page_again(page: bytes, run: str, now: int) -> bytes | None:
    """A page with one more such run in it; None for a page whose last build is another one."""
    found = _MARK.search(page)
    if found is None or found[1] != run.encode():
        return None
    mark = again_mark(run, int(found[2]) + 1, now).encode()
    return page[: found.start()] + mark + page[found.end() :]


def _moment(now: int) -> str:
    """As view.moment."""
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(now))
