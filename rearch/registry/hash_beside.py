"""A sha256 that is computed beside what is done with the data, by another thread, where there is much of it."""

from __future__ import annotations

import hashlib
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor

# Less than this is hashed sooner than it is handed over.
_MUCH = 1 << 16
# Pieces that may wait to be hashed; they are all that is held in memory.
_MOST_WAITING = 4


class HashBeside:
    """As hashlib's. `update` comes back before the data is hashed (hashlib lets other threads run meanwhile)."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self._thread: ThreadPoolExecutor | None = None
        self._waiting: deque[Future[None]] = deque()

    def update(self, data: bytes | memoryview) -> None:
        """Hash these bytes after all before them. They must not change."""
        if len(data) < _MUCH:
            self._settle(0)
            self._digest.update(data)
            return
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="sha256")
        self._waiting.append(self._thread.submit(self._digest.update, data))
        self._settle(_MOST_WAITING)

    def hexdigest(self) -> str:
        """The digest of all so far, in 64 digits."""
        self._settle(0)
        return self._digest.hexdigest()

    def close(self) -> None:
        """End the thread."""
        if self._thread is not None:
            self._thread.shutdown()

    def _settle(self, most: int) -> None:
        while len(self._waiting) > most:
            self._waiting.popleft().result()
