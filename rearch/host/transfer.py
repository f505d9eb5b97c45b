"""One download over HTTP: attempts, ranges, redirects. Imported only when something is really fetched."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from time import time
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

import requests
import urllib3.exceptions

from rearch import __version__
from rearch.formats.urls import masked
from rearch.host.http_errors import BadUrl, NotFound, Refused, TooLarge, Unreachable, WrongHash
from rearch.host.partial import Origin, Partial

if TYPE_CHECKING:
    from rearch.host.http import Progress

BLOCK = 1 << 16
STRIDE = 1 << 20
MAX_REDIRECTS = 10
# Whoever is asked to wait longer than this tells the user instead.
MAX_WAIT = 60.0
_AGAIN = {408, 425, 429, 500, 502, 503, 504}
_MOVED = {301, 302, 303, 307, 308}
_LOGIN_HINT = "the server wants a login: put it into ~/.netrc, or name a mirror under `mirrors:` in rearch.yaml"
_CA_HINT = "name your own CA in the environment variable REQUESTS_CA_BUNDLE"


class _Later(Exception):
    """This attempt failed, and another may not. `wait` in seconds: what the server asks for."""

    def __init__(self, why: str, wait: float | None = None) -> None:
        super().__init__(why)
        self.why = why
        self.wait = wait


class Transfer:
    """Brings the bytes of one URL into a Partial. `trusted_hash`: they will be checked, so a resumption may be tried
    without a validator."""

    def __init__(self, url: str, partial: Partial, *, limit: int, timeout: float, trusted_hash: bool) -> None:
        self._url = url
        self._partial = partial
        self._limit = limit
        self._timeout = timeout
        self._trusted_hash = trusted_hash
        self._identity = hashlib.sha256(url.encode()).hexdigest()
        self._resumed = False
        self._session = requests.Session()
        self._session.headers.update({"User-Agent": f"rearch/{__version__}", "Accept-Encoding": "identity"})

    def fetch(self, wanted: str | None, progress: Progress, attempts: int, pause: Callable[[float], None]) -> str:
        """All of it; its sha256. If it is wrong and was put together from several answers, it is fetched anew."""
        with self._session:
            found = self._until_there(progress, attempts, pause)
            if wanted not in (None, found) and self._resumed:
                self._partial.discard()
                self._resumed = False
                found = self._until_there(progress, attempts, pause)
        if wanted not in (None, found):
            page = self._partial.head().lstrip().lower().startswith((b"<!doctype html", b"<html"))
            self._partial.discard()
            raise WrongHash(self._url, str(wanted), found, page=page)
        return found

    def _until_there(self, progress: Progress, attempts: int, pause: Callable[[float], None]) -> str:
        failures, tried, furthest = 0, 0, self._partial.size
        while True:
            try:
                return self._attempt(progress)
            except _Later as later:
                tried += 1
                # A line that drops now and then still gets through: only attempts that brought nothing new count.
                advanced = self._partial.size >= furthest + STRIDE
                furthest = max(furthest, self._partial.size)
                failures = 1 if advanced else failures + 1
                wait = _backoff(failures) if later.wait is None else later.wait
                if failures >= attempts or wait > MAX_WAIT:
                    raise Unreachable(self._url, later.why, tried, self._partial.size) from later
                pause(wait)

    def _attempt(self, progress: Progress) -> str:
        offset = self._offset()
        with self._open(self._range(offset)) as response:
            if response.status_code == requests.codes.requested_range_not_satisfiable:
                return self._past_the_end(response, offset)
            self._check_status(response)
            if response.status_code == requests.codes.partial_content:
                total = self._continued(response, offset)
                self._resumed = True
            else:
                offset, total = 0, _length(response)
                self._check_size(total)
                self._partial.begin(Origin(url=self._identity, validator=_validator(response)))
            return self._receive(response, offset, total, progress)

    # --- where to go on

    def _offset(self) -> int:
        """How many bytes of an earlier attempt can be kept."""
        origin = self._partial.origin()
        if origin is None or origin.url != self._identity or not (origin.validator or self._trusted_hash):
            return 0
        return self._partial.size

    def _range(self, offset: int) -> dict[str, str]:
        if not offset:
            return {}
        origin = self._partial.origin()
        condition = {"If-Range": origin.validator} if origin is not None and origin.validator else {}
        return {"Range": f"bytes={offset}-", **condition}

    def _continued(self, response: requests.Response, offset: int) -> int:
        """The size of the whole file, after the answer was compared with what was asked for (RFC 9110, 14.4)."""
        found = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+|\*)", response.headers.get("Content-Range", ""))
        if not offset or found is None or int(found[1]) != offset:
            self._partial.discard()
            raise _Later("the server sent another range than it was asked for", 0.0)
        total = int(found[3]) if found[3] != "*" else int(found[2]) + 1
        self._check_size(total)
        return total

    def _past_the_end(self, response: requests.Response, offset: int) -> str:
        """Nothing is missing (a run was stopped before it could rename), or what is there is of another file."""
        found = re.fullmatch(r"bytes \*/(\d+)", response.headers.get("Content-Range", ""))
        if offset and found is not None and int(found[1]) == offset:
            self._resumed = True
            return self._partial.sha256().hexdigest()
        self._partial.discard()
        raise _Later("the server has no such range", 0.0)

    # --- the answer

    def _receive(self, response: requests.Response, offset: int, total: int, progress: Progress) -> str:
        digest = self._partial.sha256()
        done, shown = offset, offset
        with self._partial.open() as file:
            try:
                for data in response.raw.stream(BLOCK, decode_content=False):
                    done += len(data)
                    self._check_size(done)
                    digest.update(data)
                    self._partial.write(file, data)
                    if done - shown >= STRIDE:
                        progress(done, total)
                        shown = done
            except (urllib3.exceptions.HTTPError, requests.RequestException) as error:
                raise _Later(self._reason(error)) from error
        if total and done != total:
            raise _Later(f"the connection ended after {done} of {total} bytes")
        progress(done, total or done)
        return digest.hexdigest()

    def _check_size(self, size: int) -> None:
        if size > self._limit:
            self._partial.discard()
            raise TooLarge(self._url, size, self._limit)

    def _check_status(self, response: requests.Response) -> None:
        status, reason = response.status_code, response.reason or ""
        if status in (requests.codes.ok, requests.codes.partial_content):
            return
        if status in _AGAIN or status > 500:
            raise _Later(f"the answer is {status} {reason}".rstrip(), _retry_after(response))
        if status in (requests.codes.not_found, requests.codes.gone):
            raise NotFound(self._url, status, reason)
        login = status in (requests.codes.unauthorized, requests.codes.forbidden)
        hint = _LOGIN_HINT if login else "check the URL in the recipe"
        raise Refused(self._url, f"the answer is {status} {reason}".rstrip(), hint)

    # --- the request

    def _open(self, headers: dict[str, str]) -> requests.Response:
        url = self._url
        for _ in range(MAX_REDIRECTS + 1):
            response = self._get(url, headers)
            if response.status_code not in _MOVED:
                return response
            response.close()
            url = self._moved(url, response.headers.get("Location", ""))
        raise Refused(self._url, f"more than {MAX_REDIRECTS} redirections", "check the URL in the recipe")

    def _moved(self, url: str, location: str) -> str:
        target = urljoin(url, location)
        old, new = urlsplit(url).scheme, urlsplit(target).scheme
        if not location or new not in ("http", "https"):
            raise Refused(self._url, f"it leads to {masked(target)}, no http(s) URL", "check the URL in the recipe")
        if (old, new) == ("https", "http"):
            why = f"it leads from https to {masked(target)}, where anybody could change it"
            raise Refused(self._url, why, "use a URL that stays with https")
        return target

    def _get(self, url: str, headers: dict[str, str]) -> requests.Response:
        try:
            return self._session.get(url, headers=headers, stream=True, allow_redirects=False, timeout=self._timeout)
        except (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema, UnicodeError) as error:
            raise BadUrl(url, "it is not a valid URL, or a proxy's is not") from error
        except requests.exceptions.SSLError as error:
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                raise Refused(self._url, "the server's certificate is not trusted", _CA_HINT) from error
            raise _Later("the TLS connection failed") from error
        except requests.RequestException as error:
            raise _Later(self._reason(error)) from error

    def _reason(self, error: BaseException) -> str:
        """Why no answer came, in words. The libraries' own words hold the whole URL, and so its secrets."""
        if isinstance(error, requests.Timeout | urllib3.exceptions.TimeoutError):
            return f"no answer within {self._timeout:g} s"
        for cause in _causes(error):
            if isinstance(cause, urllib3.exceptions.NameResolutionError):
                return "the host's name is not known"
            if isinstance(cause, OSError) and cause.strerror:
                return cause.strerror
        if any(isinstance(cause, urllib3.exceptions.ProxyError) for cause in _causes(error)):
            return "the proxy did not let it through"
        return "the connection broke off"


