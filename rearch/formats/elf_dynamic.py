"""The dynamic section of an ELF file: which libraries, and which versions of their symbols, it wants."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

from rearch.formats.elf_image import TEXT, ElfImage, decoded

ENTRIES = 4096
VERSIONS = 4096


class Dynamic:
    """Reads through the program headers, as the loader does. Raises BrokenElf where the file contradicts itself."""

    def __init__(self, image: ElfImage) -> None:
        self._image = image

    @cached_property
    def entries(self) -> tuple[tuple[str, int], ...]:
        """The dynamic section up to DT_NULL: (tag, value)."""
        segment, struct = self._image.only("PT_DYNAMIC"), self._image.structs.Elf_Dyn
        if segment is None or not segment.size:
            return ()
        count = min(segment.size // struct.sizeof(), ENTRIES + 1)
        found: list[tuple[str, int]] = []
        for row in self._image.table(struct, segment.offset, count, "the dynamic section"):
            if row.d_tag == "DT_NULL":
                return tuple(found)
            found.append((str(row.d_tag), int(row.d_val)))
        raise self._image.broken("the dynamic section has no end")

    def value(self, tag: str) -> int | None:
        return next((value for name, value in self.entries if name == tag), None)

    def texts(self, tag: str) -> tuple[str, ...]:
        """The names that entries with this tag refer to, as DT_NEEDED."""
        return tuple(self.text(value) for name, value in self.entries if name == tag)

    def text(self, offset: int) -> str:
        start, size = self.value("DT_STRTAB"), self.value("DT_STRSZ")
        if start is None or size is None or offset >= size:
            raise self._image.broken("a name lies outside of the dynamic string table")
        data = self._image.at(start + offset, min(TEXT, size - offset))
        if b"\0" not in data:
            raise self._image.broken("a name in the dynamic string table has no end")
        return decoded(data.partition(b"\0")[0])

    def wanted_versions(self) -> Iterator[str]:
        """Names of symbol versions that must come from libraries, as GLIBC_2.34 (DT_VERNEED)."""
        needs, auxiliaries = self._image.structs.Elf_Verneed, self._image.structs.Elf_Vernaux
        budget = iter(range(VERSIONS))
        first, count = self.value("DT_VERNEED") or 0, self.value("DT_VERNEEDNUM") or 0
        for address, row in self._chain(needs, first, count, "vn_next", budget):
            for _, part in self._chain(auxiliaries, address + int(row.vn_aux), int(row.vn_cnt), "vna_next", budget):
                yield self.text(int(part.vna_name))

    def _chain(
        self, struct: Any, address: int, count: int, following: str, budget: Iterator[int]
    ) -> Iterator[tuple[int, Any]]:
        """Records of which each says how far the next is. `budget` ends what goes on for too long."""
        for _ in range(count):
            if next(budget, None) is None:
                raise self._image.broken(f"it wants more than {VERSIONS} symbol versions")
            row = self._record(struct, address)
            yield address, row
            if not row[following]:
                return
            address += int(row[following])

    def _record(self, struct: Any, address: int) -> Any:
        data = self._image.at(address, struct.sizeof())
        if len(data) < struct.sizeof():
            raise self._image.broken("the table of symbol versions reaches out of its segment")
        return self._image.parse(struct, data)
