"""How many requests a host gets at once, and from when on: fewer and later after it has complained."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

from rearch.registry.patience import Patience


class Gate:
    """Lets `most` requests to one host through at once. Each is over when its answer has been read to the end."""

    def __init__(self, most: int, patience: Patience) -> None:
        self._changed = threading.Condition()
        self._allowed = most
        self._inside = 0
        self._from = 0.0
        self._patience = patience

    @property
    def allowed(self) -> int:
        """Requests at once, now."""
        return self._allowed

    @contextlib.contextmanager
    def passing(self) -> Iterator[None]:
        """The time of one request. Not to be nested: the second would wait for the first."""
        with self._changed:
            self._changed.wait_for(lambda: self._inside < self._allowed)
            self._inside += 1
            wait = self._from - self._patience.clock()
        try:
            if wait > 0:
                self._patience.sleep(wait)
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    def slow_down(self, wait: float | None) -> None:
        """The host said that it is too much: half as many from now on, and none for `wait` seconds."""
        with self._changed:
            self._allowed = max(1, self._allowed // 2)
            if wait is not None and wait <= self._patience.longest:
                self._from = max(self._from, self._patience.clock() + wait)
