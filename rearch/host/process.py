"""The one place where a command is run.

The child gets its own session, so that a signal at the terminal reaches it through us alone and
its whole family can be ended. Output goes to the log as it comes; only its end is kept in memory.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from enum import Enum, auto
from pathlib import Path
from typing import IO

from rearch.errors import Interrupted, StepError
from rearch.model.command import TAIL, Command, Completed

GRACE = 5.0


class ToolMissing(StepError):
    """A program that is needed is not on this host."""

    def __init__(self, program: str) -> None:
        self.program = program
        super().__init__(f"{program}: no such program", hint="`invoke doctor` lists what is missing and how to get it")


class CannotStart(StepError):
    """A program is there and the system does not start it."""

    def __init__(self, program: str, reason: str) -> None:
        self.program = program
        self.reason = reason
        super().__init__(f"{program}: cannot be started: {reason}")


class _Pumped(Enum):
    """Why no more output is read."""

    ENDED = auto()
    MATCHED = auto()
    OVERDUE = auto()


class Processes:
    """Runs commands, and can end all that are running. One for each run of rearch."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._stop = threading.Event()

    def run(self, command: Command, log: IO[bytes] | None = None, limit: int | None = None) -> Completed:
        """Run to the end. `limit` is the most bytes that go into the log. Errors: ToolMissing, CannotStart."""
        started = time.monotonic()
        deadline = None if command.timeout is None else started + command.timeout
        with self._child(command) as child:
            tail = _Tail(log, limit)
            pumped = _pump(child, command, tail, deadline)
            if pumped is _Pumped.ENDED and not _ends_by(child, deadline):
                pumped = _Pumped.OVERDUE
            if pumped is not _Pumped.ENDED:
                _end((child,))
            code = child.wait()
        return Completed(
            exit=None if pumped is _Pumped.OVERDUE else code,
            output=tail.text(),
            seconds=time.monotonic() - started,
            matched=pumped is _Pumped.MATCHED,
        )

    def pause(self, seconds: float) -> None:
        """Sleep, but not on after `stop`. Errors: Interrupted."""
        if self._stop.wait(seconds):
            raise Interrupted

    def stop(self) -> None:
        """End every running child and its family, and start no more. For Ctrl-C and SIGTERM; from any thread."""
        with self._lock:
            self._stop.set()
            children = tuple(self._running)
        _end(children)

    @contextlib.contextmanager
    def adopt(self, child: subprocess.Popen[bytes]) -> Iterator[None]:
        """Look after a child that a library started, in a session of its own: it ends with the block, or by `stop`."""
        with self._lock:
            stopped = self._stop.is_set()
            self._running.add(child)
        try:
            if stopped:
                raise StepError("stopped before it began")
            yield
        finally:
            _end((child,))
            with self._lock:
                self._running.discard(child)

    @contextlib.contextmanager
    def _child(self, command: Command) -> Iterator[subprocess.Popen[bytes]]:
        with self._lock:
            if self._stop.is_set():
                raise StepError("stopped before it began")
            child = _spawn(command)
            self._running.add(child)
        try:
            yield child
        finally:
            _end((child,))
            if child.stdout is not None:
                child.stdout.close()
            with self._lock:
                self._running.discard(child)


def _spawn(command: Command) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            command.argv,
            cwd=command.cwd,
            env=dict(command.env),
            stdin=subprocess.PIPE if command.stdin else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            umask=command.umask,
        )
    except OSError as error:
        raise _not_started(command, error) from error


def _not_started(command: Command, error: OSError) -> StepError:
    """The words for why there is no child. A missing file can be the folder, the program, or what interprets it."""
    program = command.argv[0]
    if not command.cwd.is_dir():
        return CannotStart(program, f"its working folder {command.cwd} is not there")
    if error.errno == errno.ENOENT:
        if "/" in program and Path(program).exists():
            return CannotStart(program, "the loader or interpreter that it asks for is not on this host")
        return ToolMissing(program)
    if error.errno == errno.ENOEXEC:
        return CannotStart(program, "it is no program for this host (exec format error)")
    return CannotStart(program, error.strerror or str(error))


def _left(deadline: float | None) -> float | None:
    return None if deadline is None else deadline - time.monotonic()


def _pump(child: subprocess.Popen[bytes], command: Command, tail: _Tail, deadline: float | None) -> _Pumped:
    """Feed and drain the child until it closes its output, prints what is waited for, or its time is up."""
    assert child.stdout is not None
    if child.stdin is not None:
        feeder = threading.Thread(target=_feed, args=(child.stdin, command.stdin), daemon=True)
        feeder.start()
    until = None if command.until is None else re.compile(command.until, re.MULTILINE)
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ)
        while True:
            left = _left(deadline)
            if left is not None and left <= 0:
                return _Pumped.OVERDUE
            # A grandchild may hold the pipe open after the child has ended: look now and then.
            if not selector.select(1.0 if left is None else min(left, 1.0)):
                if child.poll() is not None:
                    return _Pumped.ENDED
                continue
            data = os.read(child.stdout.fileno(), 1 << 16)
            if not data:
                return _Pumped.ENDED
            tail.add(data)
            if until is not None and until.search(tail.text()):
                return _Pumped.MATCHED


def _ends_by(child: subprocess.Popen[bytes], deadline: float | None) -> bool:
    """Wait for a child that has closed its output; False when it goes on beyond its time."""
    left = _left(deadline)
    try:
        child.wait(None if left is None else max(left, 0.0))
    except subprocess.TimeoutExpired:
        return False
    return True


def _feed(stream: IO[bytes], data: bytes) -> None:
    with contextlib.suppress(BrokenPipeError), stream:
        stream.write(data)


def _end(children: tuple[subprocess.Popen[bytes], ...]) -> None:
    """Ask the children's families to end, all at once, and then make them."""
    _signal(children, signal.SIGTERM)
    deadline = time.monotonic() + GRACE
    for child in children:
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(max(deadline - time.monotonic(), 0.0))
    _signal(children, signal.SIGKILL)
    for child in children:
        child.wait()


def _signal(children: tuple[subprocess.Popen[bytes], ...], number: int) -> None:
    for child in children:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, number)


class _Tail:
    """The end of an output, while all of it (up to a limit) goes to the log."""

    def __init__(self, log: IO[bytes] | None, limit: int | None) -> None:
        self._log = log
        self._left = limit
        self._kept = bytearray()

    def add(self, data: bytes) -> None:
        self._kept += data
        if len(self._kept) > 2 * TAIL:
            del self._kept[:-TAIL]
        if self._log is not None:
            self._write(data)

    def _write(self, data: bytes) -> None:
        assert self._log is not None
        if self._left is None:
            self._log.write(data)
            return
        if self._left <= 0:
            return
        self._log.write(data[: self._left])
        self._left -= len(data)
        if self._left <= 0:
            self._log.write(b"\n[the log has reached its limit; the rest is left out]\n")

    def text(self) -> str:
        return bytes(self._kept[-TAIL:]).decode("utf-8", "replace")
