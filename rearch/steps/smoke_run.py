"""One start of a binary as a value, and the reading of how qemu ended."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from msgspec import Struct

from rearch.formats.elf import ElfFacts, read_elf
from rearch.model.command import Command, Completed
from rearch.model.platform import Platform
from rearch.model.smoke import Smoke
from rearch.steps.ports import Emulator

TRIES = 3

# The program under qemu died of a signal: qemu says so, and dies of the same one (linux-user/signal.c).
_GUEST_DIED = re.compile(r"qemu: uncaught target signal \d+")
_QEMU_SAYS = re.compile(
    r"^(?:qemu(?:-[\w-]+)?: (?:QEMU internal SIG|fatal:|Unable to reserve|unable to find CPU model|.{0,200}Assertion)"
    r"|(?:\*\*)?ERROR:.{0,200}(?:tcg|qemu|accel)|.{0,200}tcg fatal error|QEMU internal SIG).{0,200}",
    re.MULTILINE,
)


class Trial(Struct, frozen=True, kw_only=True):
    """One check, made ready. `words` are what a person would type for it, where that is not the command itself."""

    check: Smoke
    binary: Path
    command: Command
    emulator: Emulator | None
    words: tuple[str, ...] = ()

    @property
    def emulated_by(self) -> str:
        """What runs it, for messages."""
        return self.emulator.argv[0] if self.emulator else self.command.argv[0]

    @property
    def line(self) -> str:
        """The command for a shell, as it can be copied."""
        env = [f"{name}={value}" for name, value in self.command.env]
        line = shlex.join(self.words or ("env", "-i", *env, *self.command.argv))
        text = self.command.stdin.decode("utf-8", "replace")
        return f"printf %s {shlex.quote(text)} | {line}" if text else line


def smoke_command(
    check: Smoke, binary: Path, cwd: Path, platform: Platform, *, emulator: Emulator | None, sysroot: Path | None
) -> Command:
    """The command of a check. `sysroot` holds the loader and libraries of a dynamic binary."""
    if emulator is not None:
        flags = (emulator.sysroot_flag, str(sysroot)) if sysroot is not None else ()
        prefix = (*emulator.argv, *flags)
    else:
        prefix = _loader(read_elf(binary), platform, sysroot) if sysroot is not None else ()
    return Command(
        argv=(*prefix, str(binary), *check.run[1:]),
        cwd=cwd,
        env=tuple(sorted(check.env.items())),
        stdin=check.stdin.encode(),
        timeout=check.timeout,
        until=check.expect if check.stop else None,
    )


def _loader(facts: ElfFacts | None, platform: Platform, sysroot: Path) -> tuple[str, ...]:
    """Natively too the sysroot's loader and libraries are used, not the host's: they are what the image will have."""
    if facts is None or facts.interpreter is None:
        return ()
    triplet = platform.arch.triplet
    folders = (f"usr/lib/{triplet}", f"lib/{triplet}", "usr/lib", "lib")
    path = ":".join(str(sysroot / folder) for folder in folders)
    return (str(sysroot / facts.interpreter.lstrip("/")), "--library-path", path)


def emulator_fault(done: Completed) -> str | None:
    """What qemu itself died of; None where the program ended, however it did."""
    said = _QEMU_SAYS.search(done.output)
    if said and done.exit != 0 and not done.matched:
        return said[0]
    if done.exit is not None and done.exit < 0 and not done.matched and not _GUEST_DIED.search(done.output):
        return f"killed by signal {-done.exit}"
    return None
