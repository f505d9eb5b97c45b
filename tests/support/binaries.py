"""Starts what a build made, natively or under qemu-user, and reads what it is."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rearch.formats.elf import ElfFacts, read_elf
from rearch.host.emulators import Emulators
from rearch.model.platform import Platform
from tests.support.needs import unmet


@dataclass(frozen=True)
class Started:
    """How a program ended; `text` is both of its outputs."""

    code: int
    text: str


def start(binary: Path, platform: Platform, *words: str, env: Mapping[str, str] | None = None) -> Started:
    """Run a foreign binary to its end."""
    hosts = Emulators.of_this_host(os.environ["PATH"])
    emulator = None if hosts.native(platform) else hosts.find(platform)
    if emulator is None and not hosts.native(platform):
        unmet(f"a way to run {platform} (apt-get install qemu-user-static)")
    prefix = emulator.argv if emulator else ()
    done = subprocess.run(
        (*prefix, str(binary), *words),
        env=dict(env or {}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    return Started(done.returncode, done.stdout)


def elf_of(binary: Path) -> ElfFacts:
    """What the file is; fails for one that is no ELF file."""
    facts = read_elf(binary)
    assert facts is not None, f"{binary} is no ELF file"
    return facts


def digests(folder: Path) -> dict[str, str]:
    """Every file below a folder with its sha256."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
