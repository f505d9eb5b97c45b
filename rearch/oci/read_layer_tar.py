"""The entries of a layer's tar, one after the other, with owners, devices and extended attributes.

As strict as formats/archive_tar.py, whose parts it uses, with what layers have beside sources: image specification 1.1,
"Image Layer Filesystem Changeset". Whiteouts are left as they are. What programs are known to read in different ways is
refused, for what is checked here is unpacked by others.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, BinaryIO, cast

from msgspec import Struct, field

from rearch.formats.archive_entry import check_target, parts_of
from rearch.formats.archive_errors import BadName, CorruptArchive, TruncatedArchive, Unsupported
from rearch.formats.archive_stream import Meter
from rearch.formats.archive_tar import (
    RECORD,
    TarContent,
    checked_header,
    decimal,
    number,
    pax_records,
    read_extension,
    skip_padding,
    ustar_name,
)
from rearch.formats.hashing import BLOCK
from rearch.model.frozen import NOTHING, FrozenDict
from rearch.model.limits import Limits
from rearch.oci.entry import EntryKind, LayerEntry

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

# A layer may hold a file of zeros: gzip packs 1032 bytes of them into one, zstd more.
LAYER_LIMITS = Limits(archive_ratio=100_000)
WHITEOUT = ".wh."

_KINDS = {
    b"0": EntryKind.FILE,
    b"\0": EntryKind.FILE,
    b"7": EntryKind.FILE,
    b"1": EntryKind.HARDLINK,
    b"2": EntryKind.SYMLINK,
    b"3": EntryKind.CHARACTER,
    b"4": EntryKind.BLOCK,
    b"5": EntryKind.DIRECTORY,
    b"6": EntryKind.FIFO,
}
_UNSUPPORTED = {b"S": "a sparse file", b"M": "a continuation from another volume", b"D": "an incremental dump"}
_DEVICES = (EntryKind.CHARACTER, EntryKind.BLOCK)
_XATTR = b"SCHILY.xattr."
_KEYS = frozenset((b"path", b"linkpath", b"size", b"mtime", b"uid", b"gid"))


class _Pending(Struct):
    """What extension headers said of the entry that comes next; `everywhere`, of all that come: a time alone."""

    archive: str
    local: dict[bytes, bytes] = field(default_factory=dict)
    everywhere: dict[bytes, bytes] = field(default_factory=dict)


class _Watch(Struct, frozen=True):
    """Who counts, and who is told of bad names."""

    meter: Meter
    bad: Callable[[BadName], None] | None

    def named(self, value: Callable[[], LayerEntry]) -> LayerEntry | None:
        """The entry; None for one with a bad name, where somebody is told."""
        try:
            return value()
        except BadName as error:
            if self.bad is None:
                raise
            self.bad(error)
            return None


def layer_entries(
    stream: BinaryIO,
    *,
    name: str = "layer",
    limits: Limits = LAYER_LIMITS,
    bad: Callable[[BadName], None] | None = None,
) -> Iterator[tuple[LayerEntry, BinaryIO | None]]:
    """The entries of a plain tar (a buffered stream), with the content of each file, which is read before the next.

    Paths have no leading `./` and no final slash; the top folder itself is left out. Hard links have their
    target's path in `target`. The stream is read to its very end. `name` is what messages call the layer; of `limits`
    count the number of entries and the size of each. `bad`, where it is given, is told of bad names, which are then
    left out, so that one reading finds all of them.

    Errors: BadName (absolute, `..`, control characters, too long; a hard link or whiteout that leaves the tree),
    CorruptArchive, TruncatedArchive, Unsupported (sparse files, ...), LimitExceeded.
    """
    buffered = stream if isinstance(stream, io.BufferedIOBase) else io.BufferedReader(cast(io.RawIOBase, stream))
    meter, pending = Meter(name, limits), _Pending(name)
    while (header := _next_header(buffered, meter.archive)) is not None:
        kind, size = header[156:157], number(header[124:136], meter.archive, "size")
        if kind in (b"x", b"X", b"g", b"L", b"K"):
            meter.entry(None)
            _extend(pending, kind, read_extension(buffered, size, meter.archive), buffered)
        elif kind == b"V":
            meter.entry(None)
        else:
            yield from _entry(buffered, header, size, pending, _Watch(meter, bad))
            pending.local = {}
    if pending.local:
        raise TruncatedArchive(meter.archive, None, "an entry")
    _only_zeros(buffered, meter.archive)


def _next_header(stream: io.BufferedIOBase, archive: str) -> bytes | None:
    """The next header; None at the end. Some programs leave out the end mark, so the stream may just end here."""
    header = stream.read(RECORD)
    if not header:
        return None
    if len(header) < RECORD:
        raise TruncatedArchive(archive, None, "a header")
    return checked_header(header, archive)


def _only_zeros(stream: io.BufferedIOBase, archive: str) -> None:
    """Behind the end mark: some programs would read on there, and find what was never looked at."""
    while data := stream.read(BLOCK):
        if data.count(0) != len(data):
            raise CorruptArchive(archive, None, "something stands behind the end of the tar")


def _entry(
    stream: io.BufferedIOBase, header: bytes, size: int, pending: _Pending, watch: _Watch
) -> Iterator[tuple[LayerEntry, BinaryIO | None]]:
    archive, local = pending.archive, pending.local
    raw = local.get(b"path", ustar_name(header))
    name = os.fsdecode(raw)
    kind = _kind(header[156:157], raw, archive, name)
    size = decimal(local[b"size"], archive, "size") if b"size" in local else size
    # GNU tar notes the size of the file that a hard link names, and writes no content.
    size = 0 if kind is EntryKind.HARDLINK else size
    if size and kind is not EntryKind.FILE:
        raise CorruptArchive(archive, name, f"is a {kind.value} with {size} bytes of content")
    watch.meter.entry(name, size)
    content = _Content(TarContent(stream, archive, name, size)) if kind is EntryKind.FILE else None
    if (
        entry := watch.named(lambda: _value(header, _path(archive, name), kind, size, pending))
    ) is not None and entry.path:
        yield entry, cast(BinaryIO, io.BufferedReader(content, 1 << 16)) if content is not None else None
    if content is not None:
        content.skip()
        skip_padding(stream, size, archive, name)


def _value(header: bytes, path: str, kind: EntryKind, size: int, pending: _Pending) -> LayerEntry:
    local, archive = pending.local, pending.archive
    return LayerEntry(
        path=path,
        kind=kind,
        mode=number(header[100:108], archive, "mode") & 0o7777,
        uid=_owner(header[108:116], local.get(b"uid"), archive),
        gid=_owner(header[116:124], local.get(b"gid"), archive),
        mtime=_mtime(header, pending),
        size=size,
        target=_target(header, path, kind, local, archive),
        xattrs=_xattrs(local),
        device=_device(header, archive) if kind in _DEVICES else (0, 0),
    )


def _kind(letter: bytes, raw: bytes, archive: str, name: str) -> EntryKind:
    if letter in _UNSUPPORTED:
        raise Unsupported(archive, name, _UNSUPPORTED[letter])
    kind = _KINDS.get(letter)
    if kind is None:
        raise Unsupported(archive, name, f"an entry of the unknown type {letter!r}")
    # Before POSIX a folder was a file with a slash behind its name.
    return EntryKind.DIRECTORY if kind is EntryKind.FILE and raw.endswith(b"/") else kind


def _path(archive: str, name: str) -> str:
    parts = parts_of(archive, name)
    # `.wh...` would remove the folder above, `.wh.` and `.wh..` the folder itself.
    if parts and parts[-1] in (WHITEOUT, f"{WHITEOUT}.", f"{WHITEOUT}.."):
        raise BadName(archive, name, "is a whiteout that leaves its folder")
    return "/".join(parts)


def _target(header: bytes, path: str, kind: EntryKind, local: Mapping[bytes, bytes], archive: str) -> str:
    if kind not in (EntryKind.SYMLINK, EntryKind.HARDLINK):
        return ""
    target = os.fsdecode(local.get(b"linkpath", header[157:257].partition(b"\0")[0]))
    check_target(archive, path, target)
    if kind is EntryKind.SYMLINK:
        return target
    # Relative to the top of the tree, also where a program (kaniko) writes it with a slash before it.
    parts = target.lstrip("/").split("/")
    if ".." in parts:
        raise BadName(archive, path, f"is a hard link to {target!r}, which leaves the tree")
    if not (inside := "/".join(part for part in parts if part not in ("", "."))):
        raise BadName(archive, path, "is a hard link to the top of the tree")
    return inside


def _mtime(header: bytes, pending: _Pending) -> int:
    stated = pending.local.get(b"mtime", pending.everywhere.get(b"mtime"))
    if stated is None:
        return number(header[136:148], pending.archive, "time", signed=True)
    whole = stated.partition(b".")[0]
    if not whole.removeprefix(b"-").isdigit() or len(whole) > 20:
        raise CorruptArchive(pending.archive, None, f"no time: {stated[:40]!r}")
    return int(whole)


def _owner(header: bytes, stated: bytes | None, archive: str) -> int:
    owner = number(header, archive, "owner") if stated is None else decimal(stated, archive, "owner")
    if owner >= 1 << 32:
        raise CorruptArchive(archive, None, f"an owner with the number {owner}")
    return owner


def _device(header: bytes, archive: str) -> tuple[int, int]:
    return number(header[329:337], archive, "device"), number(header[337:345], archive, "device")


def _xattrs(local: Mapping[bytes, bytes]) -> Mapping[str, bytes]:
    found = {os.fsdecode(key.removeprefix(_XATTR)): local[key] for key in sorted(local) if key.startswith(_XATTR)}
    return FrozenDict(found) if found else NOTHING


def _wanted(key: bytes) -> bool:
    return key in _KEYS or key.startswith(_XATTR)


def _extend(pending: _Pending, kind: bytes, data: bytes, stream: io.BufferedIOBase) -> None:
    match kind:
        case b"L":
            pending.local[b"path"] = data.partition(b"\0")[0]
        case b"K":
            pending.local[b"linkpath"] = data.partition(b"\0")[0]
        case b"g":
            found = pax_records(data, pending.archive, _wanted)
            if names := sorted(found.keys() - {b"mtime"}):
                raise Unsupported(pending.archive, None, f"a global header for {names[0].decode(errors='replace')}")
            pending.everywhere |= found
        case _:
            try:
                pending.local |= pax_records(data, pending.archive, _wanted)
            except Unsupported as error:
                name = os.fsdecode(_sparse_name(data, pending.archive) or ustar_name(stream.read(RECORD)))
                raise Unsupported(pending.archive, name, error.feature) from None


def _sparse_name(data: bytes, archive: str) -> bytes | None:
    """What the header of a sparse file calls it, None where the next header does (GNU tar's manual, "Sparse Formats").

    Read with the keys of sparse files made harmless, in place, since every record has its length before it.
    """
    harmless = data.replace(b" GNU.sparse.", b" GNU-sparse.")
    names = (b"GNU-sparse.name", b"path")
    found = pax_records(harmless, archive, names.__contains__)
    return next((found[key] for key in names if key in found), None)


class _Content(io.RawIOBase):
    """The bytes of one file, as a stream."""

    def __init__(self, content: TarContent) -> None:
        super().__init__()
        self._content = content

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        view = memoryview(buffer).cast("B")
        data = self._content.read(len(view))
        view[: len(data)] = data
        return len(data)

    def skip(self) -> None:
        """Read over what nobody wanted."""
        self._content.skip()
