"""Servers that rearch starts for itself, for as long as a block lasts: on free ports, ended by their own process."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from rearch.errors import StepError
from rearch.host.process import CannotStart, Processes, ToolMissing
from rearch.model.command import Command

POLL = 0.05
PATIENCE = 20.0  # seconds for an end that was asked for politely: dockerd ends its containers first


class ServerDied(StepError):
    """A server that was started does not answer. `said` is the end of its log."""

    def __init__(self, program: str, log: Path, said: tuple[str, ...]) -> None:
        self.program = program
        self.log = log
        self.said = said
        super().__init__(
            f"{program} was started here, and does not answer",
            said or ("it said nothing",),
            hint=f"`invoke rehearse --keep` keeps its whole log, {log}; `invoke doctor` shows what this host lacks",
        )


@contextlib.contextmanager
def serving(
    command: Command, log: Path, ready: Callable[[], bool], processes: Processes, *, within: float = 60.0
) -> Iterator[int]:
    """Start a server with its output in `log`, wait until `ready()`; the block gets its process id.

    It has a session of its own. At the end it is asked to end, and its family made to. Errors: ToolMissing,
    CannotStart, ServerDied.
    """
    child = _start(command, log)
    with processes.adopt(child):
        try:
            _wait(child, command.argv[0], log, ready, time.monotonic() + within)
            yield child.pid
        finally:
            _end(child)


def free_port() -> int:
    """A port of this host's loopback on which nobody listens now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def listens(port: int) -> bool:
    """Whether somebody takes connections at a port of this host."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def _start(command: Command, log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as output:
        try:
            return subprocess.Popen(
                command.argv,
                cwd=command.cwd,
                env=dict(command.env),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                umask=command.umask,
            )
        except FileNotFoundError:
            raise ToolMissing(command.argv[0]) from None
        except OSError as error:
            raise CannotStart(command.argv[0], error.strerror or str(error)) from None


def _wait(child: subprocess.Popen[bytes], program: str, log: Path, ready: Callable[[], bool], until: float) -> None:
    while time.monotonic() < until and child.poll() is None:
        if ready():
            return
        time.sleep(POLL)
    lines = log.read_text("utf-8", "replace").splitlines()
    raise ServerDied(program, log, tuple(lines[-5:]))


def _end(child: subprocess.Popen[bytes]) -> None:
    """Politely; what is left of its family after PATIENCE is ended by `Processes.adopt`, which has adopted it."""
    child.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(PATIENCE)
