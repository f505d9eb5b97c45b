"""history.jsonl as a file: a line is added whole, never glued to a torn one, and by one run at a time.

Imports little: a build that has nothing to do comes here, too.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HISTORY = "history.jsonl"


def new_run(now: float | None = None) -> tuple[str, int]:
    """An id that nobody has, `<utc time>-<8 hex>`, and the time in it: seconds since 1970."""
    moment = int(time.time() if now is None else now)
    return f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(moment))}-{os.urandom(4).hex()}", moment


@contextmanager
def held_history(output: Path) -> Iterator[int]:
    """The open file, held against other runs: what is made of it (a page) is not older than it. Errors: OSError."""
    handle = os.open(output / HISTORY, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield handle
    finally:
        os.close(handle)


def add_line(handle: int, data: bytes) -> None:
    """Add a line, whole: in one write, and never behind the torn end of another. Errors: OSError."""
    size = os.fstat(handle).st_size
    torn = size > 0 and os.pread(handle, 1, size - 1) != b"\n"
    whole = (b"\n" if torn else b"") + data
    written = os.write(handle, whole)
    if written != len(whole):  # a full disk: what is there of it must not look like a line
        os.ftruncate(handle, size)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), HISTORY)
