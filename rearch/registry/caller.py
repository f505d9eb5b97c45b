"""One call of the distribution protocol: challenges answered, redirections followed, failures tried again."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar
from urllib.parse import urljoin, urlsplit

import requests
from msgspec import Struct, field
from msgspec.structs import replace

from rearch.errors import RearchError
from rearch.formats.urls import OfflineError
from rearch.model.frozen import FrozenDict
from rearch.registry.answers import Said, explain, failed_status, read_body, read_said
from rearch.registry.authorizer import Authorizer, Refusal, Scopes
from rearch.registry.errors import LoginWanted, RegistryRefused, UnsafeRedirect
from rearch.registry.patience import Later, keep_trying
from rearch.registry.wire import Body, Wire

_MOVED = (301, 302, 303, 307, 308)
_MOST_REDIRECTS = 5
# Nothing known, then a token that has run out, then a new one.
_MOST_CHALLENGES = 3

T = TypeVar("T")


def _nothing_special(_said: Said) -> None:
    return None


class Call(Struct, frozen=True, kw_only=True):
    """What to ask. `path` is below the registry's address (`/v2/...`), or a whole URL that the registry gave.

    `what` names it in messages. `good` are the statuses that are an answer; others are errors. `scopes` are those of a
    token for it (`repository:library/debian:pull`). `fault` may know better what to raise for a status that is not
    good; 401 is not for it. `silence` in seconds: how long the answer may take, where it is not as usual.
    """

    method: str
    registry: str
    path: str
    what: str
    scopes: Scopes = frozenset()
    headers: Mapping[str, str] = field(default_factory=FrozenDict)
    body: Body = None
    good: tuple[int, ...] = (200,)
    fault: Callable[[Said], Exception | None] = _nothing_special
    silence: float | None = None


class Answer(Struct, frozen=True, kw_only=True):
    """A small answer, read to its end. Names of headers in lower case; `url` is where it came from."""

    status: int
    headers: Mapping[str, str]
    data: bytes
    url: str = ""


class Caller:
    """Makes calls. For several threads. `offline`: makes none, and says so."""

    def __init__(self, wire: Wire, authorizer: Authorizer, *, offline: bool = False) -> None:
        self.wire = wire
        self._authorizer = authorizer
        self._offline = offline

    def ask(self, call: Call, limit: int) -> Answer:
        """Call until there is an answer, of at most `limit` bytes.

        Errors: RegistryUnreachable, LoginWanted, NotInRegistry, RegistryRefused, NotARegistry, UntrustedRegistry,
        UnsafeRedirect, TooLarge, OfflineError, BadDockerConfig, BadCertificates.
        """
        return self.persist(call.what, lambda: self.once(call, limit))

    def once(self, call: Call, limit: int) -> Answer:
        """As `ask`, with one attempt. Errors: Later, and those of `ask`."""
        try:
            return self._once(call, limit)
        except (LoginWanted, RegistryRefused) as error:
            if call.method != "HEAD" or _has_words(error):
                raise
            refused: RearchError = error
        raise self._in_words(call, refused)

    def _in_words(self, call: Call, refused: RearchError) -> RearchError:
        """The refusal of a HEAD, from the answer to the same GET: an answer to HEAD has no body, and so no words (the
        code and message of the registry, or that it speaks HTTPS). Where GET is not refused, that of HEAD stands."""
        try:
            with self.open(replace(call, method="GET")):
                return refused
        except Later:
            return refused
        except RearchError as error:
            return error

    def _once(self, call: Call, limit: int) -> Answer:
        with self.open(call) as response:
            data = read_body(self.wire, response, call.registry, limit, call.what)
            headers = FrozenDict({name.lower(): value for name, value in response.headers.items()})
            return Answer(status=response.status_code, headers=headers, data=data, url=response.url)

    def persist(self, what: str, attempt: Callable[[], T]) -> T:
        """Call `attempt` until it does not raise Later."""
        return keep_trying(self.wire.patience, what, attempt)

    @contextlib.contextmanager
    def open(self, call: Call) -> Iterator[requests.Response]:
        """One attempt; the answer has a good status, and its body is to be read. Errors: Later, and those of `ask`."""
        if self._offline:
            raise OfflineError(call.what, call.registry)
        sent = self._authorizer.header(call.registry, call.scopes, call.what)
        for _ in range(_MOST_CHALLENGES):
            with self._follow(call, sent) as response:
                if response.status_code in call.good:
                    yield response
                    return
                refusal = self._refusal(call, response)
            # The connection is given back before a token is fetched, perhaps from the same host.
            sent = self._authorizer.answer(call.registry, call.scopes, sent, refusal, call.what)
        raise self._authorizer.refused(call.registry, call.scopes, refusal.said, call.what)

    def _refusal(self, call: Call, response: requests.Response) -> Refusal:
        """What a 401 of the registry itself says. Errors: for every other status."""
        host = urlsplit(response.url).netloc
        data = read_body(self.wire, response, host)
        at_home = _origin(response.url) == self._home(call)
        if at_home and response.status_code == requests.codes.unauthorized:
            return Refusal(response.headers.get("WWW-Authenticate", ""), explain(response, data))
        if (error := call.fault(read_said(self.wire.patience, response, data))) is not None:
            raise error
        if at_home and response.status_code == requests.codes.forbidden:
            raise self._authorizer.refused(call.registry, call.scopes, explain(response, data), call.what)
        raise failed_status(self.wire.patience, response, data, host if not at_home else call.registry, call.what)

    @contextlib.contextmanager
    def _follow(self, call: Call, authorization: str | None) -> Iterator[requests.Response]:
        """Go where the answer is. The login is for the registry, and goes to no other host."""
        url = self._url(call)
        for _ in range(_MOST_REDIRECTS + 1):
            own = authorization if _origin(url) == self._home(call) else None
            with self.wire.exchange(
                call.method, url, headers=call.headers, authorization=own, body=call.body, silence=call.silence
            ) as response:
                if response.status_code not in _MOVED:
                    yield response
                    return
                # Read to its end, so that the connection can be used again.
                read_body(self.wire, response, call.registry)
                url = _moved(call, url, response)
        raise UnsafeRedirect(call.what, url, f"and that after {_MOST_REDIRECTS} others")

    def _url(self, call: Call) -> str:
        return urljoin(self.wire.sites.of_registry(call.registry).url, call.path)

    def _home(self, call: Call) -> tuple[str, str, int | None]:
        """The one place that the login is for."""
        return _origin(self.wire.sites.of_registry(call.registry).url)


def _has_words(error: LoginWanted | RegistryRefused) -> bool:
    """Whether more than a status is told, as of a token server, which is not to be asked twice with a wrong login."""
    return ": " in (error.said if isinstance(error, LoginWanted) else error.why)


def _moved(call: Call, url: str, response: requests.Response) -> str:
    location = response.headers.get("Location", "")
    try:
        target = urljoin(url, location)
        old, new = urlsplit(url).scheme, urlsplit(target).scheme
    except ValueError:
        raise UnsafeRedirect(call.what, location, "that is no URL") from None
    if not location or new not in ("http", "https"):
        raise UnsafeRedirect(call.what, target, "that is no http(s) URL")
    if (old, new) == ("https", "http"):
        raise UnsafeRedirect(call.what, target, "from https to http, where anybody could change what comes")
    if call.method not in ("GET", "HEAD") and (response.status_code not in (307, 308) or hasattr(call.body, "read")):
        raise UnsafeRedirect(call.what, target, f"a {call.method} is not sent twice")
    return target


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or {"http": 80, "https": 443}.get(parts.scheme)
