"""An ELF file, read within limits: the structures are pyelftools', where and how much is read is decided here.

The program headers are what the kernel and the loader go by, so everything that decides how a program runs
(interpreter, libraries, symbol versions) is read through them; section headers serve for what lives nowhere else.
Source of the format: the System V gABI, chapters 4 and 5, and for symbol versions the Linux Standard Base.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cached_property, lru_cache
from typing import Any, BinaryIO, Literal

from msgspec import Struct

from rearch.errors import HostileInputError
from rearch.formats.printable import printable

ELF_MAGIC = b"\x7fELF"
IDENT = 16
ET_REL, ET_EXEC, ET_DYN, ET_CORE = 1, 2, 3, 4

_PT_LOAD, _PT_INTERP, _PT_NOTE = "PT_LOAD", "PT_INTERP", "PT_NOTE"
_PF_X, _PF_W = 1, 2

# The kernel refuses more than 64 KiB of program headers (fs/binfmt_elf.c, load_elf_phdrs).
_SEGMENT_BYTES = 64 * 1024
_SECTIONS = 8192
_NOTES = 256
_NOTE_BYTES = 64 * 1024
TEXT = 4096


class BrokenElf(HostileInputError):
    """A file that begins as ELF and then contradicts itself: cut off, damaged, or made to mislead."""

    def __init__(self, name: str, reason: str) -> None:
        self.name = name
        self.reason = reason
        super().__init__(
            f"{name}: broken ELF file: {reason}",
            hint="it was cut off or damaged on its way: remove it and build or fetch it again",
        )


class Segment(Struct, frozen=True):
    """One program header: where `size` bytes of the file are mapped."""

    kind: str
    flags: int
    offset: int
    address: int
    size: int

    def holds(self, address: int) -> bool:
        return self.address <= address < self.address + self.size


class Section(Struct, frozen=True):
    name: str
    offset: int
    address: int
    size: int
    allocated: bool


class Note(Struct, frozen=True):
    owner: bytes
    kind: int
    content: bytes


class ElfImage:
    """Bounded access to one ELF file. Everything raises BrokenElf where the file contradicts itself."""

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self.name = name
        self._stream = stream
        self._size = stream.seek(0, os.SEEK_END)
        ident = self.read(0, IDENT, "the header")
        if ident[:4] != ELF_MAGIC or ident[4] not in (1, 2) or ident[5] not in (1, 2):
            raise self.broken("its class or byte order is neither of the two that exist")
        self.bits = 32 * ident[4]
        self.little_endian = ident[5] == 1
        self.osabi = ident[7]
        self.structs = _structs(self.bits, self.little_endian)
        self._header = self.parse(self.structs.Elf_Ehdr, self.read(0, self.structs.Elf_Ehdr.sizeof(), "the header"))

    def broken(self, reason: str) -> BrokenElf:
        return BrokenElf(self.name, reason)

    @property
    def machine(self) -> int:
        """e_machine, as the number that it is (pyelftools makes a name of it)."""
        return self._half(18)

    @property
    def kind(self) -> int:
        """e_type."""
        return self._half(16)

    @property
    def flags(self) -> int:
        return int(self._header["e_flags"])

    def _half(self, offset: int) -> int:
        return int.from_bytes(self.read(offset, 2, "the header"), self._order)

    @property
    def _order(self) -> Literal["little", "big"]:
        return "little" if self.little_endian else "big"

    def read(self, offset: int, size: int, what: str) -> bytes:
        """Exactly `size` bytes of the file at `offset`."""
        if offset < 0 or size < 0 or offset + size > self._size:
            raise self.broken(f"{what} would lie at {offset}+{size}, and the file has {self._size} bytes")
        self._stream.seek(offset)
        data = self._stream.read(size)
        if len(data) != size:
            raise self.broken(f"{what} cannot be read: the file has become shorter")
        return data

    def parse(self, struct: Any, data: bytes) -> Any:
        """One of pyelftools' structures from its bytes."""
        from elftools.construct import ConstructError

        try:
            return struct.parse(data)
        except ConstructError as error:
            raise self.broken(f"{struct.name} cannot be read ({error})") from error

    def table(self, struct: Any, offset: int, count: int, what: str) -> Iterator[Any]:
        """`count` structures that lie one after the other at an offset of the file."""
        size = struct.sizeof()
        data = self.read(offset, size * count, what)
        return (self.parse(struct, data[index : index + size]) for index in range(0, len(data), size))

    @cached_property
    def segments(self) -> tuple[Segment, ...]:
        """The program headers. A segment that reaches beyond the file's end makes the file broken."""
        count, struct = int(self._header["e_phnum"]), self.structs.Elf_Phdr
        if not count:
            return ()
        if int(self._header["e_phentsize"]) != struct.sizeof() or count * struct.sizeof() > _SEGMENT_BYTES:
            raise self.broken(f"it announces {count} program headers of {self._header['e_phentsize']} bytes")
        found = tuple(
            Segment(str(row.p_type), int(row.p_flags), int(row.p_offset), int(row.p_vaddr), int(row.p_filesz))
            for row in self.table(struct, int(self._header["e_phoff"]), count, "the table of program headers")
        )
        for segment in found:
            if segment.kind == _PT_LOAD and segment.offset + segment.size > self._size:
                end = segment.offset + segment.size
                raise self.broken(f"a segment ends at byte {end}, and the file has {self._size}: it was cut off")
        return found

    @cached_property
    def sections(self) -> tuple[Section, ...]:
        """The section headers by name; empty where there are none (they may be stripped)."""
        count, offset = int(self._header["e_shnum"]), int(self._header["e_shoff"])
        struct = self.structs.Elf_Shdr
        if not count or not offset:
            return ()
        if int(self._header["e_shentsize"]) != struct.sizeof() or count > _SECTIONS:
            raise self.broken(f"it announces {count} section headers of {self._header['e_shentsize']} bytes")
        rows = tuple(self.table(struct, offset, count, "the table of section headers"))
        index = int(self._header["e_shstrndx"])
        if index >= count:
            return ()
        names = self._names(rows[index])
        return tuple(
            Section(
                _text(names, int(row.sh_name)),
                int(row.sh_offset),
                int(row.sh_addr),
                int(row.sh_size),
                bool(int(row.sh_flags) & 2),
            )
            for row in rows
        )

    def _names(self, row: Any) -> bytes:
        size = min(int(row.sh_size), _SECTIONS * 64)
        return self.read(int(row.sh_offset), size, "the names of the sections")

    def section(self, name: str) -> Section | None:
        return next((section for section in self.sections if section.name == name), None)

    def at(self, address: int, size: int) -> bytes:
        """Up to `size` bytes from `address` to the end of its segment; empty where nothing is mapped."""
        segment = next((part for part in self.loaded if part.holds(address)), None)
        if segment is None or size <= 0:
            return b""
        inside = address - segment.address
        return self.read(segment.offset + inside, min(size, segment.size - inside), "a segment")

    @cached_property
    def loaded(self) -> tuple[Segment, ...]:
        return tuple(segment for segment in self.segments if segment.kind == _PT_LOAD)

    def data_areas(self) -> Iterator[tuple[int, int]]:
        """Where Go's build information can be: its section, else the writable segments."""
        section = self.section(".go.buildinfo")
        if section is not None and section.allocated:
            yield section.address, section.size
        for segment in self.loaded:
            if segment.flags & (_PF_W | _PF_X) == _PF_W:
                yield segment.address, segment.size

    def interpreter(self) -> str | None:
        segment = self.only(_PT_INTERP)
        if segment is None or not segment.size:
            return None
        data = self.read(segment.offset, min(segment.size, TEXT), "the interpreter's name")
        if b"\0" not in data:
            raise self.broken("the interpreter's name has no end")
        return decoded(data.partition(b"\0")[0])

    def only(self, kind: str) -> Segment | None:
        """The first segment of a kind."""
        return next((segment for segment in self.segments if segment.kind == kind), None)

    def notes(self) -> Iterator[Note]:
        """The notes of the PT_NOTE segments, with contents up to 64 KiB in all."""
        for segment in [part for part in self.segments if part.kind == _PT_NOTE][:16]:
            data = self.read(segment.offset, min(segment.size, _NOTE_BYTES), "a note")
            yield from _notes(data, self._order)


@lru_cache(maxsize=4)  # making them takes longer than reading most files, and they keep nothing of what they parse
def _structs(bits: int, little_endian: bool) -> Any:
    from elftools.elf.structs import ELFStructs

    structs = ELFStructs(little_endian=little_endian, elfclass=bits)
    structs.create_basic_structs()
    structs.create_advanced_structs()
    return structs


def _text(table: bytes, offset: int) -> str:
    return decoded(table[offset : offset + 256].partition(b"\0")[0])


def decoded(data: bytes) -> str:
    """A name of the file, as text that can be shown."""
    return printable(data.decode("utf-8", "backslashreplace"))


def _notes(data: bytes, order: Literal["little", "big"]) -> Iterator[Note]:
    """Notes are three words and two padded fields; a damaged one ends the list, for notes decide nothing."""
    position = 0
    for _ in range(_NOTES):
        if position + 12 > len(data):
            return
        owner, content, kind = (int.from_bytes(data[position + at : position + at + 4], order) for at in (0, 4, 8))
        start = position + 12
        middle = start + -(-owner // 4) * 4
        if middle + content > len(data):
            return
        yield Note(data[start : start + owner].rstrip(b"\0"), kind, data[middle : middle + content])
        position = middle + -(-content // 4) * 4
