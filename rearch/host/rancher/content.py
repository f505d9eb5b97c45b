"""Content items of a Rancher server, fetched as the agent's config.sh fetches them."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from msgspec import Struct

from rearch.formats.archive_errors import CannotWrite
from rearch.formats.hashing import blocks
from rearch.formats.urls import OfflineError
from rearch.host.http import ATTEMPTS, Progress
from rearch.host.http_errors import Unreachable
from rearch.host.partial import Partial
from rearch.host.rancher.archive import GZIP, read_content
from rearch.host.rancher.errors import BadServer, NoAnswer, NotContent
from rearch.host.rancher.items import check_item
from rearch.model.limits import Limits


class _Kept(Struct, frozen=True, kw_only=True):
    """What lies beside a cached archive: the server's ETag for it, and its sha256."""

    etag: str
    sha256: str


class ContentClient:
    """Fetches items of one server with one pair of keys."""

    def __init__(
        self,
        server: str,
        *,
        access_key: str,
        secret_key: str,
        cache: Path | None = None,
        limits: Limits,
        timeout: float = 30.0,
        offline: bool = False,
        attempts: int = ATTEMPTS,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._server = api_address(server)
        self._keys = (access_key, secret_key)
        self._cache = cache
        self._limits = limits
        self._timeout = timeout
        self._offline = offline
        self._attempts = attempts
        self._pause = pause

    def url(self, item: str) -> str:
        """The address as config.sh joins it, with its double slashes.

        `current` stays empty: who names a version that the server knows may be answered `uptodate`, not an archive.
        """
        return f"{self._server}//configcontent//{item}?current="

    def fetch(self, item: str, into: Path, progress: Progress | None = None) -> Path:
        """The item's archive, checked, as `into/<item>.tar.gz`. Errors: as rearch.app.rancher_source.fetch_item."""
        url = self.url(check_item(item))
        if self._offline:
            raise OfflineError(f"the content item {item}", url)
        with self._entry(item) as entry:
            self._bring(url, item, entry, progress)
            return _copied(entry / "archive", into / f"{item}.tar.gz")

    def _bring(self, url: str, item: str, entry: Path, progress: Progress | None) -> None:
        """See to it that `entry/archive` is what the server has now."""
        from rearch.host.rancher.content_transfer import ContentTransfer, Unchanged

        archive, note = entry / "archive", entry / "archive.json"
        kept = _kept(archive, note)
        fresh = Partial(entry / "fresh")
        transfer = ContentTransfer(
            url,
            fresh,
            server=self._server,
            item=item,
            keys=self._keys,
            etag=kept.etag if kept else "",
            limit=self._limits.download_bytes,
            timeout=self._timeout,
        )
        try:
            found = transfer.fetch(None, progress or _unseen, self._attempts, self._pause)
        except Unchanged:
            return
        except Unreachable as error:
            raise NoAnswer(self._server, item, error.why, error.attempts) from error
        self._check(fresh, item)
        note.unlink(missing_ok=True)  # a note must never describe another archive than the one beside it
        fresh.finish()
        fresh.into.replace(archive)
        if transfer.etag:
            note.write_text(json.dumps({"etag": transfer.etag, "sha256": found}))

    def _check(self, fresh: Partial, item: str) -> None:
        """As config.sh does. What is wrong is thrown away: nobody goes on from it. Errors: NotContent, BadSums, ..."""
        sound = False
        try:
            head = fresh.head(64)
            if not head.startswith(GZIP):
                raise NotContent(self._server, item, head)
            read_content(fresh.path, f"{item} of {self._server}", self._limits)
            sound = True
        finally:
            if not sound:
                fresh.discard()

    @contextmanager
    def _entry(self, item: str) -> Iterator[Path]:
        """The folder of an item of this server for this key: one process at a time. Without a cache, a scratch one."""
        if self._cache is None:
            with tempfile.TemporaryDirectory(prefix="rearch-content-") as scratch:
                yield Path(scratch)
            return
        name = hashlib.sha256("\0".join((self._server, item, self._keys[0])).encode()).hexdigest()
        folder = self._cache / "rancher" / name
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise CannotWrite(str(folder), error) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield folder
        finally:
            os.close(lock)


def api_address(server: str) -> str:
    """The address of a server's API without slashes at its end. Errors: BadServer."""
    try:
        parts = urlsplit(server)
        host, _port = parts.hostname, parts.port
    except ValueError as error:
        raise BadServer(server, str(error)) from None
    if parts.scheme not in ("http", "https") or not host:
        raise BadServer(server, "not the address of a server")
    if parts.username is not None or parts.password is not None:
        raise BadServer(server, "keys do not stand in an address, where every process list and log shows them")
    if parts.query or parts.fragment or any(char <= " " for char in server):
        raise BadServer(server, "an address with more behind it than a path")
    return server.rstrip("/")


def _kept(archive: Path, note: Path) -> _Kept | None:
    """What may be asked about with If-None-Match; None unless the archive is whole, byte for byte."""
    try:
        found = json.loads(note.read_bytes())
        kept = _Kept(etag=str(found["etag"]), sha256=str(found["sha256"]))
        digest = hashlib.sha256()
        with archive.open("rb") as file:
            for data in blocks(file):
                digest.update(data)
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None
    return kept if digest.hexdigest() == kept.sha256 else None


def _copied(archive: Path, target: Path) -> Path:
    """A copy that appears whole. The cache's own file is handed to nobody. Errors: CannotWrite."""
    beside = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(archive, beside)
        beside.replace(target)
    except OSError as error:
        raise CannotWrite(str(target), error) from error
    finally:
        beside.unlink(missing_ok=True)
    return target


def _unseen(_done: int, _total: int) -> None:
    """A Progress that shows nothing."""
