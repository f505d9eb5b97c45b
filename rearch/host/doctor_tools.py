"""doctor's look at programs: Python, pip, compilers, git, apt."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import platform as interpreter
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from rearch.errors import RearchError
from rearch.host.doctor import Finding, Surroundings
from rearch.host.process import Processes
from rearch.model.command import Command

ANSWER_TIME = 1.0


def ask(where: Surroundings, *argv: str) -> str | None:
    """The first line that a program prints; None where it is missing, fails, or does not answer in time."""
    program = shutil.which(argv[0], path=where.path)
    if program is None:
        return None
    kept = ("PATH", "HOME", "LANG", "XDG_RUNTIME_DIR")
    env = {name: text for name, text in where.environment.items() if name in kept or name.startswith("DOCKER_")}
    # GOTOOLCHAIN: the version of the go that is there, not of one that it would download.
    full = (*env.items(), ("GOTOOLCHAIN", "local"))
    command = Command(argv=(program, *argv[1:]), cwd=Path("/"), env=tuple(sorted(full)), timeout=ANSWER_TIME)
    try:
        done = Processes().run(command)
    except RearchError:
        return None
    lines = done.output.strip().splitlines()
    return lines[0] if done.exit == 0 and lines else None


def python(where: Surroundings) -> Iterator[Finding]:
    """The interpreter, and pip: its own or one on PATH."""
    yield Finding(name="Python", found=f"{interpreter.python_version()} ({sys.executable})", needed_for="everything")
    yield _pip(where)


def _pip(where: Surroundings) -> Finding:
    if importlib.util.find_spec("pip") is not None:
        found: str | None = f"{importlib.metadata.version('pip')} (of this Python)"
    else:
        found = next(filter(None, (shutil.which(name, path=where.path) for name in ("pip3", "pip"))), None)
    missing = found is None
    return Finding(
        name="pip",
        found=found,
        needed_for="fetching the pinned Go and zig",
        get="apt-get install python3-pip" if missing else "",
        blocks=missing and shutil.which("go", path=where.path) is None,
    )


def compilers(where: Surroundings) -> Iterator[Finding]:
    """The host's own Go and zig: optional, since toolchains are pinned and fetched."""
    for program, argument, name in (("go", "version", "Go (system)"), ("zig", "version", "zig (system)")):
        found = ask(where, program, argument)
        yield Finding(name=name, found=found, needed_for="toolchains that say `system`; the pinned ones are fetched")


def sources(where: Surroundings) -> Iterator[Finding]:
    """What fetches sources."""
    git = ask(where, "git", "--version")
    yield _program("git", git, "git sources", "apt-get install git")
    apt = shutil.which("apt-get", path=where.path)
    words = "debian sources and the sysroots of cgo"
    yield _program("apt", apt, words, "build on Debian or Ubuntu for those; everything else works without")


def _program(name: str, found: str | None, needed_for: str, get: str) -> Finding:
    return Finding(name=name, found=found, needed_for=needed_for, get="" if found else get)


def cross_compilers(where: Surroundings) -> Iterator[Finding]:
    """A C cross compiler for each platform that Debian's compilers make code for: v6 boards need zig."""
    for row in (platform.arch for platform in where.platforms if platform.arch.debian is not None):
        found = shutil.which(f"{row.gnu}-gcc", path=where.path)
        get = f"apt-get install gcc-{row.gnu.replace('_', '-')} libc6-dev-{row.debian}-cross"
        yield _program(f"gcc for {row.name}", found, f"cgo with gcc for {row.name}", get)
