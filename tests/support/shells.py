"""An interactive shell at a terminal, into which keys are typed."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

# What terminals are told besides text: colours, titles, modes.
_CONTROL = re.compile(r"\x1b\[[0-9;?>=]*[A-Za-z]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[=>()][0-9AB]?|[\x07\x0f]")
_BEGIN_OF_LINE = "\x01"


class Terminal:
    """What a shell has printed so far, and keys for it."""

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self._data = b""

    def type(self, keys: str) -> None:
        os.write(self._handle, keys.encode())

    def wait_for(self, text: str, timeout: float = 30.0) -> str:
        """Until it is on the screen at the beginning of a line; what stands behind it on that line."""
        deadline = time.monotonic() + timeout
        pattern = re.compile(rf"[\r\n]{re.escape(text)}([^\r\n]*)[\r\n]")
        while (found := pattern.search(self._text())) is None:
            left = deadline - time.monotonic()
            assert left > 0, f"waited for {text!r}; the terminal shows:\n{self._text()}"
            if select.select([self._handle], [], [], min(left, 1.0))[0]:
                self._data += os.read(self._handle, 1 << 16)
        self._data = b""
        return found[1].rstrip()

    def settle(self, seconds: float = 0.3) -> None:
        """Until nothing more has come for so long."""
        while select.select([self._handle], [], [], seconds)[0]:
            self._data += os.read(self._handle, 1 << 16)

    def run(self, command: str) -> None:
        """A command, to its end."""
        self.type(f"{command}\r")
        self.type("echo RE''ADY\r")
        self.wait_for("READY")
        self.settle()

    def completed(self, line: str) -> str:
        """What the shell makes of a line when Tab is pressed at its end: it is printed instead of run."""
        # Shells read on when the completion has answered; what is typed meanwhile waits.
        self.type(f"{line}\t{_BEGIN_OF_LINE}echo DO''NE:\r")
        return self.wait_for("DONE:")

    def _text(self) -> str:
        return _CONTROL.sub("", self._data.decode("utf-8", "replace"))


@contextmanager
def shell(argv: tuple[str, ...], folder: Path, environment: Mapping[str, str]) -> Iterator[Terminal]:
    """Start it at a terminal of its own; it is ended with the block."""
    child, handle = pty.fork()
    if child == 0:
        os.chdir(folder)
        os.execvpe(argv[0], argv, dict(environment))
    try:
        yield Terminal(handle)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(handle)
