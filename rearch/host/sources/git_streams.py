"""What a running git prints: its answer, its words, and its progress."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import threading
import time
from collections.abc import Callable
from typing import IO, TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from subprocess import Popen

Progress = Callable[[str, int, int, str], None]
"""As Workspace.progress: label, done, total, unit."""

_KEPT_LINES = 200


class Ran(Struct, frozen=True, kw_only=True):
    """How git ended: `status` negative for a signal; `late` when it was stopped at its time limit."""

    status: int
    out: bytes
    said: tuple[str, ...]
    late: bool = False

    @property
    def ok(self) -> bool:
        return self.status == 0 and not self.late

    @property
    def text(self) -> str:
        return self.out.decode("utf-8", "surrogateescape")


def talk(child: Popen[bytes], limit: float, on_line: Callable[[str], None]) -> Ran:
    """Read both streams to their end; at the limit, end the child's session."""
    assert child.stdout is not None
    assert child.stderr is not None
    late = threading.Event()
    timer = threading.Timer(limit, _end, (child.pid, late))
    said: list[str] = []
    reader = threading.Thread(target=_read_lines, args=(child.stderr, said, on_line), daemon=True)
    with child.stdout, child.stderr:
        timer.start()
        reader.start()
        try:
            out = child.stdout.read()
            reader.join()
            status = child.wait()
        finally:
            timer.cancel()
    return Ran(status=status, out=out, said=tuple(said), late=late.is_set())


def _end(session: int, late: threading.Event) -> None:
    late.set()
    # git removes its lock and temporary files at SIGTERM; what is left after SIGKILL the mirror clears away.
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(session, number)
        time.sleep(0.2)


def _read_lines(stream: IO[bytes], said: list[str], on_line: Callable[[str], None]) -> None:
    """Lines end with \\n, those of a progress display with \\r; only the others are kept."""
    pending = b""
    while data := os.read(stream.fileno(), 1 << 16):
        *lines, pending = re.split(rb"[\r\n]", pending + data)
        for line in lines:
            _take(line, said, on_line)
    if pending:
        _take(pending, said, on_line)


def _take(line: bytes, said: list[str], on_line: Callable[[str], None]) -> None:
    text = line.decode("utf-8", "replace").strip()
    if not text:
        return
    if re.match(r"(?:remote: )?[A-Z][a-z ]+:\s+(?:\d+%|\d+[, ]|\d+$)", text):
        on_line(text)
        return
    said.append(text)
    del said[:-_KEPT_LINES]


def progress_reader(progress: Progress | None) -> Callable[[str], None]:
    if progress is None:
        return lambda _line: None
    from git.util import CallableRemoteProgress

    def update(_code: int, done: object, total: object, _message: str = "") -> None:
        progress("git objects", int(float(str(done or 0))), int(float(str(total or 0))), "objects")

    return CallableRemoteProgress(update).new_message_handler()