def _causes(error: BaseException) -> list[BaseException]:
    """The error and what led to it, however the libraries noted it."""
    found: list[BaseException] = []
    ahead: list[object] = [error]
    while ahead:
        here = ahead.pop()
        if isinstance(here, BaseException) and here not in found:
            found.append(here)
            ahead += [*here.args, getattr(here, "reason", None), here.__cause__, here.__context__]
    return found


def _length(response: requests.Response) -> int:
    """Content-Length, 0 when it is not stated."""
    stated = response.headers.get("Content-Length", "")
    return int(stated) if stated.isdigit() else 0


def _validator(response: requests.Response) -> str:
    """What If-Range takes: a strong ETag, else the date (weak ETags are not allowed there; RFC 9110, 13.1.5)."""
    etag = str(response.headers.get("ETag", ""))
    return etag if etag.startswith('"') else str(response.headers.get("Last-Modified", ""))


def _retry_after(response: requests.Response) -> float | None:
    """Seconds; the header has seconds or a date (RFC 9110, 10.2.3)."""
    stated = response.headers.get("Retry-After", "").strip()
    if stated.isdigit():
        return float(stated)
    try:
        return max(0.0, parsedate_to_datetime(stated).timestamp() - time())
    except ValueError:
        return None


def _backoff(failures: int) -> float:
    """Seconds before another attempt: growing, and not the same for all clients that were turned away at once."""
    jitter = 0.5 + secrets.randbelow(1000) / 2000
    return float(min(30.0, 2.0 ** (failures - 1)) * jitter)
