"""Files by their sha256 in the cache: fetched once, checked each time they are used, safe for several runs.

Nothing is fetched here. Whoever fetches is given a place, and a file gets its name only when it has the right hash.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from rearch.errors import VerificationError
from rearch.formats.hashing import sha256_file


class WrongContent(VerificationError):
    """A file came, and is not the one that was pinned."""

    def __init__(self, what: str, wanted: str, found: str) -> None:
        self.what = what
        self.wanted = wanted
        self.found = found
        super().__init__(
            f"{what} is not what was pinned",
            (f"wanted sha256 {wanted}", f"found  sha256 {found}"),
            hint="find out who changed it before you change the pin",
        )


class HeldDownloads:
    """The folder `<cache>/downloads`: one file for each sha256 (64 hexadecimal digits), with a lock beside it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, sha256: str, fetch: Callable[[Path], str | None]) -> Path:
        """The file with that hash; `fetch` is called to make it when it is not there or was damaged.

        `fetch` returns the sha256 if it has read every byte itself, so that nothing is read twice. It may keep what it
        has of an unfinished file beside the place that it is given.

        Whoever comes second waits and finds it. Errors: WrongContent; those of `fetch`.
        """
        # Who only reads needs no lock: a file has its name when it is whole.
        if found := self.find(sha256):
            return found
        with self.locked([sha256]):
            if found := self.find(sha256):
                return found
            self._make(sha256, fetch)
        return self.place(sha256)

    def place(self, sha256: str) -> Path:
        """Where the file with that hash is, when it is there."""
        return self._folder / sha256

    def find(self, sha256: str, size: int | None = None) -> Path | None:
        """The file if it is there and right. Its content is read: a cache that rotted is fetched anew, not built from.

        Its time becomes that of its last use, by which `invoke gc` goes. `size` in bytes saves reading a wrong one.
        """
        place = self.place(sha256)
        try:
            if size is not None and place.stat().st_size != size:
                return None
            if sha256_file(place) != sha256:
                return None
            os.utime(place)
        except FileNotFoundError:
            return None
        return place

    def accept(self, draft: Path, sha256: str, found: str | None = None) -> Path:
        """Give a finished file its name, once its bytes are on the disk. `found` is its hash, if that is known.

        Its time is now, whatever it was (apt gives it the archive's). Errors: WrongContent, and then it is as it was.
        """
        found = found or sha256_file(draft)
        if found != sha256:
            raise WrongContent("the download", sha256, found)
        draft.chmod(0o644)
        os.utime(draft)
        with draft.open("rb") as file:
            os.fsync(file.fileno())
        return draft.replace(self.place(sha256))

    @contextlib.contextmanager
    def locked(self, hashes: Iterable[str]) -> Iterator[None]:
        """One lock for each file, taken in one order by everybody, so that no two runs wait for each other."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with contextlib.ExitStack() as stack:
            for sha256 in sorted(set(hashes)):
                lock = stack.enter_context((self._folder / f"{sha256}.lock").open("ab"))
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _make(self, sha256: str, fetch: Callable[[Path], str | None]) -> None:
        self.place(sha256).unlink(missing_ok=True)
        fresh = self._folder / f"{sha256}.new"
        try:
            self.accept(fresh, sha256, fetch(fresh))
        finally:
            fresh.unlink(missing_ok=True)
