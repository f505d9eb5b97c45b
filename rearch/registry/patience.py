"""When an attempt failed: whether there is another, and how long to wait for it."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import TypeVar

from msgspec import Struct

from rearch.registry.errors import RegistryUnreachable

# RFC 9110, 15.5.9 and 15.6; RFC 8470 (425); RFC 6585 (429). 501 and 505 would be the same the next time.
AGAIN = frozenset([408, 425, 429, 500, 502, 503, 504])
MOST_ATTEMPTS = 100

T = TypeVar("T")


class Later(Exception):
    """This attempt failed, and another may not. `wait` in seconds: what the registry asks for."""

    def __init__(self, host: str, why: str, wait: float | None = None) -> None:
        super().__init__(why)
        self.host = host
        self.why = why
        self.wait = wait


def _random() -> float:
    return secrets.randbelow(1 << 16) / (1 << 16)


class Patience(Struct, frozen=True, kw_only=True):
    """`attempts` without progress, with growing pauses between them; who is asked to wait longer than `longest`
    seconds tells the user instead. `sleep` may raise to end it all; `clock` is monotonic, `now` seconds since 1970;
    `random` gives numbers from 0 to 1, so that clients that were turned away at once do not come back at once.
    """

    attempts: int = 5
    longest: float = 60.0
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    now: Callable[[], float] = time.time
    random: Callable[[], float] = _random

    def backoff(self, failures: int) -> float:
        """Seconds before another attempt after so many failures: 0.5 to 1, 1 to 2, ... at most 30."""
        return float(min(30.0, 2.0 ** (failures - 1)) * (0.5 + self.random() / 2))

    def retry_after(self, headers: Mapping[str, str]) -> float | None:
        """What the header Retry-After says, in seconds; it has seconds or a date (RFC 9110, 10.2.3)."""
        stated = headers.get("Retry-After", "").strip()
        if stated.isdecimal() and stated.isascii():
            return float(stated[:9])
        try:
            return max(0.0, parsedate_to_datetime(stated).timestamp() - self.now())
        except (ValueError, OverflowError):
            return None


class Tries:
    """Counts the attempts at one thing (`what`, for messages)."""

    def __init__(self, patience: Patience, what: str) -> None:
        self._patience = patience
        self._what = what
        self._failures = 0
        self._attempts = 0

    def failed(self, later: Later, *, progressed: bool = False, kept: int = 0) -> None:
        """Wait before the next attempt. A line that drops now and then gets through: what `progressed` counts anew.

        Errors: RegistryUnreachable when that was the last one.
        """
        self._attempts += 1
        self._failures = 1 if progressed else self._failures + 1
        wait = self._patience.backoff(self._failures)
        if later.wait is not None:
            wait = max(later.wait, wait) if later.wait else 0.0
        if (
            self._failures >= self._patience.attempts
            or self._attempts >= MOST_ATTEMPTS
            or wait > self._patience.longest
        ):
            why = later.why + (f"; it asks to wait {later.wait:.0f} s" if later.wait else "")
            raise RegistryUnreachable(later.host, self._what, why, self._attempts, kept) from later
        self._patience.sleep(wait)


def keep_trying(patience: Patience, what: str, attempt: Callable[[], T]) -> T:
    """Call `attempt` until it does not raise Later. Errors: RegistryUnreachable; those of `attempt`."""
    tries = Tries(patience, what)
    while True:
        try:
            return attempt()
        except Later as later:
            tries.failed(later)
