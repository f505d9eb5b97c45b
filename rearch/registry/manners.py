"""What a registry turned out to do or not, learned once and used for all further uploads of a run."""

from __future__ import annotations

import threading

from msgspec import Struct, field

MIB = 1 << 20


class Manners(Struct):
    """Of one registry. Several threads may learn the same at once; nothing here is more than a saved request.

    `chunk`: most bytes in one request. `chunks`: whether it takes a blob in several. `mounts`: whether it takes a
    request to mount. `tells`: a mount from the same repository tells whether the blob is there (201) or begins its
    upload (202), which makes HEAD superfluous; some take no notice of mounts, and before `sample`, a repository and the
    digest of a blob that was sent there, this cannot be known (None). `asking` is held by who finds out.
    `closed`: pairs of repositories, of which the one cannot be mounted from into the other.
    """

    chunk: int
    chunks: bool = True
    mounts: bool = True
    tells: bool | None = None
    sample: tuple[str, str] | None = None
    asking: threading.Lock = field(default_factory=threading.Lock)
    closed: set[tuple[str, str]] = field(default_factory=set)


class AllManners:
    """The manners of all registries of a run. `chunk`: what to begin with."""

    def __init__(self, chunk: int) -> None:
        self._chunk = chunk
        self._lock = threading.Lock()
        self._known: dict[str, Manners] = {}

    def of(self, registry: str) -> Manners:
        """What is known of this one."""
        with self._lock:
            return self._known.setdefault(registry, Manners(chunk=self._chunk))
