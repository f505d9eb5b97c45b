"""Tiny ELF files made by code: every class, byte order and linkage that rearch has to tell apart.

    make_elf(parse_platform("arm64"))                                          # a static program, without code
    make_elf(platform, interpreter=..., needed=("libc.so.6",), versions={"libc.so.6": ("GLIBC_2.34",)})
    make_elf(platform, go=go_blob("go1.27.3", {"GOARM": "7"}))

They are right for a reader and cannot be run (tests/integration builds programs that can).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field

from rearch.model.platform import EM_ARM, EM_PPC64, EM_RISCV, Platform

BASE, DATA = 0x400000, 0x800000
PT_LOAD, PT_DYNAMIC, PT_INTERP, PT_NOTE = 1, 2, 3, 4
DT_NEEDED, DT_STRTAB, DT_STRSZ, DT_SONAME, DT_RPATH, DT_RUNPATH, DT_FLAGS_1 = 1, 5, 10, 14, 15, 29, 0x6FFFFFFB
DT_VERNEED, DT_VERNEEDNUM = 0x6FFFFFFE, 0x6FFFFFFF
KINDS = {"object": 1, "exec": 2, "pie": 3, "shared": 3, "core": 4}
MAGIC = b"\xff Go buildinf:"
START, END = bytes.fromhex("3077af0c9274080241e1c107e6d618e6"), bytes.fromhex("f932433186182072008242104116d8f2")


def go_text(settings: Mapping[str, str], path: str = "example.org/hello") -> str:
    """The lines of `go version -m` as they stand in a program."""
    lines = [f"path\t{path}", f"mod\t{path}\tv1.2.3\th1:AAAA="]
    lines += [f"build\t{name}={value}" for name, value in settings.items()]
    return "\n".join(lines) + "\n"


def go_blob(version: str = "go1.27.3", settings: Mapping[str, str] | None = None, *, text: str | None = None) -> bytes:
    """Go's build information as Go 1.18 and later write it."""
    body = (text if text is not None else go_text(settings or {})).encode()
    framed = START + body + END if body else b""
    head = MAGIC + b"\x08\x02" + bytes(16)
    return head + _varint(len(version)) + version.encode() + _varint(len(framed)) + framed


def old_go_blob(platform: Platform, version: str, text: str, address: int = DATA) -> bytes:
    """Go's build information as Go 1.13 to 1.17 wrote it: pointers to string headers. `address` is its own."""
    width, order = platform.arch.bits // 8, "little" if platform.arch.little_endian else "big"

    def word(number: int) -> bytes:
        return number.to_bytes(width, "little" if order == "little" else "big")

    framed = START + text.encode() + END if text else b""
    strings = address + 32 + 4 * width
    head = MAGIC + bytes((width, 0 if order == "little" else 1)) + word(address + 32) + word(address + 32 + 2 * width)
    headers = word(strings) + word(len(version)) + word(strings + len(version)) + word(len(framed))
    return head.ljust(32, b"\0") + headers + version.encode() + framed


def arm_attributes(*, arch: int | None = None, vfp_args: int | None = None, order: str = "<") -> bytes:
    """A section .ARM.attributes with Tag_CPU_arch and Tag_ABI_VFP_args, and a text attribute before them."""
    tags = b"\x05ARM1176JZF-S\0"
    tags += bytes((6, arch)) if arch is not None else b""
    tags += bytes((28, vfp_args)) if vfp_args is not None else b""
    scope = b"\x01" + struct.pack(f"{order}I", len(tags) + 5) + tags
    return b"A" + struct.pack(f"{order}I", len(scope) + 10) + b"aeabi\0" + scope


def make_elf(
    platform: Platform,
    *,
    kind: str = "exec",
    interpreter: str | None = None,
    needed: tuple[str, ...] = (),
    versions: Mapping[str, tuple[str, ...]] | None = None,
    soname: str | None = None,
    rpath: str | None = None,
    runpath: str | None = None,
    flags: int | None = None,
    osabi: int = 0,
    machine: int | None = None,
    go: bytes = b"",
    attributes: bytes = b"",
    notes: tuple[tuple[bytes, int, bytes], ...] = (),
    sections: bool = True,
) -> bytes:
    """An ELF file for a platform. `versions` maps a library to what is wanted of it; `go` is a blob from above.

    `flags` is e_flags; left out: what compilers write for the platform (ARM: EABI5 with hard float, but neither
    float bit where there is a `go` blob, as Go does it).
    """
    maker = _Maker(platform.arch.bits, "<" if platform.arch.little_endian else ">")
    if interpreter is not None:
        maker.segment(PT_INTERP, interpreter.encode() + b"\0")
    if needed or versions or soname or kind in ("pie", "shared"):
        texts = ((DT_SONAME, soname), (DT_RPATH, rpath), (DT_RUNPATH, runpath))
        maker.dynamic(needed, versions or {}, texts, pie=kind == "pie" and interpreter is None)
    if notes:
        maker.segment(PT_NOTE, b"".join(maker.note(*note) for note in notes))
    if go:
        maker.data(go)
    if attributes:
        maker.section(".ARM.attributes", 0x70000003, maker.blob(attributes), len(attributes))
    number = machine if machine is not None else platform.arch.elf_machine
    return maker.finish(KINDS[kind], number, _flags(platform, bool(go)) if flags is None else flags, osabi, sections)


def _flags(platform: Platform, go: bool) -> int:
    machine = platform.arch.elf_machine
    hard = 0 if go else 0x400
    return {EM_ARM: 0x05000000 | hard, EM_PPC64: 2, EM_RISCV: 5}.get(machine, 0)


