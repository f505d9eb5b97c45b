"""Writes a stream in a thread of its own, packed, and keeps places for what is known only later.

Two threads, since compressors and decompressors release the interpreter's lock: while one block is packed the next is
unpacked and hashed. A bundle's sums are known when all files have passed, but often stand before them: see sheet.py.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import BinaryIO

from rearch.bundle.compression import Packing
from rearch.bundle.sheet import Sheet
from rearch.formats.archive_errors import CannotWrite
from rearch.formats.hashing import BLOCK

# Blocks between the threads.
_WAITING = 8


class _Cut:
    """Behind it another part begins; `size` bytes or so will stand before that."""

    def __init__(self, size: int) -> None:
        self.size = size


class Outline:
    """A stream with holes, which are filled before it ends. `close` has to be called, whatever happens.

    `file` can be read, too; `folder` is where its temporary file goes, `name` what messages call the result.
    """

    def __init__(self, packing: Packing, file: BinaryIO, folder: Path, name: str) -> None:
        self._sheet = Sheet(packing, file, folder, name)
        self._name = name
        self._kept: list[memoryview] = []
        self._size = 0
        self._fillings: list[bytes | None] = []
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

    def hole(self, size: int) -> int:
        """Leave a place for bytes that come later, `size` or so; its number for `fill`."""
        self._send()
        self._queue.put(_Cut(size))
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
        fillings = [data for data in self._fillings if data is not None]
        assert len(fillings) == len(self._fillings), "a hole that nobody filled"
        try:
            self._sheet.join(fillings)
        except OSError as error:
            raise CannotWrite(self._name, error) from error

    def close(self) -> None:
        """Let go of what is held, whether it was finished or not."""
        self._end()
        self._sheet.close()

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
        self._attempt(self._sheet.begin)
        while (item := self._queue.get()) is not None:
            self._attempt(
                partial(self._sheet.cut, item.size) if isinstance(item, _Cut) else partial(self._sheet.pack, item)
            )
        self._attempt(self._sheet.end_part)

    def _attempt(self, action: Callable[[], object]) -> None:
        if self._error is None:
            try:
                action()
            except BaseException as error:  # noqa: BLE001 - it is raised in the thread that waits for the result
                self._error = error
