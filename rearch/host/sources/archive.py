"""The archive source: steps.ports.SourceFetcher for PinnedArchive."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from rearch.errors import StepError
from rearch.formats.urls import OfflineError, masked, rewrite
from rearch.model.frozen import NOTHING
from rearch.model.source import PinnedArchive, PinnedSource
from rearch.steps.ports import Workspace


class EmptyArchive(StepError):
    """An archive without a single file."""

    def __init__(self, url: str) -> None:
        self.url = masked(url)
        super().__init__(f"{self.url} is an empty archive", hint="check the URL in the recipe")


class ArchiveSources:
    """Fetches archives into `cache/downloads/<sha256>` and unpacks them. Safe for threads and for several runs at once.

    `mirrors` rewrites URL prefixes; `timeout` in seconds without any byte; `pause` sleeps between
    attempts, and may raise to end them. Sizes are limited by the workspace's limits.
    """

    def __init__(
        self,
        cache: Path,
        *,
        mirrors: Mapping[str, str] = NOTHING,
        offline: bool = False,
        timeout: float = 30.0,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._folder = cache / "downloads"
        self._mirrors = mirrors
        self._offline = offline
        self._timeout = timeout
        self._pause = pause

    def fetch(self, source: PinnedSource, work: Workspace) -> None:
        """Leave the archive's tree in `work.files/"source"`, without `source.strip` leading folders.

        Errors: those of rearch.host.http.download and rearch.formats.archive.extract, EmptyArchive.
        """
        from rearch.formats.archive import extract

        if not isinstance(source, PinnedArchive):
            raise TypeError(f"ArchiveSources cannot fetch a {type(source).__name__}")
        path = self.obtain(source, work)
        name = file_name(source.url)
        done = extract(path, work.files / "source", limits=work.limits, name=name, strip=source.strip)
        if not done.written:
            raise EmptyArchive(source.url)
        work.say(f"{name}: {done.written} entries unpacked, {done.unpacked} bytes")

    def obtain(self, source: PinnedArchive, work: Workspace) -> Path:
        """The archive in the cache, fetched when it is not there. Errors: those of rearch.host.http.download."""
        from rearch.formats.held import HeldDownloads
        from rearch.host.http import download

        url = rewrite(source.url, self._mirrors)
        name = file_name(source.url)

        def fetch(into: Path) -> str:
            if self._offline:
                raise OfflineError(name, url)
            work.say(f"{name}: from {masked(url)}")
            return download(
                url,
                into,
                sha256=source.sha256,
                limit=work.limits.download_bytes,
                timeout=self._timeout,
                pause=self._pause,
                progress=lambda done, total: work.progress(name, done, total, "B"),
            )

        return HeldDownloads(self._folder).get(source.sha256.lower(), fetch)


def file_name(url: str) -> str:
    """The last part of a URL's path, for messages: `x-1.0.tar.gz`."""
    return unquote(urlsplit(url).path.rstrip("/").rpartition("/")[2]) or "archive"
