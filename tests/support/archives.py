"""Tar and zip archives made by code, byte by byte: also those that no honest program would write."""

from __future__ import annotations

import bz2
import gzip
import lzma
import struct
import zlib
from dataclasses import dataclass

END = bytes(1024)


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """An entry of a tar. `kind` is the type flag; `size` what the header says (None: the content's size)."""

    name: str | bytes
    content: bytes = b""
    kind: bytes = b"0"
    target: str | bytes = b""
    mode: int = 0o644
    mtime: int = 1_500_000_000
    size: int | None = None
    magic: bytes = b"ustar\x0000"
    prefix: bytes = b""


def folder(name: str, **more: int) -> Member:
    return Member(name=name, kind=b"5", mode=more.get("mode", 0o755))


def link(name: str, target: str) -> Member:
    return Member(name=name, kind=b"2", target=target, mode=0o777)


def hard_link(name: str, target: str) -> Member:
    return Member(name=name, kind=b"1", target=target)


def tar(*members: Member, end: bytes = END) -> bytes:
    """A plain tar of these entries, in this order."""
    return b"".join(tar_member(member) for member in members) + end


def tar_member(member: Member) -> bytes:
    """One header (names are cut at 100 bytes: use `pax` for longer ones), the content and its padding."""
    size = len(member.content) if member.size is None else member.size
    header = bytearray(512)
    _put(header, 0, _bytes(member.name)[:100])
    _put(header, 100, b"%07o\0" % member.mode)
    _put(header, 108, b"%07o\0" % 1000)
    _put(header, 116, b"%07o\0" % 1000)
    _put(header, 124, b"%011o\0" % size if size < 8**11 else b"\x80" + size.to_bytes(11, "big"))
    _put(
        header,
        136,
        b"%011o\0" % member.mtime if member.mtime >= 0 else (member.mtime & (1 << 96) - 1).to_bytes(12, "big"),
    )
    _put(header, 156, member.kind)
    _put(header, 157, _bytes(member.target)[:100])
    _put(header, 257, member.magic)
    _put(header, 345, member.prefix)
    return sealed(bytes(header)) + member.content + bytes(-len(member.content) % 512)


def sealed(header: bytes) -> bytes:
    """The header with its right checksum."""
    total = sum(header[:148]) + 8 * 0x20 + sum(header[156:])
    return header[:148] + b"%06o\0 " % total + header[156:]


def pax(kind: bytes = b"x", **records: str | bytes) -> Member:
    """A pax header for the entry that comes next (`g`: for all). `__` in a key stands for a dot."""
    content = b""
    for key, value in records.items():
        content += pax_record(key.replace("__", ".").encode(), _bytes(value))
    return Member(name="pax", kind=kind, content=content)


def pax_record(key: bytes, value: bytes) -> bytes:
    rest = b" " + key + b"=" + value + b"\n"
    length = len(rest)
    while len(str(length)) + len(rest) != length:
        length = len(str(length)) + len(rest)
    return str(length).encode() + rest


def zstd(data: bytes) -> bytes:
    import zstandard

    return zstandard.ZstdCompressor(write_checksum=True).compress(data)


COMPRESSORS = {
    "plain": lambda data: data,
    "gz": lambda data: gzip.compress(data, mtime=0),
    "xz": lzma.compress,
    "bz2": bz2.compress,
    "zst": zstd,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Zipped:
    """An entry of a zip. What is None is right; anything else is written as it stands."""

    name: bytes
    content: bytes = b""
    method: int = 8
    mode: int = 0o100644
    flags: int = 0
    local_name: bytes | None = None
    size: int | None = None
    packed_size: int | None = None
    crc: int | None = None
    offset: int | None = None
    extra: bytes = b""
    date: int = (2017 - 1980) << 9 | 7 << 5 | 14


def zip_file(*entries: Zipped, comment: bytes = b"", count: int | None = None, before: bytes = b"") -> bytes:
    """A zip of these entries, in this order."""
    body, table = before, b""
    for entry in entries:
        offset = len(body) if entry.offset is None else entry.offset
        packed = _deflated(entry.content) if entry.method == 8 else entry.content
        sizes = (
            zlib.crc32(entry.content) if entry.crc is None else entry.crc,
            len(packed) if entry.packed_size is None else entry.packed_size,
            len(entry.content) if entry.size is None else entry.size,
        )
        name = entry.name if entry.local_name is None else entry.local_name
        common = (20, entry.flags, entry.method, 0, entry.date, *sizes)
        body += struct.pack("<4s5H3L2H", b"PK\x03\x04", *common, len(name), 0) + name + packed
        table += struct.pack(
            "<4s6H3L5H2L",
            b"PK\x01\x02",
            0x031E,
            *common,
            len(entry.name),
            len(entry.extra),
            0,
            0,
            0,
            entry.mode << 16,
            offset,
        )
        table += entry.name + entry.extra
    number = len(entries) if count is None else count
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, number, number, len(table), len(body), len(comment))
    return body + table + end + comment


def _deflated(data: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def _put(header: bytearray, at: int, data: bytes) -> None:
    header[at : at + len(data)] = data


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")
