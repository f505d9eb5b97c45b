"""A download with an agent's keys. Imported only when something is really fetched: it brings requests with it."""

from __future__ import annotations

from urllib.parse import urlsplit

import requests
from requests.auth import AuthBase, HTTPBasicAuth

from rearch.host.partial import Partial
from rearch.host.rancher.errors import KeysRefused, NoItem
from rearch.host.transfer import Transfer


class Unchanged(Exception):
    """The server says (304) that it still has what If-None-Match named. No failure: nothing is to be done."""


class _OriginAuth(AuthBase):
    """Basic auth for one origin alone: another host that a redirection leads to must not learn the keys.

    Being the session's auth it also keeps requests from putting in what ~/.netrc says.
    """

    def __init__(self, server: str, keys: tuple[str, str]) -> None:
        self._origin = _origin(server)
        self._basic = HTTPBasicAuth(keys[0].encode(), keys[1].encode())

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return self._basic(request) if _origin(request.url or "") == self._origin else request


class ContentTransfer(Transfer):
    """Brings a content item into a Partial. `etag`: of what is there already; `keys`: access and secret."""

    def __init__(
        self,
        url: str,
        partial: Partial,
        *,
        server: str,
        item: str,
        keys: tuple[str, str],
        etag: str,
        limit: int,
        timeout: float,
    ) -> None:
        super().__init__(url, partial, limit=limit, timeout=timeout, trusted_hash=False)
        self.etag = ""
        self._server = server
        self._item = item
        self._session.auth = _OriginAuth(server, keys)
        if etag:
            self._session.headers["If-None-Match"] = etag

    def _check_status(self, response: requests.Response) -> None:
        status = response.status_code
        if status == requests.codes.not_modified and "If-None-Match" in self._session.headers:
            raise Unchanged
        if status in (requests.codes.unauthorized, requests.codes.forbidden):
            raise KeysRefused(self._server, self._item, status)
        if status in (requests.codes.not_found, requests.codes.gone):
            raise NoItem(self._server, self._item, status)
        super()._check_status(response)
        self.etag = str(response.headers.get("ETag", ""))


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)
