"""Reads one layer from its stream, once, and notes what audits want of it. Nothing is unpacked to disk.

What was seen is remembered by the blob's digest: a base is scanned once for ever, and after that only hashed.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import BinaryIO

from msgspec import Struct, field, to_builtins

from rearch.formats.hashing import Readable
from rearch.model.typed import Undecodable, typed
from rearch.oci.audit_content import HEAD, Started, holds_nothing, look_at
from rearch.oci.audit_packages import is_record, read_record
from rearch.oci.audit_seen import (
    ElfSeen,
    LayerSeen,
    OtherSeen,
    PackageSeen,
    ScriptSeen,
    TextSeen,
    known_name,
)
from rearch.oci.entry import EntryKind, LayerEntry
from rearch.oci.image_tree_index import (
    check_layer_blob,
    memory_place,
    recall,
    remember,
    remembered,
    write_memory,
)
from rearch.oci.read_layer import layer_entries, open_layer
from rearch.oci.types import Descriptor

# To be raised when the values of audit_seen, or what is looked for, change.
SCANNER = 2

# Accounts, and what the two loaders of Linux are configured by.
_TEXT = re.compile(r"etc/(?:passwd|group|ld\.so\.conf|ld\.so\.conf\.d/[^/]+\.conf|ld-musl-[^/]+\.path)")
_TEXT_LIMIT = 1 << 20
# BINPRM_BUF_SIZE of the kernel: it reads no more of a script's first line.
_SCRIPT_LINE = 256


class Scanned(Struct, frozen=True, kw_only=True):
    """What a layer holds, and its entries in their order (whiteouts as they are, no contents)."""

    seen: LayerSeen
    entries: tuple[LayerEntry, ...]


class Scanner:
    """Scans the layers of one layout during one audit; every blob is read from its beginning to its end once.

    `cache` is a folder shared by all runs, None for none. What is remembered there counts once the blob was hashed.
    """

    def __init__(self, layout: Path, cache: Path | None) -> None:
        self._layout = layout
        self._cache = cache
        self._checked: set[tuple[str, int, str]] = set()

    def scan(self, layer: Descriptor) -> Scanned:
        """Errors: those of open_layer and layer_entries (damaged, cut off, hostile), whatever is remembered."""
        key = (layer.digest, layer.size, layer.media_type)
        found = self._known(layer)
        if found is None:
            found = self._read(layer)
        elif key not in self._checked:
            check_layer_blob(self._layout, layer)
        self._checked.add(key)
        return found

    def _known(self, layer: Descriptor) -> Scanned | None:
        seen = remembered(self._place(layer), _seen)
        entries = recall(self._cache, layer) if seen is not None else None
        return Scanned(seen=seen, entries=entries) if seen is not None and entries is not None else None

    def _read(self, layer: Descriptor) -> Scanned:
        found = _scan(self._layout, layer)
        place = self._place(layer)
        if place is not None:
            write_memory(place, to_builtins(found.seen))
            remember(self._cache, layer, found.entries)
        return found

    def _place(self, layer: Descriptor) -> Path | None:
        return memory_place(self._cache, "scan", layer, SCANNER)


def _seen(value: object) -> LayerSeen:
    """The remembered form, checked. Errors: ValueError."""
    try:
        return typed(value, LayerSeen)
    except Undecodable as error:
        raise ValueError(str(error)) from None


def _scan(layout: Path, layer: Descriptor) -> Scanned:
    scan = _Scan()
    with open_layer(layout, layer) as stream:
        for entry, content in layer_entries(stream):
            scan.add(entry, content)
    return Scanned(seen=scan.result(), entries=tuple(scan.entries))


class _Scan(Struct):
    """What was seen so far."""

    entries: list[LayerEntry] = field(default_factory=list)
    elves: list[ElfSeen] = field(default_factory=list)
    others: list[OtherSeen] = field(default_factory=list)
    scripts: list[ScriptSeen] = field(default_factory=list)
    packages: list[PackageSeen] = field(default_factory=list)
    texts: list[TextSeen] = field(default_factory=list)

    def add(self, entry: LayerEntry, content: BinaryIO | None) -> None:
        number = len(self.entries)
        self.entries.append(entry)
        if entry.kind is EntryKind.FILE and entry.size and content is not None:
            start = Started(b"", content).read(HEAD)
            if holds_nothing(start):
                self._text(number, entry, Started(start, content))
            else:
                self._look(number, entry, start, content)

    def _text(self, number: int, entry: LayerEntry, content: Readable) -> None:
        path = known_name(entry.path)
        if _TEXT.fullmatch(path):
            text = content.read(_TEXT_LIMIT).decode("utf-8", "replace")
            self.texts.append(TextSeen(number=number, path=path, text=text))
        elif is_record(path):
            self.packages += read_record(path, content)
        else:
            start = content.read(HEAD)
            self.scripts += _script(number, path, entry.mode, start)
            self._look(number, entry, start, content)

    def _look(self, number: int, entry: LayerEntry, start: bytes, content: Readable) -> None:
        for seen in look_at(start, content, number, entry):
            if isinstance(seen, ElfSeen):
                self.elves.append(seen)
            else:
                self.others.append(seen)

    def result(self) -> LayerSeen:
        return LayerSeen(
            files=sum(entry.kind is EntryKind.FILE for entry in self.entries),
            elves=tuple(self.elves),
            others=tuple(self.others),
            scripts=tuple(self.scripts),
            packages=tuple(self.packages),
            texts=tuple(self.texts),
        )


def _script(number: int, path: str, mode: int, start: bytes) -> tuple[ScriptSeen, ...]:
    """The first line of what the kernel would start as a script (fs/binfmt_script.c)."""
    if not start.startswith(b"#!") or not mode & 0o111:
        return ()
    line = start[2:_SCRIPT_LINE].partition(b"\n")[0].strip(b" \t").decode("utf-8", "backslashreplace")
    interpreter, _, argument = line.replace("\t", " ").partition(" ")
    if not interpreter:
        return ()
    return (ScriptSeen(number=number, path=path, interpreter=interpreter, argument=argument.strip()),)