def _varint(number: int) -> bytes:
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes((*out, number))


@dataclass
class _Maker:
    """Collects what the file holds; offsets are known from the start because the headers' room is fixed."""

    bits: int
    order: str
    body: bytearray = field(default_factory=bytearray)
    segments: list[tuple[int, int, int, int, int]] = field(default_factory=list)
    headers: list[tuple[str, int, int, int, int]] = field(default_factory=list)

    ROOM = 0x400

    def pack(self, layout: str, *values: int) -> bytes:
        """`struct` with W for a word of the class's size."""
        return struct.pack(self.order + layout.replace("W", "Q" if self.bits == 64 else "I"), *values)

    def blob(self, data: bytes) -> int:
        """Put bytes into the file; their offset, aligned to 16."""
        self.body += bytes(-len(self.body) % 16)
        offset = self.ROOM + len(self.body)
        self.body += data
        return offset

    def segment(self, kind: int, data: bytes) -> int:
        offset = self.blob(data)
        self.segments.append((kind, 4, offset, BASE + offset, len(data)))
        return offset

    def data(self, data: bytes) -> None:
        """A writable segment at DATA, with Go's section over it."""
        offset = self.blob(data)
        self.segments.append((PT_LOAD, 6, offset, DATA, len(data)))
        self.headers.append((".go.buildinfo", 1, offset, DATA, len(data)))

    def section(self, name: str, kind: int, offset: int, size: int) -> None:
        self.headers.append((name, kind, offset, 0, size))

    def note(self, owner: bytes, kind: int, content: bytes) -> bytes:
        def padded(data: bytes) -> bytes:
            return data + bytes(-len(data) % 4)

        name = owner + b"\0"
        return struct.pack(self.order + "III", len(name), len(content), kind) + padded(name) + padded(content)

    def dynamic(
        self,
        needed: tuple[str, ...],
        versions: Mapping[str, tuple[str, ...]],
        named: tuple[tuple[int, str | None], ...],
        *,
        pie: bool,
    ) -> None:
        texts = bytearray(b"\0")

        def text(name: str) -> int:
            texts.extend(name.encode() + b"\0")
            return len(texts) - len(name.encode()) - 1

        entries = [(DT_NEEDED, text(name)) for name in needed]
        entries += [(tag, text(value)) for tag, value in named if value is not None]
        records = self._versions({text(library): [text(name) for name in names] for library, names in versions.items()})
        entries += [(DT_VERNEED, BASE + self.blob(records)), (DT_VERNEEDNUM, len(versions))] if records else []
        entries += [(DT_FLAGS_1, 0x08000000)] if pie else []
        entries += [(DT_STRTAB, BASE + self.blob(bytes(texts))), (DT_STRSZ, len(texts)), (0, 0)]
        self.segment(PT_DYNAMIC, b"".join(self.pack("WW", tag, value) for tag, value in entries))

    def _versions(self, wanted: Mapping[int, list[int]]) -> bytes:
        out = b""
        for number, (library, names) in enumerate(wanted.items(), 1):
            size = 16 + 16 * len(names)
            out += struct.pack(self.order + "HHIII", 1, len(names), library, 16, size if number < len(wanted) else 0)
            for index, name in enumerate(names, 1):
                following = 16 if index < len(names) else 0
                out += struct.pack(self.order + "IHHII", 0, 0, index + 1, name, following)
        return out

    def finish(self, kind: int, machine: int, flags: int, osabi: int, sections: bool) -> bytes:
        table, count = self._section_table() if sections else (0, 0)
        end = self.ROOM + len(self.body)
        # A relocatable file is not loaded, so it has no segments.
        segments = [] if kind == 1 else [(PT_LOAD, 5, 0, BASE, end), *self.segments]
        ehdr, phdr, shdr = (64, 56, 64) if self.bits == 64 else (52, 32, 40)
        ident = b"\x7fELF" + bytes((self.bits // 32, 1 if self.order == "<" else 2, 1, osabi)) + bytes(8)
        head = ident + self.pack("HHIWWWI", kind, machine, 1, BASE + self.ROOM, ehdr if segments else 0, table, flags)
        head += self.pack("HHHHHH", ehdr, phdr, len(segments), shdr, count, max(count - 1, 0))
        head += b"".join(self._program_header(*segment) for segment in segments)
        assert len(head) <= self.ROOM
        return head.ljust(self.ROOM, b"\0") + bytes(self.body)

    def _program_header(self, kind: int, flags: int, offset: int, address: int, size: int) -> bytes:
        if self.bits == 64:
            return self.pack("IIQQQQQQ", kind, flags, offset, address, address, size, size, 4)
        return self.pack("IIIIIIII", kind, offset, address, address, size, size, flags, 4)

    def _section_table(self) -> tuple[int, int]:
        names = b"\0" + b"".join(name.encode() + b"\0" for name, *_ in self.headers) + b".shstrtab\0"
        rows = [*self.headers, (".shstrtab", 3, self.blob(names), 0, len(names))]
        out = self._section_header(0, 0, 0, 0, 0)
        for name, kind, offset, address, size in rows:
            out += self._section_header(names.index(b"\0" + name.encode() + b"\0") + 1, kind, offset, address, size)
        return self.blob(out), len(rows) + 1

    def _section_header(self, name: int, kind: int, offset: int, address: int, size: int) -> bytes:
        return self.pack("IIWWWWIIWW", name, kind, 2 if address else 0, address, offset, size, 0, 0, 1, 0)
