"""What an ELF file is, as a value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from msgspec import Struct

from rearch.formats.gobuildinfo import GoBuildInfo
from rearch.model.platform import PLATFORMS

Kind = Literal["exec", "pie", "shared", "object", "core"]


class ElfFacts(Struct, frozen=True, kw_only=True):
    """`machine` and `flags` are e_machine and e_flags; `osabi` is EI_OSABI (0 System V, 3 GNU/Linux).

    `arm_float` is how floats are passed to functions, where the file says so, and `arm_generation` the ARM version that
    its C parts were compiled for; both None for pure Go. `static`: the kernel starts it without a loader
    or libraries. `glibc` is the highest glibc whose symbols it wants ("2.34"), `needed` the libraries' names.
    `build_id` is GNU's, hexadecimal; `go_build_id` is Go's own text.
    """

    machine: int
    bits: int
    little_endian: bool
    kind: Kind
    static: bool
    flags: int = 0
    osabi: int = 0
    arm_float: Literal["hard", "soft"] | None = None
    arm_generation: int | None = None
    interpreter: str | None = None
    needed: tuple[str, ...] = ()
    glibc: str | None = None
    soname: str | None = None
    build_id: str | None = None
    go_build_id: str | None = None
    go: GoBuildInfo | None = None

    def to_facts(self) -> dict[str, Any]:
        """The form for the store: JSON values."""
        plain = {name: getattr(self, name) for name in _PLAIN}
        return {**plain, "needed": list(self.needed), "go": self.go.to_facts() if self.go else None}

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> ElfFacts:
        """What `to_facts` wrote. Errors: KeyError for another form (results with other forms have other keys)."""
        go = facts["go"]
        return cls(
            **{name: facts[name] for name in _PLAIN},
            needed=tuple(str(name) for name in facts["needed"]),
            go=GoBuildInfo.from_facts(go) if go is not None else None,
        )


_PLAIN = tuple(name for name in ElfFacts.__struct_fields__ if name not in ("needed", "go"))
_WORDS = {"pie": "position-independent", "shared": "shared library", "object": "object file", "core": "core dump"}


def machine_name(facts: ElfFacts) -> str:
    """The architecture as GNU calls it, `machine 8` where it is none that rearch builds for."""
    for platform in PLATFORMS:
        row = platform.arch
        if (row.elf_machine, row.bits, row.little_endian) == (facts.machine, facts.bits, facts.little_endian):
            return row.triplet.partition("-")[0]
    return f"machine {facts.machine}"


def describe(facts: ElfFacts) -> str:
    """One line in the manner of file(1): `ELF 64-bit LSB aarch64, static`."""
    parts = [f"ELF {facts.bits}-bit {'LSB' if facts.little_endian else 'MSB'} {machine_name(facts)}"]
    parts += [_WORDS[facts.kind]] if facts.kind in _WORDS else []
    if facts.kind in ("exec", "pie"):
        parts.append("static" if facts.static else f"dynamic ({facts.interpreter or 'no interpreter'})")
    parts += [f"{facts.arm_float} float"] if facts.arm_float else []
    parts += [f"glibc {facts.glibc}"] if facts.glibc else []
    parts += [facts.go.version] if facts.go else []
    return ", ".join(parts)
