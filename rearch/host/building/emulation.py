"""Whether the host of an engine runs a platform's programs, and if not, why not.

The kernel decides: it runs its own architecture, some run a second one, and binfmt_misc hands the others to qemu. For a
container the handler must have been registered with the flag F ("fix binary": the kernel keeps qemu open), since
the container's tree has no qemu (docs.kernel.org, admin-guide/binfmt-misc). binfmt_misc can be read where the
engine's kernel is ours; of another machine only trying tells.
"""

from __future__ import annotations

import os
from pathlib import Path

from msgspec import Struct

from rearch.errors import StepError
from rearch.host.emulators import BINFMT, binfmt_handler
from rearch.model.platform import Platform, UnknownPlatform, host_platform


class NoEmulation(StepError):
    """A Dockerfile with RUN, for a platform whose programs the engine's host does not run. `engine`: in words."""

    def __init__(self, platform: Platform, engine: str, place: str, reason: str) -> None:
        self.platform = platform
        self.engine = engine
        self.place = place
        self.reason = reason
        super().__init__(
            f"{place}: RUN starts {platform} programs, which {engine} cannot run",
            (reason, *registering(platform)),
            f"register it, or name a Docker engine on such a host (`builders: {{{platform}: ssh://host}}`)",
        )


def registering(platform: Platform) -> tuple[str, ...]:
    """How emulation is registered with a kernel: on its own host, or from a container."""
    return (
        "on the engine's host: apt-get install qemu-user-static binfmt-support",
        f"or through Docker there: docker run --privileged --rm tonistiigi/binfmt --install {platform.arch.goarch}",
    )


class Runner(Struct, frozen=True, kw_only=True):
    """Where programs would run: the machine and the kernel, as `uname -m` and `uname -r` say them."""

    machine: str
    kernel: str
    system: str = "linux"

    @property
    def platform(self) -> Platform | None:
        """What it runs by itself; None for a machine that rearch has no word for."""
        try:
            return host_platform(self.machine) if self.system == "linux" else None
        except UnknownPlatform:
            return None


def this_host() -> Runner:
    """The machine that this runs on."""
    system = os.uname()
    return Runner(machine=system.machine, kernel=system.release, system=system.sysname.lower())


def why_not(platform: Platform, runner: Runner, here: Runner, binfmt: Path = BINFMT) -> str | None:
    """Why the runner cannot run programs of the platform; None when it can, or when only trying tells.

    `here` is this host, whose binfmt_misc is mounted at `binfmt`, or not.
    """
    native = runner.platform
    if native == platform or (native is not None and platform.arch_name in native.arch.also_runs):
        return None
    if runner.kernel != here.kernel or not (binfmt / "status").exists():
        return None  # another machine, or a virtual one on this (Docker Desktop); or nothing can be seen from here
    handler = binfmt_handler(platform, binfmt)
    if handler is None:
        return f"its machine is {runner.machine}, and its kernel has no emulator registered (binfmt_misc)"
    if not _fixed(binfmt / handler):
        return f"{handler} is registered without the flag F, so that it is not found inside of containers"
    return None


def _fixed(handler: Path) -> bool:
    lines = handler.read_text().splitlines()
    return any("F" in line.partition(":")[2] for line in lines if line.startswith("flags:"))
