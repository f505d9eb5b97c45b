"""One HTTP request and its answer: connections that are kept, no redirections, no cookies, no secrets in errors."""

from __future__ import annotations

import contextlib
import ssl
import threading
from collections.abc import Iterable, Iterator, Mapping
from http.cookiejar import DefaultCookiePolicy
from typing import Any, BinaryIO
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter

from rearch import __version__
from rearch.registry.errors import NotARegistry, UntrustedRegistry
from rearch.registry.gate import Gate
from rearch.registry.patience import Later, Patience
from rearch.registry.sites import Site, Sites

# A stream can be iterated over again, and knows its length.
Body = bytes | BinaryIO | Iterable[bytes] | None

_TOO_MUCH = (429, 503)
# None stands for "not even the environment's".
_NO_PROXY: Any = {"http": None, "https": None, "all": None}


class _Adapter(HTTPAdapter):
    """A pool of connections to one site, with its own idea of whom to trust."""

    def __init__(self, context: ssl.SSLContext | None, connections: int) -> None:
        self._context = context
        super().__init__(pool_connections=1, pool_maxsize=connections, max_retries=0)

    def init_poolmanager(self, *args: Any, **more: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._context, **more)

    def proxy_manager_for(self, *args: Any, **more: Any) -> Any:
        return super().proxy_manager_for(*args, ssl_context=self._context, **more)


class _Authorization(requests.auth.AuthBase):
    """The header that we mean, and none of ~/.netrc, which requests would put in its place."""

    def __init__(self, value: str | None) -> None:
        self._value = value

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._value is not None:
            request.headers["Authorization"] = self._value
        return request


