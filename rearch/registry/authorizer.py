"""Answers to challenges: basic, and bearer tokens, which are kept for as long as they hold.

Bearer: github.com/distribution/distribution, docs/spec/auth: token.md (GET) and oauth.md (POST, for identity tokens).
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

import requests
from msgspec import Struct, field

from rearch.registry.answers import explain, failed_status, read_body
from rearch.registry.challenge import Challenge, choose, parse_challenges
from rearch.registry.credentials import Credential, Credentials, Login
from rearch.registry.errors import LoginWanted, NotARegistry, UnsafeRedirect
from rearch.registry.patience import Later
from rearch.registry.sites import is_this_machine
from rearch.registry.wire import Wire

CLIENT = "rearch"
_TOKEN_LIMIT = 1 << 20
# "If omitted, this defaults to 60 seconds" (token.md); a token is not used in its last seconds.
_USUAL_LIFE, _LAST_SECONDS = 60.0, 5.0

Scopes = frozenset[str]


class _Token(Struct, frozen=True):
    """A bearer token, and until when it holds (on the monotonic clock)."""

    text: str
    until: float

    def __repr__(self) -> str:
        return f"_Token(until={self.until})"


class _Known(Struct):
    """What is known of one registry. The lock is held while a token is fetched, so that others wait for it."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    challenge: Challenge | None = None
    tokens: dict[Scopes, _Token] = field(default_factory=dict)


class Refusal(Struct, frozen=True):
    """A 401: its WWW-Authenticate, and what it says in words."""

    challenge: str
    said: str


