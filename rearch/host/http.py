"""Downloads: streamed, resumed, bounded, and checked before they get their name.

`requests` is imported where it is used: the no-op path of a build imports this module, and must not pay for it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

from rearch.formats.hashing import copy_hashed
from rearch.formats.urls import OfflineError
from rearch.host.http_errors import BadUrl, NotFound, TooLarge, WrongHash
from rearch.host.partial import Origin, Partial

# Told the bytes so far and those in all (0: not known).
Progress = Callable[[int, int], None]

ATTEMPTS = 5


def _unseen(_done: int, _total: int) -> None:
    """A Progress that shows nothing."""


def download(
    url: str,
    into: Path,
    *,
    sha256: str | None,
    limit: int,
    timeout: float = 30.0,
    progress: Progress | None = None,
    offline: bool = False,
    attempts: int = ATTEMPTS,
    pause: Callable[[float], None] = time.sleep,
) -> str:
    """Fetch an http, https or file URL into the file `into`; the answer is its sha256 in hexadecimal.

    The bytes are gathered in `<into>.part`, from where a later attempt or run goes on if the server says (If-Range)
    that the file is the same. They get their name only when they are all there, have the wanted hash and are on the
    disk. `limit` in bytes; `timeout` in seconds without any byte; `attempts` without progress, with growing pauses
    between them (Retry-After is obeyed). `offline`: nothing is fetched, not even from a file URL. Proxies, netrc and
    CA bundles come from the environment, as requests has it. Only one process may download into one name at a time.

    Errors: BadUrl, NotFound, Refused, Unreachable, WrongHash, TooLarge, OfflineError, CannotWrite.
    """
    wanted = sha256.lower() if sha256 else None
    partial = Partial(into)
    progress = progress or _unseen
    scheme = _scheme(url)
    if offline:
        raise OfflineError(into.name, url)
    if scheme == "file":
        found = _copy(url, partial, wanted, limit, progress)
    else:
        from rearch.host.transfer import Transfer

        transfer = Transfer(url, partial, limit=limit, timeout=timeout, trusted_hash=wanted is not None)
        found = transfer.fetch(wanted, progress, attempts, pause)
    partial.finish()
    return found


def _scheme(url: str) -> str:
    if any(char <= " " or char == "\x7f" for char in url):
        raise BadUrl(url, "a URL has no blanks and control characters")
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise BadUrl(url, str(error)) from None
    if parts.scheme not in ("http", "https", "file"):
        raise BadUrl(url, f"{parts.scheme or 'no'} scheme: it cannot be fetched")
    if parts.scheme != "file" and not parts.hostname:
        raise BadUrl(url, "it names no host")
    if parts.scheme == "file" and parts.netloc not in ("", "localhost"):
        raise BadUrl(url, f"a file on the host {parts.netloc}; file:///path has three slashes")
    return parts.scheme


def _copy(url: str, partial: Partial, wanted: str | None, limit: int, progress: Progress) -> str:
    path = Path(unquote(urlsplit(url).path, errors="surrogateescape"))
    if not path.is_file():
        raise NotFound(url, 0, "")
    total = path.stat().st_size

    def seen(done: int) -> None:
        if done > limit:
            raise TooLarge(url, max(done, total), limit)
        progress(done, total)

    partial.begin(Origin(url="", validator=""))
    with path.open("rb") as source, partial.open() as target:
        found, _ = copy_hashed(source, _Sink(partial, target), seen)
    if wanted not in (None, found):
        partial.discard()
        raise WrongHash(url, str(wanted), found, page=False)
    return found


class _Sink:
    """A part file as copy_hashed wants it."""

    def __init__(self, partial: Partial, file: BinaryIO) -> None:
        self._partial = partial
        self._file = file

    def write(self, data: bytes, /) -> None:
        self._partial.write(self._file, data)
