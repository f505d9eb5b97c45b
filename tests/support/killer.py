"""Runs a Python program that kills itself with SIGKILL right before its N-th change of a folder's entries.

    python -m tests.support.killer N module [words...]       N from 1

What changes a folder: a file that is created, renamed or removed; and an fsync, since what came before it may be
half written. Only below the folder in KILLER_BELOW, and only the audit events in KILLER_EVENTS (default: all).
The program's own exit code says that there was no N-th.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
from collections.abc import Callable, Container
from multiprocessing import get_context
from pathlib import Path
from typing import Any

EVERY = ("os.rename", "os.remove", "open")


def main() -> None:
    number, program, *words = sys.argv[1:]
    kill_at(int(number), os.environ["KILLER_BELOW"], os.environ.get("KILLER_EVENTS", " ".join(EVERY)).split())
    sys.argv = [program, *words]
    runpy.run_module(program, run_name="__main__", alter_sys=True)


def kill_at(number: int, folder: str, events: Container[str] = EVERY) -> None:
    """From now on count, and kill this process right before the change of that number."""
    below = os.path.realpath(folder)
    left = number

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal left
        if event in events and _changes(event, arguments, below):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def killed_at(number: int, folder: Path, act: Callable[[], object]) -> bool:
    """Run `act` in a child that is killed there; False when it came to its end before."""

    def run() -> None:
        kill_at(number, str(folder))
        act()

    child = get_context("fork").Process(target=run)
    child.start()
    child.join()
    assert child.exitcode in (0, -signal.SIGKILL)
    return child.exitcode != 0


def _changes(event: str, arguments: tuple[Any, ...], below: str) -> bool:
    match event:
        case "os.rename" | "os.remove":
            names = arguments[: 2 if event == "os.rename" else 1]
        case "open" if isinstance(arguments[2], int) and arguments[2] & (os.O_CREAT | os.O_WRONLY | os.O_RDWR):
            names = arguments[:1]
        case "open" if isinstance(arguments[2], int) and arguments[2] & os.O_DIRECTORY:  # about to be synced
            names = arguments[:1]
        case _:
            return False
    paths = [Path(os.fsdecode(name)) for name in names if isinstance(name, str | bytes)]
    # A name without a folder is below one that is open (shutil.rmtree): scratch, not the project.
    return any(path.is_absolute() and path.resolve().is_relative_to(below) for path in paths)


if __name__ == "__main__":
    main()
