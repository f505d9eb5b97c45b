"""Entries of a layer -> headers of a tar: POSIX ustar, with a pax header before it where ustar has no room.

Format: POSIX.1-2017, `pax`, "ustar Interchange Format" and "pax Header Block"; extended attributes as
`SCHILY.xattr.<name>`, which the image specification ("Image Layer Filesystem Changeset", File Attributes) and its
readers understand. User and group names are left empty: they mean something else on every machine.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rearch.oci.entry import EntryKind, LayerEntry
from rearch.oci.layer_errors import BadLayerEntry

RECORD = 512
END = bytes(2 * RECORD)

_FLAGS = {
    EntryKind.FILE: b"0",
    EntryKind.HARDLINK: b"1",
    EntryKind.SYMLINK: b"2",
    EntryKind.CHARACTER: b"3",
    EntryKind.BLOCK: b"4",
    EntryKind.DIRECTORY: b"5",
    EntryKind.FIFO: b"6",
}
_NAME, _PREFIX = 100, 155
_LINKS = (EntryKind.SYMLINK, EntryKind.HARDLINK)
_DEVICES = (EntryKind.CHARACTER, EntryKind.BLOCK)


def check_entries(entries: Sequence[LayerEntry]) -> None:
    """Whether every program unpacks these entries to the same tree. Errors: BadLayerEntry for the first that is bad."""
    kinds: dict[str, EntryKind] = {}
    for entry in entries:
        _check_path(entry.path, entry.path)
        if entry.path in kinds:
            raise BadLayerEntry(entry.path, "it is there twice")
        kinds[entry.path] = entry.kind
        _check_fields(entry)
    for path in kinds:
        parent = path.rpartition("/")[0]
        if kinds.get(parent, EntryKind.DIRECTORY) is not EntryKind.DIRECTORY:
            raise BadLayerEntry(path, f"{parent} is a {kinds[parent].value} in the same layer")


def _check_path(path: str, named: str) -> None:
    if not path or path.startswith("/") or "\0" in path or any(part in ("", ".", "..") for part in path.split("/")):
        raise BadLayerEntry(named, "a relative path without empty parts, '.' and '..' is wanted")


def _check_fields(entry: LayerEntry) -> None:
    if entry.kind is EntryKind.HARDLINK:
        _check_path(entry.target, entry.path)
    if entry.kind in _LINKS and (not entry.target or "\0" in entry.target):
        raise BadLayerEntry(entry.path, "it is a link without a target")
    if entry.size and (entry.kind is not EntryKind.FILE or entry.content is None):
        raise BadLayerEntry(entry.path, f"a {entry.kind.value} of {entry.size} bytes without content")
    numbers = (entry.uid, entry.gid, entry.size, *entry.device)
    if min(numbers) < 0 or max(entry.device) >= 8**7 or not 0 <= entry.mode <= 0o7777:
        raise BadLayerEntry(entry.path, "a mode, an owner, a size or a device number that tar cannot hold")
    if bad := [name for name in entry.xattrs if not name or "=" in name or "\0" in name]:
        raise BadLayerEntry(entry.path, f"an extended attribute called {bad[0]!r}")


def header(entry: LayerEntry) -> bytes:
    """The records that stand before the entry's content."""
    directory = entry.kind is EntryKind.DIRECTORY
    name = _encoded(entry.path) + (b"/" if directory else b"")
    target = _encoded(entry.target) if entry.kind in _LINKS else b""
    place = _split(name)
    records = dict(_records(entry, name, target, fits=place is not None))
    prefix, short = place or (b"", _ascii(name)[:_NAME])
    ustar = _ustar(entry, prefix, short, _ascii(target)[:_NAME])
    return _pax(records) + ustar if records else ustar


def _records(entry: LayerEntry, name: bytes, target: bytes, *, fits: bool) -> Iterator[tuple[bytes, bytes]]:
    """What ustar has no room for, in the order of its keys."""
    if not (_is_utf8(entry.path) and _is_utf8(entry.target)):
        yield b"hdrcharset", b"BINARY"
    if entry.gid >= 8**7:
        yield b"gid", b"%d" % entry.gid
    if len(target) > _NAME or not target.isascii():
        yield b"linkpath", target
    if not 0 <= entry.mtime < 8**11:
        yield b"mtime", b"%d" % entry.mtime
    if not fits:
        yield b"path", name
    if entry.size >= 8**11:
        yield b"size", b"%d" % entry.size
    if entry.uid >= 8**7:
        yield b"uid", b"%d" % entry.uid
    for key in sorted(entry.xattrs):
        yield b"SCHILY.xattr." + _encoded(key), entry.xattrs[key]


def _pax(records: Mapping[bytes, bytes]) -> bytes:
    """A pax header: a file of its own, whose name and times mean nothing."""
    data = b"".join(_record(key, value) for key, value in records.items())
    return _fields(b"PaxHeaders.0/entry", b"", b"x", size=len(data), mode=0o644) + data + padding(len(data))


def _record(key: bytes, value: bytes) -> bytes:
    """`<length of all this> <key>=<value>\\n`; the length counts its own digits."""
    rest = b" " + key + b"=" + value + b"\n"
    length = len(rest)
    while length != len(b"%d" % length) + len(rest):
        length = len(b"%d" % length) + len(rest)
    return b"%d" % length + rest


def _ustar(entry: LayerEntry, prefix: bytes, name: bytes, target: bytes) -> bytes:
    """The entry's own header; numbers that do not fit stand in the pax header before it."""
    return _fields(
        name,
        prefix,
        _FLAGS[entry.kind],
        size=entry.size if entry.size < 8**11 else 0,
        mode=entry.mode,
        uid=entry.uid if entry.uid < 8**7 else 0,
        gid=entry.gid if entry.gid < 8**7 else 0,
        mtime=entry.mtime if 0 <= entry.mtime < 8**11 else 0,
        target=target,
        device=entry.device if entry.kind in _DEVICES else (0, 0),
    )


def _fields(
    name: bytes,
    prefix: bytes,
    flag: bytes,
    *,
    size: int,
    mode: int,
    uid: int = 0,
    gid: int = 0,
    mtime: int = 0,
    target: bytes = b"",
    device: tuple[int, int] = (0, 0),
) -> bytes:
    numbers = b"%07o\0%07o\0%07o\0%011o\0%011o\0" % (mode, uid, gid, size, mtime)
    start = name.ljust(_NAME, b"\0") + numbers
    owners = bytes(64)
    end = flag + target.ljust(_NAME, b"\0") + b"ustar\x0000" + owners + b"%07o\0%07o\0" % device
    end += prefix.ljust(_PREFIX, b"\0") + bytes(12)
    checksum = sum(start) + sum(end) + 8 * ord(" ")
    return start + b"%06o\0 " % checksum + end


def padding(size: int) -> bytes:
    """The zeros behind a content of `size` bytes."""
    return bytes(-size % RECORD)


def _split(name: bytes) -> tuple[bytes, bytes] | None:
    """A name as ustar's (prefix, name), the prefix as short as it can be; None where it has no room."""
    if not name.isascii():
        return None
    if len(name) <= _NAME:
        return b"", name
    cut = name.find(b"/", len(name) - _NAME - 1, -1)
    return None if cut <= 0 or cut > _PREFIX else (name[:cut], name[cut + 1 :])


def _ascii(name: bytes) -> bytes:
    """What programs that cannot read pax headers show."""
    return bytes(byte if byte < 128 else ord("_") for byte in name)


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _is_utf8(text: str) -> bool:
    """Whether no surrogates stand in it for other bytes."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
