"""Bundles that are a tar, compressed or not: read with their raw records, so that what stays, stays byte for byte."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from rearch.bundle import tar_head
from rearch.bundle.compression import Packing, packing_like
from rearch.bundle.entries import Item
from rearch.bundle.packing import Outline
from rearch.formats.archive import plain_tar
from rearch.formats.archive_errors import CannotWrite, Unsupported
from rearch.formats.archive_stream import Meter
from rearch.formats.archive_tar import RECORD, read_tar
from rearch.formats.hashing import BLOCK
from rearch.model.limits import Limits

# Extension headers before one entry, or what stands behind the last.
_MAX_BETWEEN = 4 << 20


class TarBundle:
    """A tar file, and what is needed to write one like it. To be used as a context; `items` can be asked for once."""

    is_folder = False
    rootless = False

    def __init__(self, path: Path, name: str, limits: Limits) -> None:
        self.name = name
        self._meter = Meter(name, limits)
        self._file = path.open("rb")
        self._start = self._file.read(16)
        self._file.seek(0)
        self.tail = b""

    def __enter__(self) -> TarBundle:
        return self

    def __exit__(self, *_error: object) -> None:
        self._file.close()

    def items(self) -> Iterator[Item]:
        """The entries, each with its raw records."""
        with plain_tar(self._file, self._meter) as stream:
            recorder = _Recorder(stream, self.name)
            padding = 0
            for entry in read_tar(recorder, self._meter):
                head = recorder.take()[padding:]
                recorder.on = False
                yield Item(entry=entry, head=head)
                while entry.content.read(BLOCK):
                    pass
                recorder.on = True
                padding = -entry.size % RECORD
            self.tail = recorder.take()[padding:]

    def writer(self, target: Path) -> TarWriter:
        """A writer with the same compression."""
        return TarWriter(self, target, packing_like(self._start))


class _Recorder(io.BufferedIOBase):
    """Hands on what it reads, and while it is `on` keeps it too."""

    def __init__(self, stream: io.BufferedIOBase, archive: str) -> None:
        super().__init__()
        self._stream = stream
        self._archive = archive
        self._kept: list[bytes] = []
        self._size = 0
        self.on = True

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        data = self._stream.read(size)
        if self.on:
            self._size += len(data)
            if self._size > _MAX_BETWEEN:
                raise Unsupported(self._archive, None, f"more than {_MAX_BETWEEN} bytes between two entries")
            self._kept.append(data)
        return data

    def take(self) -> bytes:
        """What was kept since the last time."""
        data = b"".join(self._kept)
        self._kept, self._size = [], 0
        return data


class TarWriter:
    """Writes a tar entry by entry."""

    def __init__(self, bundle: TarBundle, target: Path, packing: Packing) -> None:
        self._bundle = bundle
        self._file = target.open("w+b")
        self._out = Outline(packing, self._file, target.parent, str(target))
        self._reserved: dict[int, tuple[Item, str]] = {}

    def keep(self, item: Item, blocks: Iterable[bytes]) -> None:
        self._out.write(item.head)
        self._content(blocks, item.entry.size)

    def put(self, item: Item, name: str, size: int, blocks: Iterable[bytes], *, mode: int | None = None) -> None:
        self._out.write(self._head(item, name, size, mode))
        self._content(blocks, size)

    def reserve(self, item: Item, name: str) -> int:
        number = self._out.hole(len(item.head) + item.entry.size + RECORD)
        self._reserved[number] = (item, name)
        return number

    def fill(self, number: int, data: bytes) -> None:
        item, name = self._reserved[number]
        head = self._head(item, name, len(data), None)
        self._out.fill(number, head + data + bytes(-len(data) % RECORD))

    def finish(self) -> None:
        self._out.write(self._bundle.tail)
        self._out.finish()
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise CannotWrite(self._bundle.name, error) from error

    def close(self) -> None:
        self._out.close()
        self._file.close()

    def _head(self, item: Item, name: str, size: int, mode: int | None) -> bytes:
        same = name == item.entry.name
        raw = None if same else os.fsencode(name)
        return tar_head.changed(item.head, self._bundle.name, size=size, name=raw, mode=mode)

    def _content(self, blocks: Iterable[bytes], size: int) -> None:
        for data in blocks:
            self._out.write(data)
        self._out.write(bytes(-size % RECORD))
