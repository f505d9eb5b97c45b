"""What a registry turned out to do or not, learned once and used for all further uploads of a run."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

MIB = 1 << 20


@dataclass(slots=True)
class Manners:
    """Of one registry. Several threads may learn the same at once; nothing here is more than a saved request.

    `chunk`: most bytes in one request. `chunks`: whether it takes a blob in several. `mounts`: whether it takes a
    request to mount. `tells`: a mount from the same repository tells whether the blob is there (201) or begins its
    upload (202), which makes HEAD superfluous; some take no notice of mounts, and of those it is not known.
    `closed`: repositories that nothing can be mounted from.
    """

    chunk: int
    chunks: bool = True
    mounts: bool = True
    tells: bool = False
    closed: set[str] = field(default_factory=set)


class AllManners:
    """The manners of all registries of a run. `chunk`: what to begin with."""

    def __init__(self, chunk: int) -> None:
        self._chunk = chunk
        self._lock = threading.Lock()
        self._known: dict[str, Manners] = {}

    def of(self, registry: str) -> Manners:
        with self._lock:
            return self._known.setdefault(registry, Manners(chunk=self._chunk))
