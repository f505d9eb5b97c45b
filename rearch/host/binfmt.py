"""Tells the kernel how programs of another platform are run, for as long as a block lasts, and takes it back.

Debian's way: qemu-user-static leaves descriptions, and update-binfmts (binfmt-support) hands them to the kernel.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from rearch.errors import StepError
from rearch.host.emulators import BINFMT, binfmt_handler
from rearch.host.process import Processes
from rearch.model.command import Command
from rearch.model.platform import Platform

# Of the machine, as what is locked is the kernel's: not below TMPDIR, which may be of one user or one run.
LOCKS = Path("/run/lock")


class NotEmulated(StepError):
    """The kernel does not take the emulator. `said` is what the programs said that should have told it."""

    def __init__(self, platform: Platform, said: str) -> None:
        self.platform = platform
        self.said = said
        super().__init__(
            f"the kernel cannot be told to run programs of {platform}",
            said.strip().splitlines(),
            hint="as root: `apt-get install qemu-user-static binfmt-support`; in a container: on its host",
        )


@contextmanager
def emulated(platform: Platform, processes: Processes, environment: Mapping[str, str]) -> Iterator[bool]:
    """Programs of the platform run here, by themselves and in containers. Whether that had to be arranged.

    Runs on one machine take turns, or one would take away what the other relies on. Errors: NotEmulated, ToolMissing.
    """
    with turn(platform):
        if binfmt_handler(platform) is not None:
            yield False
            return
        _register(platform, processes, environment)
        try:
            yield True
        finally:
            processes.run(_update("--disable", platform, environment))


@contextmanager
def turn(platform: Platform) -> Iterator[None]:
    """Whoever changes what the kernel knows of a platform holds this; one at a time on a machine."""
    folder = LOCKS if os.access(LOCKS, os.W_OK) else Path(tempfile.gettempdir())
    with (folder / f"rearch-binfmt-{platform.slug}.lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _register(platform: Platform, processes: Processes, environment: Mapping[str, str]) -> None:
    said = ""
    if not (BINFMT / "register").exists():
        argv = ("mount", "-t", "binfmt_misc", "binfmt_misc", str(BINFMT))
        said = processes.run(Command(argv=argv, cwd=Path("/"), env=_path(environment))).output
    said += processes.run(_update("--enable", platform, environment)).output
    if binfmt_handler(platform) is None:
        raise NotEmulated(platform, said)


def _update(what: str, platform: Platform, environment: Mapping[str, str]) -> Command:
    argv = ("update-binfmts", what, f"qemu-{platform.arch.qemu}")
    return Command(argv=argv, cwd=Path("/"), env=_path(environment), timeout=60.0)


def _path(environment: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return (("PATH", environment.get("PATH", "")),)
