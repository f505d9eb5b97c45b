"""sha1 of the files that pass, in a thread of its own: it takes as long as unpacking them does."""

from __future__ import annotations

import hashlib
import queue
import threading
from collections.abc import Iterable, Iterator, Mapping

from rearch.formats.hashing import BLOCK

# Batches that wait, each of a block and what came with its last piece.
_WAITING = 8


class Hasher:
    """Digests by path. `close` has to be called, whatever happens."""

    def __init__(self) -> None:
        self._queue: queue.Queue[list[bytes | str] | None] = queue.Queue(_WAITING)
        self._batch: list[bytes | str] = []
        self._size = 0
        self._found: dict[str, str] = {}
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="bundle-hasher", daemon=True)
        self._thread.start()

    def through(self, path: str, blocks: Iterable[bytes]) -> Iterator[bytes]:
        """The same blocks; the digest of all of them is that of `path`."""
        for block in blocks:
            self._add(block)
            yield block
        self._add(path)

    def close(self) -> Mapping[str, str]:
        """Wait until all is hashed: path -> sha1 in hexadecimal."""
        if not self._closed:
            self._closed = True
            self._queue.put(self._batch)
            self._queue.put(None)
            self._thread.join()
        return self._found

    def _add(self, item: bytes | str) -> None:
        """Handed over in batches: a hand-over costs as much as hashing a small file."""
        self._batch.append(item)
        self._size += len(item)
        if self._size >= BLOCK:
            self._queue.put(self._batch)
            self._batch, self._size = [], 0

    def _work(self) -> None:
        digest = hashlib.sha1(usedforsecurity=False)
        while (batch := self._queue.get()) is not None:
            for item in batch:
                if isinstance(item, bytes):
                    digest.update(item)
                else:
                    self._found[item] = digest.hexdigest()
                    digest = hashlib.sha1(usedforsecurity=False)
