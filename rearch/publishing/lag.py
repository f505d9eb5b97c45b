"""Patience with registries whose readers lag behind: what was taken is not shown at once everywhere."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from msgspec import Struct

T = TypeVar("T")


class Lag(Struct, frozen=True, kw_only=True):
    """Questions after 0.1, 0.2, 0.4 ... seconds, at most `longest` apart, until `limit` seconds have gone.

    `settle`: seconds after which a tag that was merged is looked at once more: another builder that read it before we
    wrote may write only then. `sleep` may raise to end it all; `clock` is monotonic.
    """

    limit: float = 60.0
    longest: float = 5.0
    settle: float = 0.5
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic

    def until(self, ask: Callable[[], T], good: Callable[[T], bool]) -> tuple[T, int]:
        """Ask until the answer is good or time is up: the last answer, and how often it was asked again."""
        end, pause, again = self.clock() + self.limit, 0.1, 0
        while not good(answer := ask()):
            if (left := end - self.clock()) <= 0:
                break
            self.sleep(min(pause, left))
            pause, again = min(pause * 2, self.longest), again + 1
        return answer, again
