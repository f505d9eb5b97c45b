"""Whether a file is what a platform runs. Every difference is found, not just the first."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from rearch.formats.elf_facts import ElfFacts, describe, machine_name
from rearch.formats.gobuildinfo import GoBuildInfo
from rearch.model.platform import EM_ARM, Architecture, Platform

_EABI_MASK, _EABI5 = 0xFF000000, 0x05000000
_SYSTEM_V, _GNU_LINUX, _ARM_EABI = 0, 3, 64

# What each variable of Go's build can be, from what runs everywhere to what needs the newest processor
# (go.dev/doc/install/source#environment). What stands after a comma only ever asks for more,
# but for softfloat and hardfloat, which are about Go's own code and need nothing of the processor's variant.
_LEVELS = {
    "GO386": ("softfloat", "sse2"),
    "GOAMD64": ("v1", "v2", "v3", "v4"),
    "GOARM": ("5", "6", "7"),
    "GOARM64": tuple(f"v{major}.{minor}" for major, count in ((8, 10), (9, 6)) for minor in range(count)),
    "GOPPC64": ("power8", "power9", "power10"),
    "GORISCV64": ("rva20u64", "rva22u64", "rva23u64"),
}
# Older compilers know no such choice: what they make runs everywhere (go.dev/doc/go1.18, go1.23).
_SINCE = {"GOAMD64": (1, 18), "GOARM64": (1, 23), "GORISCV64": (1, 23)}
_HARMLESS = frozenset(("softfloat", "hardfloat"))


class Mismatch(Struct, frozen=True):
    """`what` differs; `found` and `wanted` are for people."""

    what: str
    found: str
    wanted: str

    def __str__(self) -> str:
        return f"{self.what}: found {self.found}, wanted {self.wanted}"


def match_platform(facts: ElfFacts, platform: Platform) -> tuple[Mismatch, ...]:
    """What keeps the file from being right for the platform; empty where it is right.

    Of a file for another machine only that is said: the rest would follow from it.
    """
    other = tuple(_machine(facts, platform))
    if other:
        return other
    return (*_system(facts), *_arm(facts, platform.arch), *_loader(facts, platform.arch), *_go(facts, platform))


def unknowns(facts: ElfFacts, platform: Platform) -> tuple[str, ...]:
    """What would matter for this platform and cannot be read from the file."""
    variant = platform.arch.go_variant
    if facts.go is None or variant is None or facts.go.setting(variant[0]) is not None:
        return ()
    release = re.match(r"go(\d+)\.(\d+)", facts.go.version)
    if release and (int(release[1]), int(release[2])) < _SINCE.get(variant[0], (0, 0)):
        return ()
    return (f"{variant[0]} is not recorded by {facts.go.version}: it may need a newer processor than {platform} has",)


def _machine(facts: ElfFacts, platform: Platform) -> Iterator[Mismatch]:
    row = platform.arch
    name = row.triplet.partition("-")[0]
    if facts.machine != row.elf_machine:
        yield Mismatch("machine", f"{machine_name(facts)} ({describe(facts)})", f"{name} ({platform})")
        return
    if facts.bits != row.bits:
        yield Mismatch("class", f"{facts.bits}-bit", f"{row.bits}-bit ({platform})")
    if facts.little_endian != row.little_endian:
        yield Mismatch("byte order", _order(facts.little_endian), f"{_order(row.little_endian)} ({platform})")


def _order(little_endian: bool) -> str:
    return "little-endian" if little_endian else "big-endian"


def _system(facts: ElfFacts) -> Iterator[Mismatch]:
    """A program of another Unix for the same processor: FreeBSD's has EI_OSABI 9."""
    allowed = (_SYSTEM_V, _GNU_LINUX, _ARM_EABI) if facts.machine == EM_ARM else (_SYSTEM_V, _GNU_LINUX)
    if facts.osabi not in allowed:
        yield Mismatch("operating system", f"EI_OSABI {facts.osabi}", "0 (System V) or 3 (GNU/Linux)")


def _arm(facts: ElfFacts, row: Architecture) -> Iterator[Mismatch]:
    if facts.machine != EM_ARM:
        return
    if facts.flags & _EABI_MASK != _EABI5:
        yield Mismatch("ABI", f"EABI{facts.flags >> 24}", "EABI5")
    if row.hard_float is not None and facts.arm_float is not None:
        wanted = "hard" if row.hard_float else "soft"
        if facts.arm_float != wanted:
            yield Mismatch("float ABI", facts.arm_float, wanted)
    highest = int((row.go_variant or ("", "0"))[1])
    if facts.arm_generation is not None and facts.arm_generation > highest:
        yield Mismatch("processor of the C code", f"ARMv{facts.arm_generation}", f"ARMv{highest} or lower")


def _loader(facts: ElfFacts, row: Architecture) -> Iterator[Mismatch]:
    loaders = (row.glibc_loader, row.musl_loader)
    if facts.interpreter is not None and facts.interpreter not in loaders:
        yield Mismatch("interpreter", facts.interpreter, " or ".join(loaders))


def _go(facts: ElfFacts, platform: Platform) -> Iterator[Mismatch]:
    if facts.go is None:
        return
    for name, wanted in (("GOOS", platform.os), ("GOARCH", platform.arch.goarch)):
        found = facts.go.setting(name)
        if found is not None and found != wanted:
            yield Mismatch(name, found, wanted)
    if platform.arch.go_variant is not None:
        yield from _level(facts.go, *platform.arch.go_variant)


def _level(go: GoBuildInfo, name: str, highest: str) -> Iterator[Mismatch]:
    found = go.setting(name)
    if found is None:
        return
    order = _LEVELS[name]
    base, *extras = found.split(",")
    too_high = base not in order or order.index(base) > order.index(highest.partition(",")[0])
    if too_high or set(extras) - _HARMLESS - set(highest.split(",")[1:]):
        yield Mismatch(name, found, f"{highest} or lower")
