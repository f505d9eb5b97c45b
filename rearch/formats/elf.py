"""ELF files: read into facts, described in words, compared with a platform.

facts = read_elf(path)                      # None: not an ELF file at all
describe(facts)                             # "ELF 64-bit LSB aarch64, static, go1.27.3"
match_platform(facts, platform)             # () or what differs
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO, Literal

from rearch.formats.arm_attributes import SIZE_LIMIT, ArmAttributes, read_attributes
from rearch.formats.elf_dynamic import Dynamic
from rearch.formats.elf_facts import ElfFacts, Kind, describe
from rearch.formats.elf_image import ELF_MAGIC, ET_CORE, ET_DYN, ET_EXEC, ET_REL, BrokenElf, ElfImage
from rearch.formats.elf_match import Mismatch, match_platform, unknowns
from rearch.formats.gobuildinfo import GoBuildInfo, read_build_info
from rearch.formats.printable import printable
from rearch.model.platform import EM_ARM

__all__ = [
    "BrokenElf",
    "ElfFacts",
    "GoBuildInfo",
    "Mismatch",
    "describe",
    "glibc_order",
    "match_platform",
    "read_elf",
    "read_elf_stream",
    "unknowns",
]

_DF_1_PIE = 0x08000000
_ARM_HARD, _ARM_SOFT = 0x400, 0x200
_NT_GNU_BUILD_ID, _NT_GO_BUILD_ID = 3, 4
# Markers without a number that glibc's loader checks like versions, and the release that brought each.
_GLIBC_MARKERS = {"GLIBC_ABI_DT_RELR": "2.36", "GLIBC_ABI_GNU_TLS": "2.42", "GLIBC_ABI_GNU2_TLS": "2.42"}
_GLIBC = re.compile(r"GLIBC_([0-9]{1,4}(?:\.[0-9]{1,4}){1,2})")


def read_elf(path: Path) -> ElfFacts | None:
    """The facts of a file (links are followed); None where it is no regular file or no ELF.

    Errors: BrokenElf; OSError where the file cannot be read.
    """
    # O_NONBLOCK: opening a named pipe would wait for a writer for ever.
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as stream:
        if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            return None
        return read_elf_stream(stream, str(path))


def read_elf_stream(stream: BinaryIO, name: str) -> ElfFacts | None:
    """The same for anything that can seek; `name` is for errors."""
    stream.seek(0)
    if stream.read(len(ELF_MAGIC)) != ELF_MAGIC:
        return None
    image = ElfImage(stream, name)
    linked = image.kind in (ET_EXEC, ET_DYN)
    interpreter = image.interpreter() if linked else None
    dynamic = Dynamic(image)
    needed = dynamic.texts("DT_NEEDED") if linked else ()
    kind = _kind(image, dynamic, interpreter)
    arm = _arm(image)
    gnu_id, go_id = _build_ids(image) if linked else (None, None)
    return ElfFacts(
        machine=image.machine,
        bits=image.bits,
        little_endian=image.little_endian,
        flags=image.flags,
        osabi=image.osabi,
        kind=kind,
        static=kind in ("exec", "pie") and interpreter is None and not needed,
        arm_float=_arm_float(image, arm),
        arm_generation=arm.generation,
        interpreter=interpreter,
        needed=needed,
        glibc=_highest_glibc(dynamic.wanted_versions()) if linked else None,
        soname=next(iter(dynamic.texts("DT_SONAME")), None) if linked else None,
        build_id=gnu_id,
        go_build_id=go_id,
        go=read_build_info(image) if linked else None,
    )


def _kind(image: ElfImage, dynamic: Dynamic, interpreter: str | None) -> Kind:
    """ET_DYN is a program where it asks for a loader or says so itself (DF_1_PIE, static-pie), else a library."""
    if image.kind == ET_DYN:
        program = interpreter is not None or bool((dynamic.value("DT_FLAGS_1") or 0) & _DF_1_PIE)
        # libc.so.6 can be run, so it has an interpreter; its name says that it is a library all the same.
        return "pie" if program and dynamic.value("DT_SONAME") is None else "shared"
    kinds: dict[int, Kind] = {ET_EXEC: "exec", ET_REL: "object", ET_CORE: "core"}
    if image.kind not in kinds:
        raise image.broken(f"its type {image.kind} is none of relocatable, executable, shared, core")
    return kinds[image.kind]


def _arm(image: ElfImage) -> ArmAttributes:
    section = image.section(".ARM.attributes") if image.machine == EM_ARM and image.kind != ET_CORE else None
    if section is None:
        return ArmAttributes()
    data = image.read(section.offset, min(section.size, SIZE_LIMIT), "the section .ARM.attributes")
    return read_attributes(data, little_endian=image.little_endian) or ArmAttributes()


def _arm_float(image: ElfImage, arm: ArmAttributes) -> Literal["hard", "soft"] | None:
    """e_flags where it says (ELF for the ARM Architecture, table 4-2), else the attributes that C compilers leave."""
    if image.machine != EM_ARM:
        return None
    if image.flags & _ARM_HARD:
        return "hard"
    return "soft" if image.flags & _ARM_SOFT else arm.float_args


def _build_ids(image: ElfImage) -> tuple[str | None, str | None]:
    gnu = go = None
    for note in image.notes():
        if (note.owner, note.kind) == (b"GNU", _NT_GNU_BUILD_ID):
            gnu = note.content[:64].hex()
        if (note.owner, note.kind) == (b"Go", _NT_GO_BUILD_ID):
            go = printable(note.content[:256].decode("utf-8", "backslashreplace"))
    return gnu, go


def glibc_order(version: str) -> tuple[int, ...]:
    """A key that sorts glibc's versions: 2.4 before 2.34."""
    return tuple(int(part) for part in version.split("."))


def _highest_glibc(names: Iterable[str]) -> str | None:
    versions = []
    for name in names:
        found = _GLIBC.fullmatch(name)
        version = found[1] if found else _GLIBC_MARKERS.get(name)
        versions += [version] if version else []
    return max(versions, key=glibc_order, default=None)
