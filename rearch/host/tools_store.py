"""Files by their sha256 in the cache: fetched once, checked each time they are used, safe for several runs."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
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
    """The folder `<cache>/downloads`: one file for each sha256, with a lock beside it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, sha256: str, fetch: Callable[[Path], str | None]) -> Path:
        """The file with that hash; `fetch` is called to make it when it is not there or was damaged.

        `fetch` returns the sha256 if it has read every byte itself, so that nothing is read twice.

        Whoever comes second waits and finds it. Errors: WrongContent; those of `fetch`.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / sha256
        with self._locked(sha256):
            if path.is_file() and sha256_file(path) == sha256:
                return path
            path.unlink(missing_ok=True)
            self._make(path, sha256, fetch)
        return path

    def _make(self, path: Path, sha256: str, fetch: Callable[[Path], str | None]) -> None:
        fresh = path.with_name(f"{sha256}.new")
        try:
            found = fetch(fresh) or sha256_file(fresh)
            if found != sha256:
                raise WrongContent("the download", sha256, found)
            with fresh.open("rb") as file:
                os.fsync(file.fileno())
            fresh.replace(path)
        finally:
            fresh.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _locked(self, sha256: str) -> Iterator[None]:
        with (self._folder / f"{sha256}.lock").open("wb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
