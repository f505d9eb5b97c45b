"""A packed file with places that are filled at the end, when all behind them is written.

Where the kind of compression can make a part of a chosen length (gzip can, see compression.py), a place is room in the
file itself: what stands behind it is where it will stay, and is on its way to the disk while the rest is made. Else, or
where more comes than there is room for, the parts behind the first place wait in a temporary file beside the result.
"""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO, BinaryIO

from rearch.bundle.compression import Packing, Part, Sized
from rearch.formats.hashing import BLOCK

# So many new bytes, and the kernel is told to begin with them: an fsync at the end waits for little then.
_ENOUGH = 8 << 20
_NO_SENDFILE = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)


class _Piece:
    """A part that was written: what it was packed with, where it begins, and how long it is."""

    def __init__(self, at: int) -> None:
        self.part: Part | None = None
        self.at = at
        self.size = 0


class _Gap:
    """Room that was left in the file."""

    def __init__(self, at: int, room: int) -> None:
        self.at = at
        self.room = room


class Sheet:
    """`file` can be read, too; `folder` is where a temporary file goes, `name` what an error calls the result."""

    def __init__(self, packing: Packing, file: BinaryIO, folder: Path, name: str) -> None:
        self._packing = packing
        self._file = file
        self._folder = folder
        self._name = name
        self._spool: IO[bytes] | None = None
        self._gaps: list[_Gap] = []
        self._pieces: list[_Piece] = []
        self._fresh = 0

    def begin(self) -> None:
        """What stands before everything."""
        head = self._packing.head()
        self._file.write(head)
        self._pieces.append(_Piece(len(head)))

    def pack(self, data: bytes) -> None:
        """The next bytes."""
        current = self._pieces[-1]
        if current.part is None:
            current.part = self._packing.part()
        self._put(current, current.part.compress(data))

    def cut(self, size: int) -> None:
        """Here is a place; `size` bytes or fewer are likely to come."""
        self.end_part()
        before = self._pieces[-1]
        at = before.at + before.size
        room = self._packing.room(size)
        if room is not None:
            self._gaps.append(_Gap(at, room))
            at += room
            self._file.seek(at)
        elif self._spool is None:
            self._spool = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115
            at = 0
        self._pieces.append(_Piece(at))

    def end_part(self) -> None:
        """Nothing more comes before the next place."""
        current = self._pieces[-1]
        if current.part is not None:
            self._put(current, current.part.flush())

    def join(self, fillings: Sequence[bytes]) -> None:
        """Put the whole together. `fillings` for all places, in their order."""
        exact = [self._packing.exactly(data, gap.room) for data, gap in zip(fillings, self._gaps, strict=False)]
        fitting = [one for one in exact if one is not None]
        if self._gaps and len(fitting) == len(self._gaps):
            self._fill(fitting)
            order = _between([piece.part for piece in self._pieces], fitting)
        else:
            self._move_out()
            order = self._behind(fillings)
        self._file.write(self._packing.tail([part for part in order if part is not None]))

    def close(self) -> None:
        if self._spool is not None:
            self._spool.close()

    def _put(self, current: _Piece, data: bytes) -> None:
        current.size += len(data)
        if self._spool is not None:
            self._spool.write(data)
            return
        self._file.write(data)
        self._fresh += len(data)
        if self._fresh >= _ENOUGH:
            self._file.flush()
            # Pages that are not on the disk yet are not dropped: the kernel begins to write them, and returns.
            os.posix_fadvise(
                self._file.fileno(), current.at + current.size - self._fresh, self._fresh, os.POSIX_FADV_DONTNEED
            )
            self._fresh = 0

    # --- at the end

    def _fill(self, exact: Iterable[Sized]) -> None:
        for gap, one in zip(self._gaps, exact, strict=True):
            self._file.seek(gap.at)
            self._file.write(one.data)
        last = self._pieces[-1]
        self._file.seek(last.at + last.size)

    def _move_out(self) -> None:
        """More came than there was room for: as if there had been none."""
        if not self._gaps:
            return
        self._file.flush()
        self._spool = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115
        at = 0
        for piece in self._pieces[1:]:
            _copy(self._file, piece.at, piece.size, self._spool, self._name)
            piece.at, at = at, at + piece.size
        self._file.seek(self._gaps[0].at)
        self._file.truncate()

    def _behind(self, fillings: Sequence[bytes]) -> Sequence[Part | Sized | None]:
        """What lies in the temporary file, each place's content before the part behind it."""
        order: list[Part | Sized | None] = [self._pieces[0].part]
        if self._spool is None:
            return order
        self._spool.flush()
        for data, piece in zip(fillings, self._pieces[1:], strict=True):
            filling = self._packing.part()
            self._file.write(filling.compress(data) + filling.flush())
            _copy(self._spool, piece.at, piece.size, self._file, self._name)
            order += [filling, piece.part]
        return order


def _between(parts: Sequence[Part | None], fillings: Sequence[Sized]) -> Sequence[Part | Sized | None]:
    order: list[Part | Sized | None] = [parts[0]]
    for filling, part in zip(fillings, parts[1:], strict=True):
        order += [filling, part]
    return order


def _copy(source: IO[bytes], at: int, size: int, target: IO[bytes], name: str) -> None:
    """To the end of what was written. Errors: OSError."""
    target.flush()
    end = at + size
    while at < end:
        sent = _send(source, at, end - at, target)
        if not sent:
            raise OSError(errno.EIO, "a temporary file is shorter than what was written to it", name)
        at += sent


def _send(source: IO[bytes], at: int, size: int, target: IO[bytes]) -> int:
    """In the kernel, a third of the work of reading and writing; where the file system cannot, so."""
    try:
        return os.sendfile(target.fileno(), source.fileno(), at, size)
    except OSError as error:
        if error.errno not in _NO_SENDFILE:
            raise
    data = os.pread(source.fileno(), min(size, BLOCK), at)
    target.write(data)
    target.flush()
    return len(data)