class Wire:
    """Sends requests. For several threads. `timeout` in seconds: to connect, and without any byte.

    `connections`: requests to one host at once; fewer when it says that it is too much.
    """

    def __init__(self, sites: Sites, patience: Patience, *, timeout: float = 30.0, connections: int = 4) -> None:
        self.sites = sites
        self.patience = patience
        self.timeout = timeout
        # A small answer that comes byte by byte is no answer.
        self.longest_body = 4 * timeout
        self._connections = connections
        self._lock = threading.Lock()
        self._sessions: dict[str, requests.Session] = {}
        self._gates: dict[str, Gate] = {}
        self._sent = 0

    @property
    def sent(self) -> int:
        """How many requests were sent so far, whatever came of them."""
        return self._sent

    def close(self) -> None:
        """End all connections."""
        with self._lock:
            for session in self._sessions.values():
                session.close()
            self._sessions.clear()

    def gate(self, host: str) -> Gate:
        """The gate of a host (with its port)."""
        with self._lock:
            return self._gates.setdefault(host, Gate(self._connections, self.patience))

    @contextlib.contextmanager
    def exchange(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        authorization: str | None = None,
        body: Body = None,
        silence: float | None = None,
    ) -> Iterator[requests.Response]:
        """Send one request. The answer, whatever its status, is open while the block runs.

        `silence` in seconds: how long it may take to begin, where it is not as usual.
        Errors: Later (no answer), UntrustedRegistry, NotARegistry (no valid address), BadCertificates.
        """
        site = self.sites.of_url(url)
        with (
            self.gate(site.host).passing(),
            self._send(
                site, method, url, headers=headers, authorization=authorization, body=body, silence=silence
            ) as response,
        ):
            if response.status_code in _TOO_MUCH:
                wait = self.patience.retry_after(response.headers)
                if wait is not None or response.status_code == requests.codes.too_many_requests:
                    self.gate(site.host).slow_down(wait)
            yield response

    @contextlib.contextmanager
    def reading(self, host: str) -> Iterator[None]:
        """Around the reading of an answer's body: what breaks off there is Later."""
        try:
            yield
        except (urllib3.exceptions.HTTPError, requests.RequestException, OSError) as error:
            raise Later(host, self._reason(error)) from error

    def _send(
        self,
        site: Site,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        authorization: str | None,
        body: Body,
        silence: float | None,
    ) -> requests.Response:
        with self._lock:
            self._sent += 1
        try:
            return self._session(site, url).request(
                method,
                url,
                headers=dict(headers),
                data=body,
                auth=_Authorization(authorization),
                stream=True,
                allow_redirects=False,
                timeout=(self.timeout, silence or self.timeout),
                proxies=_NO_PROXY if site.direct else None,
                verify=False if site.insecure else None,
            )
        except (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema, UnicodeError) as error:
            raise NotARegistry(site.host, "it is no valid address, or a proxy's is not") from error
        except requests.exceptions.SSLError as error:
            raise self._tls_failure(site, error) from error
        except requests.RequestException as error:
            raise Later(site.host, self._reason(error)) from error

    def _session(self, site: Site, url: str) -> requests.Session:
        key = f"{urlsplit(url).scheme}://{site.host}"
        with self._lock:
            session = self._sessions.get(key)
            if session is None:
                session = self._sessions[key] = self._new_session(site, tls=key.startswith("https:"))
            return session

    def _new_session(self, site: Site, *, tls: bool) -> requests.Session:
        session = requests.Session()
        session.headers.clear()
        session.headers.update({"User-Agent": f"rearch/{__version__}", "Accept-Encoding": "identity"})
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        if tls and site.insecure:
            # It was asked for, in the settings; a warning for each connection helps nobody.
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        session.mount("http://", _Adapter(None, self._connections))
        session.mount("https://", _Adapter(site.context() if tls else None, self._connections))
        return session

    def _tls_failure(self, site: Site, error: BaseException) -> Exception:
        text = " ".join(str(cause) for cause in _causes(error))
        if "CERTIFICATE_VERIFY_FAILED" in text or "doesn't match" in text:
            folder = f"/etc/docker/certs.d/{site.host}/ca.crt"
            hint = f'put its CA into {folder}, or, if you must, `registries: {{"{site.host}": {{insecure: true}}}}`'
            return UntrustedRegistry(site.host, f"its certificate is not trusted{_verdict(text)}", hint)
        if "WRONG_VERSION_NUMBER" in text or "HTTP_REQUEST" in text or "record layer failure" in text.lower():
            hint = f'if it is meant to: `registries: {{"{site.host}": {{plain_http: true}}}}` in rearch.yaml'
            return UntrustedRegistry(site.host, "it speaks HTTP, not HTTPS", hint)
        if "CERTIFICATE_REQUIRED" in text.upper() or "BAD_CERTIFICATE" in text.upper():
            hint = f"put client.cert and client.key into /etc/docker/certs.d/{site.host}/"
            return UntrustedRegistry(site.host, "it wants a client's certificate", hint)
        return Later(site.host, "the TLS connection failed")

    def _reason(self, error: BaseException) -> str:
        """Why no answer came, in words. The libraries' own words hold whole URLs, and so their secrets."""
        causes = _causes(error)
        if any(_is_timeout(cause) for cause in causes):
            return f"no answer within {self.timeout:g} s"
        if any(isinstance(cause, urllib3.exceptions.ProxyError) for cause in causes):
            return "the proxy did not let it through"
        for cause in causes:
            if isinstance(cause, urllib3.exceptions.NameResolutionError):
                return "the host's name is not known"
            if isinstance(cause, OSError) and cause.strerror:
                return cause.strerror
        return "the connection broke off"


def _is_timeout(error: BaseException) -> bool:
    # urllib3 derives "connection refused" from its time-outs, for older callers' sake.
    if isinstance(error, urllib3.exceptions.NewConnectionError):
        return False
    return isinstance(error, requests.Timeout | urllib3.exceptions.TimeoutError | TimeoutError)


def _verdict(text: str) -> str:
    """OpenSSL's own words on a certificate: `self-signed certificate`, `certificate has expired`, ..."""
    _, found, rest = text.partition("certificate verify failed: ")
    return f" ({rest.partition(' (_ssl')[0][:120]})" if found else ""


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
