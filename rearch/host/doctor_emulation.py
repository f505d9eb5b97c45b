"""doctor's look at qemu-user and binfmt_misc."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rearch.host.doctor import Finding, Surroundings
from rearch.host.doctor_tools import ask
from rearch.host.emulators import Emulators, binfmt_handler
from rearch.model.platform import Platform
from rearch.steps.ports import Emulator


def emulators(where: Surroundings) -> Iterator[Finding]:
    """How binaries of each platform run here, then whether Docker could run them too."""
    known = Emulators.of_this_host(where.path)
    found = {platform: known.find(platform) for platform in where.platforms}
    version = _version(where, found.values())
    for platform, emulator in found.items():
        yield _platform(platform, emulator, known.native(platform), version)
    foreign = [platform for platform in found if not known.native(platform)]
    if foreign:
        yield _binfmt(foreign)


def _version(where: Surroundings, emulators: Iterable[Emulator | None]) -> str:
    """qemu's version; the emulators of one host are of one package."""
    first = next((emulator for emulator in emulators if emulator is not None), None)
    line = ask(where, first.argv[0], "--version") if first else None
    return line.partition("version ")[2].partition(" ")[0] if line else ""


def _platform(platform: Platform, emulator: Emulator | None, native: bool, version: str) -> Finding:
    found = "natively" if native else f"{emulator.name} {version}".strip() if emulator else None
    return Finding(
        name=f"run {platform}",
        found=found,
        needed_for=f"smoke checks of {platform}; without it they are `not run`",
        get="" if found else "apt-get install qemu-user-static",
    )


def _binfmt(platforms: list[Platform]) -> Finding:
    handlers = {platform: binfmt_handler(platform) for platform in platforms}
    missing = [str(platform) for platform, handler in handlers.items() if handler is None]
    found = None if len(missing) == len(platforms) else f"{len(platforms) - len(missing)} of {len(platforms)} platforms"
    return Finding(
        name="binfmt_misc",
        found=found,
        needed_for="Docker builds that run foreign programs; rearch itself calls qemu by name",
        get="apt-get install qemu-user-static binfmt-support (in a container: on its host)" if missing else "",
    )