class Authorizer:
    """Makes Authorization headers. For several threads."""

    def __init__(self, wire: Wire, credentials: Credentials) -> None:
        self._wire = wire
        self._credentials = credentials
        self._lock = threading.Lock()
        self._registries: dict[str, _Known] = {}

    def login(self, registry: str) -> Login:
        """Who we are there. Errors: BadDockerConfig."""
        return self._credentials.find(registry)

    def header(self, registry: str, scopes: Scopes, what: str) -> str | None:
        """The header for a request, None before the registry has challenged us. May fetch a token.

        Errors: as `answer`.
        """
        known = self._known(registry)
        if known.challenge is None:
            return None
        if known.challenge.scheme == "basic":
            credential = self.login(registry).credential
            return credential.basic if credential is not None and not credential.identity else None
        return self._bearer(registry, known, known.challenge, scopes, what, stale=None)

    def answer(self, registry: str, scopes: Scopes, sent: str | None, refusal: Refusal, what: str) -> str:
        """The header for another try after a 401; `sent` is what did not do.

        Errors: LoginWanted (nothing more can be tried), Later (the token server), NotARegistry, UnsafeRedirect.
        """
        challenge = choose(parse_challenges(refusal.challenge))
        if challenge is None:
            raise NotARegistry(registry, f"it wants a login, and not of a kind that is known here ({refusal.said})")
        if sent is not None and challenge.get("error") == "insufficient_scope":
            raise self.refused(registry, scopes, refusal.said, what)
        known = self._known(registry)
        known.challenge = challenge
        if challenge.scheme == "bearer":
            return self._bearer(registry, known, challenge, scopes, what, stale=sent)
        credential = self.login(registry).credential
        if credential is None or credential.identity or credential.basic == sent:
            raise self.refused(registry, scopes, refusal.said, what)
        return credential.basic

    def refused(self, registry: str, scopes: Scopes, said: str, what: str) -> LoginWanted:
        """The error for who was not let in."""
        login = self.login(registry)
        scope = " ".join(sorted(scopes))
        return LoginWanted(what, registry, scope=scope, who=login.who, said=said, trouble=login.trouble)

    # --- tokens

    def _known(self, registry: str) -> _Known:
        with self._lock:
            return self._registries.setdefault(registry, _Known())

    def _bearer(
        self, registry: str, known: _Known, challenge: Challenge, scopes: Scopes, what: str, *, stale: str | None
    ) -> str:
        with known.lock:
            now = self._wire.patience.clock()
            token = known.tokens.get(scopes) or _wider(known.tokens, scopes, now)
            # Another thread may have a new one already.
            if token is None or token.until <= now or f"Bearer {token.text}" == stale:
                asked = scopes or frozenset(challenge.get("scope").split())
                token = known.tokens[scopes] = self._fetch(registry, challenge, asked, what)
            return f"Bearer {token.text}"

    def _fetch(self, registry: str, challenge: Challenge, scopes: Scopes, what: str) -> _Token:
        login, realm = self.login(registry), challenge.get("realm")
        self._check_realm(registry, realm, login)
        fields = [("service", challenge.get("service")), ("client_id", CLIENT)]
        if login.credential is not None and login.credential.identity:
            more = [("grant_type", "refresh_token"), ("refresh_token", login.credential.secret)]
            form = [*fields, *more, ("scope", " ".join(sorted(scopes)))]
            return self._ask(registry, "POST", realm, scopes, what, form=form)
        query = [*fields, *(("scope", scope) for scope in sorted(scopes))]
        if login.credential is not None:
            query.append(("account", login.credential.user))
        url = realm + ("&" if urlsplit(realm).query else "?") + urlencode([pair for pair in query if pair[1]])
        return self._ask(registry, "GET", url, scopes, what, credential=login.credential)

    def _check_realm(self, registry: str, realm: str, login: Login) -> None:
        """A password goes over HTTP only where the registry itself is talked to so, or within this machine."""
        parts = urlsplit(realm)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise NotARegistry(registry, "it names no http(s) URL where tokens would come from")
        plain = parts.scheme == "http" and not is_this_machine(parts.netloc)
        if plain and not self._wire.sites.of_registry(registry).plain and login.credential is not None:
            raise UnsafeRedirect(registry, realm, "a login would go there unencrypted")

    def _ask(
        self,
        registry: str,
        method: str,
        url: str,
        scopes: Scopes,
        what: str,
        *,
        credential: Credential | None = None,
        form: list[tuple[str, str]] | None = None,
    ) -> _Token:
        headers = {"Accept": "application/json"}
        if form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        asked = self._wire.patience.clock()
        with self._wire.exchange(
            method,
            url,
            headers=headers,
            authorization=credential.basic if credential is not None else None,
            body=None if form is None else urlencode(form).encode(),
        ) as response:
            data = read_body(self._wire, response, registry, _TOKEN_LIMIT)
            if response.status_code in (400, 401, 403):
                raise self.refused(registry, scopes, explain(response, data), what)
            if response.status_code != requests.codes.ok:
                host = urlsplit(url).netloc.rpartition("@")[2]
                raise failed_status(self._wire.patience, response, data, host, f"a token for {what}")
        return _read_token(registry, data, asked)


def _wider(tokens: Mapping[Scopes, _Token], scopes: Scopes, now: float) -> _Token | None:
    """A token that was asked for with these scopes and more: who may push there may look, with the same token."""
    fitting = (token for have, token in tokens.items() if token.until > now and _covers(have, scopes))
    return next(fitting, None) if scopes else None


def _covers(have: Scopes, wanted: Scopes) -> bool:
    return all(any(_within(scope, other) for other in have) for scope in wanted)


def _within(scope: str, other: str) -> bool:
    """Whether `other` is of the same repository, with all the actions of `scope`."""
    name, _, actions = scope.rpartition(":")
    other_name, _, other_actions = other.rpartition(":")
    return name == other_name and set(actions.split(",")) <= set(other_actions.split(","))


def _read_token(registry: str, data: bytes, asked: float) -> _Token:
    try:
        found: Any = json.loads(data)
        text = found.get("token") or found.get("access_token")
        life = float(found.get("expires_in") or _USUAL_LIFE)
    except (ValueError, TypeError, AttributeError, RecursionError):
        # Not chained: the error would hold the token.
        raise Later(registry, "what its token server sends is no token") from None
    if not isinstance(text, str) or not text.isascii() or not text.isprintable() or not text:
        raise Later(registry, "what its token server sends is no token")
    return _Token(text, asked + max(life - _LAST_SECONDS, 1.0))
