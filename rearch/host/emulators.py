"""How this host runs binaries of a platform: itself, through qemu-user, or not at all.

qemu is called by name, so binfmt_misc need not know it. Nothing is started to find that out, but for one tiny
program where the kernel may or may not run a second architecture (386 on amd64, arm on arm64).
"""

from __future__ import annotations

import os
import shlex
import shutil
import struct
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from rearch.errors import RearchError
from rearch.model.command import Command
from rearch.model.platform import EM_386, EM_ARM, Platform, host_platform
from rearch.steps.ports import Emulator

MISSING = "missing"
BINFMT = Path("/proc/sys/fs/binfmt_misc")

# exit(0), as the kernel's own interface of each architecture says it.
_EXIT_0 = {
    EM_386: bytes.fromhex("31db 31c0 40 cd80"),  # xor ebx,ebx; xor eax,eax; inc eax; int 0x80
    EM_ARM: bytes.fromhex("0000a0e3 0170a0e3 000000ef"),  # mov r0,#0; mov r7,#1; svc 0
}


class Emulators:
    """Finds emulators on `path` (as $PATH) for a host; `host` is None where the kernel is no Linux.

    Every answer is found once. `starts(platform)` says whether the kernel itself starts such a program.
    """

    def __init__(self, host: Platform | None, path: str, starts: Callable[[Platform], bool] | None = None) -> None:
        self._host = host
        self._path = path
        self._starts = starts or kernel_starts
        self._natives: dict[Platform, bool] = {}

    @classmethod
    def of_this_host(cls, path: str) -> Emulators:
        """For the machine that this runs on."""
        system = os.uname()
        return cls(host_platform(system.machine) if system.sysname == "Linux" else None, path)

    def native(self, platform: Platform) -> bool:
        """Whether the host runs such binaries without emulation."""
        if platform not in self._natives:
            self._natives[platform] = self._is_native(platform)
        return self._natives[platform]

    def _is_native(self, platform: Platform) -> bool:
        if self._host is None or platform == self._host:
            return self._host is not None
        return platform.arch_name in self._host.arch.also_runs and self._starts(platform)

    def find(self, platform: Platform) -> Emulator | None:
        """The emulator for a platform's binaries, whether it is needed or not; None where there is none."""
        arch = platform.arch
        for program in qemu_names(platform):
            found = shutil.which(program, path=self._path)
            if found is not None:
                options = ("-cpu", arch.qemu_cpu) if arch.qemu_cpu else ()
                return Emulator(name=shlex.join((program, *options)), argv=(found, *options))
        return None

    def name(self, platform: Platform) -> str | None:
        """For SmokeInputs: None where no emulator is needed, `missing`, or the emulator with its options."""
        if self.native(platform):
            return None
        emulator = self.find(platform)
        return emulator.name if emulator else MISSING


def qemu_names(platform: Platform) -> tuple[str, str]:
    """The names under which qemu-user is installed: Debian's static one first, for it needs nothing else."""
    return (f"qemu-{platform.arch.qemu}-static", f"qemu-{platform.arch.qemu}")


@lru_cache
def kernel_starts(platform: Platform) -> bool:
    """Start a program of a few bytes and see whether the kernel takes it. About 2 ms."""
    from rearch.host.process import Processes

    code = _EXIT_0.get(platform.arch.elf_machine)
    if code is None or binfmt_handler(platform) is not None:
        return False  # with a handler in binfmt_misc it would start too, under emulation
    memory = os.memfd_create("rearch-probe")
    try:
        os.write(memory, tiny_program(platform.arch.elf_machine, code))
        # By the parent's number: the child closes its own copy before it becomes the program.
        probe = Command(argv=(f"/proc/{os.getpid()}/fd/{memory}",), cwd=Path("/"), timeout=5)
        return Processes().run(probe).exit == 0
    except RearchError:
        return False
    finally:
        os.close(memory)


def tiny_program(machine: int, code: bytes) -> bytes:
    """A static 32-bit little-endian ELF program that is its header and `code` (gABI, chapter 4)."""
    base, header, table = 0x10000, 52, 32
    size = header + table + len(code)
    flags = 0x05000000 if machine == EM_ARM else 0
    ident = b"\x7fELF\1\1\1" + bytes(9)
    head = struct.pack(
        "<HHIIIIIHHHHHH", 2, machine, 1, base + header + table, header, 0, flags, header, table, 1, 0, 0, 0
    )
    return ident + head + struct.pack("<8I", 1, 0, base, base, size, size, 5, 0x1000) + code


def binfmt_handler(platform: Platform, folder: Path = BINFMT) -> str | None:
    """The name of the handler that the kernel has for such binaries (binfmt_misc), None where it has none."""
    for name in (f"qemu-{platform.arch.qemu}", f"qemu-{platform.arch.qemu}-static"):
        try:
            text = (folder / name).read_text()
        except OSError:  # not mounted, not readable, or no such handler
            continue
        if text.startswith("enabled"):
            return name
    return None
