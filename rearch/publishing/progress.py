"""How much of a publish has gone out: over all blobs of all targets, and of the one that moved last."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable

from rearch.planning.publish_values import Blob, SendBlob
from rearch.report import Moved

# A piece is sent in a millisecond; nobody reads that many lines, and --progress json writes one for each.
_PAUSE = 0.1


class Sending:
    """Counts bytes, for several threads. `show` is called at most every 0.1 s, and when all is there.

    What a target has already, or takes by a mount, counts as if it was sent: the total is what the plan may send.
    """

    def __init__(
        self,
        orders: Iterable[SendBlob],
        show: Callable[[Moved], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._total = sum(order.blob.size for order in orders)
        self._show = show
        self._clock = clock
        self._lock = threading.Lock()
        self._done: dict[tuple[str, str], int] = {}
        self._sum = 0
        self._last = clock() - _PAUSE

    def of(self, place: str, blob: Blob) -> Callable[[int], None]:
        """For one blob on its way to `place`: what is told how many bytes of it are there."""

        def moved(done: int) -> None:
            with self._lock:
                # A blob that was lost is sent again, and one of a repair is not in the plan.
                self._sum += done - self._done.get((place, blob.digest), 0)
                self._done[place, blob.digest] = done
                now, whole = self._clock(), self._sum >= self._total
                if now - self._last < _PAUSE and not whole:
                    return
                self._last = now
                self._show(self._event(place, blob, done))

        return moved

    def end(self) -> None:
        """No more comes, whatever became of it: a bar can go."""
        with self._lock:
            if 0 < self._sum < self._total:
                self._total = self._sum
                self._show(Moved(what="", part=0, size=0, done=self._sum, total=self._sum))

    def _event(self, place: str, blob: Blob, done: int) -> Moved:
        return Moved(
            what=f"{place} {blob.digest.removeprefix('sha256:')[:12]}",
            part=done,
            size=blob.size,
            done=min(self._sum, self._total),
            total=self._total,
        )
