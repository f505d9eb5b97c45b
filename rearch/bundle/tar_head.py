"""The records before a tar entry's content: kept as they are, or with another name or size in them.

Format: POSIX.1-2017, `pax`, "ustar Interchange Format" and "pax Header Block"; GNU tar's manual, "Basic Tar Format".
What nobody asked to change (mode, owner and its name, times, extended attributes) stays byte for byte.
"""

from __future__ import annotations

from collections.abc import Iterator

from rearch.formats.archive_tar import RECORD, number, pax_records

_NAME = 100
_SIZE = slice(124, 136)
_OCTAL_LIMIT = 8**11


def changed(head: bytes, archive: str, *, size: int, name: bytes | None = None, mode: int | None = None) -> bytes:
    """The records with another size, and another name and mode if they are given.

    A name that is given makes a new entry of the old one's kind: global headers, which hold from where they stand on,
    are left out of it, as are labels of volumes.
    """
    out = []
    for kind, data, raw in _records(head, archive):
        if kind in (b"x", b"X"):
            out.append(_pax(raw[:RECORD], _all(data, archive), size, name))
        elif kind in (b"L", b"g", b"V") and name is not None:
            continue
        elif kind:
            out.append(raw)
        else:
            out.append(_long_name(raw, name) + _main(raw, size, name, mode))
    return b"".join(out)


def _records(head: bytes, archive: str) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Each extension: its flag, its content, all its bytes. Last the entry's own header, with an empty flag."""
    at = 0
    while at + RECORD < len(head):
        header = head[at : at + RECORD]
        size = number(header[_SIZE], archive, "size")
        end = at + RECORD + size + -size % RECORD
        yield header[156:157], head[at + RECORD : at + RECORD + size], head[at:end]
        at = end
    yield b"", b"", head[at:]


def _all(data: bytes, archive: str) -> dict[bytes, bytes]:
    return pax_records(data, archive, lambda _key: True)


def _pax(header: bytes, records: dict[bytes, bytes], size: int, name: bytes | None) -> bytes:
    """The same header with what it says of name and size made right; nothing where nothing is left to say."""
    if b"size" in records:
        records[b"size"] = b"%d" % size
    if name is not None:
        records.pop(b"path", None)
    content = b"".join(_pax_record(key, value) for key, value in records.items())
    if not content:
        return b""
    return _sealed(_sized(header, len(content))) + content + bytes(-len(content) % RECORD)


def _pax_record(key: bytes, value: bytes) -> bytes:
    rest = b" " + key + b"=" + value + b"\n"
    length = len(rest)
    while len(b"%d" % length) + len(rest) != length:
        length = len(b"%d" % length) + len(rest)
    return b"%d" % length + rest


def _long_name(header: bytes, name: bytes | None) -> bytes:
    """What has to stand before the header for a name that has no room in it: GNU's form, which every tar reads."""
    if name is None or len(name) <= _NAME:
        return b""
    content = name + b"\0"
    plain = bytearray(header)
    plain[:_NAME] = b"././@LongLink".ljust(_NAME, b"\0")
    plain[156:257] = b"L".ljust(101, b"\0")
    plain[345:RECORD] = bytes(RECORD - 345)
    return _sealed(_sized(bytes(plain), len(content))) + content + bytes(-len(content) % RECORD)


def _main(header: bytes, size: int, name: bytes | None, mode: int | None) -> bytes:
    if mode is not None:
        header = header[:100] + b"%07o\0" % mode + header[108:]
    if name is not None:
        header = name[:_NAME].ljust(_NAME, b"\0") + header[_NAME:]
        if header[257:263] == b"ustar\0":  # GNU's own format has times where POSIX has the prefix
            header = header[:345] + bytes(155) + header[500:]
    return _sealed(_sized(header, size))


def _sized(header: bytes, size: int) -> bytes:
    field = b"%011o\0" % size if size < _OCTAL_LIMIT else b"\x80" + size.to_bytes(11, "big")
    return header[:124] + field + header[136:]


def _sealed(header: bytes) -> bytes:
    total = sum(header[:148]) + 8 * 0x20 + sum(header[156:])
    return header[:148] + b"%06o\0 " % total + header[156:]
