"""Writes a stream in a thread of its own, packed, and keeps places for what is known only later.

Two threads, since compressors and decompressors release the interpreter's lock: while one block is packed the next is
unpacked and hashed. A bundle's sums are known when all files have passed, but often stand before them; from the first
such place on the packed bytes wait in a temporary file beside the result, in parts that are put together at the end.
"""

from __future__ import annotations

import errno
import os
import queue
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO, BinaryIO

from rearch.bundle.compression import Packing, Part
from rearch.formats.archive_errors import CannotWrite
from rearch.formats.hashing import BLOCK

# Blocks between the threads.
_WAITING = 8
_NO_SENDFILE = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)


class _Cut:
    """Behind it another part begins."""


class _Written:
    """A part that the thread has written: what it was packed with, and how long it is."""

    def __init__(self) -> None:
        self.part: Part | None = None
        self.size = 0


class Outline:
    """A stream with holes, which are filled before it ends. `close` has to be called, whatever happens.

    `folder` is where its temporary file goes, `name` what messages call the result.
    """

    def __init__(self, packing: Packing, file: BinaryIO, folder: Path, name: str) -> None:
        self._packing = packing
        self._file = file
        self._folder = folder
        self._name = name
        self._kept: list[memoryview] = []
        self._size = 0
        self._fillings: list[bytes | None] = []
        self._parts = [_Written()]
        self._spool: IO[bytes] | None = None
        self._queue: queue.Queue[bytes | _Cut | None] = queue.Queue(_WAITING)
        self._error: BaseException | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="bundle-packer", daemon=True)
        self._thread.start()

    def write(self, data: bytes) -> None:
        """The next bytes. Errors: CannotWrite, also for what was written before."""
        left = memoryview(data)
        while self._size + len(left) >= BLOCK:
            room = BLOCK - self._size
            self._keep(left[:room])
            self._send()
            left = left[room:]
        self._keep(left)

    def hole(self) -> int:
        """Leave a place for bytes that come later; its number for `fill`."""
        self._send()
        self._queue.put(_Cut())
        self._fillings.append(None)
        return len(self._fillings) - 1

    def fill(self, hole: int, data: bytes) -> None:
        """What belongs there."""
        self._fillings[hole] = data

    def finish(self) -> None:
        """Write all that has waited. Every hole has to be filled. Errors: CannotWrite."""
        self._send()
        self._end()
        self._check()
        try:
            self._join()
        except OSError as error:
            raise CannotWrite(self._name, error) from error

    def close(self) -> None:
        """Let go of what is held, whether it was finished or not."""
        self._end()
        if self._spool is not None:
            self._spool.close()

    def _keep(self, data: memoryview) -> None:
        self._kept.append(data)
        self._size += len(data)

    def _send(self) -> None:
        """Blocks are cut in one way whatever the pieces were: some compressors' bytes depend on it."""
        self._check()
        if self._size:
            self._queue.put(b"".join(self._kept))
        self._kept, self._size = [], 0

    def _check(self) -> None:
        if isinstance(self._error, OSError):
            raise CannotWrite(self._name, self._error) from self._error
        if self._error is not None:
            raise self._error

    def _end(self) -> None:
        if not self._closed:
            self._closed = True
            self._queue.put(None)
            self._thread.join()

    # --- in the thread

    def _work(self) -> None:
        """After an error the queue is emptied all the same, so that nobody waits for room in it."""
        self._attempt(lambda: self._file.write(self._packing.head()))
        while (item := self._queue.get()) is not None:
            self._attempt(self._cut if isinstance(item, _Cut) else lambda data=item: self._pack(data))  # type: ignore[misc]
        self._attempt(self._end_part)

    def _attempt(self, action: Callable[[], object]) -> None:
        if self._error is None:
            try:
                action()
            except BaseException as error:  # noqa: BLE001 - it is raised in the thread that waits for the result
                self._error = error

    def _pack(self, data: bytes) -> None:
        current = self._parts[-1]
        if current.part is None:
            current.part = self._packing.part()
        self._put(current, current.part.compress(data))

    def _end_part(self) -> None:
        current = self._parts[-1]
        if current.part is not None:
            self._put(current, current.part.flush())

    def _cut(self) -> None:
        self._end_part()
        if self._spool is None:
            self._spool = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115
        self._parts.append(_Written())

    def _put(self, current: _Written, data: bytes) -> None:
        (self._spool or self._file).write(data)
        current.size += len(data)

    # --- at the end

    def _join(self) -> None:
        """What lies in the temporary file, each hole's content before the part behind it."""
        order = [self._parts[0].part]
        if self._spool is not None:
            self._spool.flush()
            at = 0
            for data, written in zip(self._fillings, self._parts[1:], strict=True):
                assert data is not None, "a hole that nobody filled"
                filling = self._packing.part()
                self._file.write(filling.compress(data) + filling.flush())
                self._copy(self._spool, at, written.size)
                at += written.size
                order += [filling, written.part]
        self._file.write(self._packing.tail([part for part in order if part is not None]))

    def _copy(self, spool: IO[bytes], at: int, size: int) -> None:
        self._file.flush()
        end = at + size
        while at < end:
            sent = self._send_on(spool, at, end - at)
            if not sent:
                raise OSError(errno.EIO, "a temporary file is shorter than what was written to it", self._name)
            at += sent

    def _send_on(self, spool: IO[bytes], at: int, size: int) -> int:
        """In the kernel, a third of the work of reading and writing; where the file system cannot, so."""
        try:
            return os.sendfile(self._file.fileno(), spool.fileno(), at, size)
        except OSError as error:
            if error.errno not in _NO_SENDFILE:
                raise
        spool.seek(at)
        data = spool.read(min(size, BLOCK))
        self._file.write(data)
        self._file.flush()
        return len(data)
