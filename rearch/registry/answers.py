"""A registry's answers in words. Bodies are bounded, and of them only the specification's error objects are shown."""

from __future__ import annotations

import json
from typing import Any

import requests
from msgspec import Struct

from rearch.errors import RearchError
from rearch.formats.printable import printable
from rearch.formats.urls import masked_in
from rearch.registry.errors import NotARegistry, NotInRegistry, RegistryRefused, TooLarge, UntrustedRegistry
from rearch.registry.patience import AGAIN, Later, Patience
from rearch.registry.wire import Wire

SMALL = 64 * 1024
_BLOCK = 1 << 16
_MOST_ERRORS = 3
_MOST_FAULTS = 100
_MOST_TEXT = 300


def read_body(wire: Wire, response: requests.Response, host: str, limit: int = SMALL, what: str = "") -> bytes:
    """The body of an answer, which may have `limit` bytes. Errors: TooLarge, Later.

    That of a failure or a redirection is cut off at the limit: it is only looked at for words. An answer to HEAD has no
    body, whatever its Content-Length; it is read all the same, which gives the connection back.
    """
    good = response.status_code < requests.codes.multiple_choices and response.request.method != "HEAD"
    stated = response.headers.get("Content-Length", "")
    if good and stated.isdecimal() and len(stated) < 20 and int(stated) > limit:
        raise TooLarge(what or f"an answer of {host}", int(stated), limit, host=host)
    data = bytearray()
    deadline = wire.patience.clock() + wire.longest_body
    with wire.reading(host):
        for block in response.raw.stream(_BLOCK, decode_content=True):
            data += block
            if len(data) > limit and good:
                raise TooLarge(what or f"an answer of {host}", len(data), limit, host=host)
            if len(data) > limit:
                break
            if wire.patience.clock() > deadline:
                raise Later(host, f"the answer did not end within {wire.longest_body:.0f} s")
    return bytes(data)


class Fault(Struct, frozen=True, kw_only=True):
    """One of the error objects that a registry sends. `detail` as it came: text, or JSON."""

    code: str
    message: str
    detail: str


class Said(Struct, frozen=True, kw_only=True):
    """What a registry says when it does not do what was asked. `wait` in seconds: what it asks for."""

    status: int
    words: str
    faults: tuple[Fault, ...] = ()
    page: bool = False
    wait: float | None = None

    def has(self, *codes: str) -> bool:
        """Whether one of its error objects has one of these codes."""
        return any(fault.code in codes for fault in self.faults)


def read_said(patience: Patience, response: requests.Response, data: bytes) -> Said:
    """The answer as a value. Errors: none, whatever came."""
    return Said(
        status=response.status_code,
        words=explain(response, data),
        faults=_faults(data),
        page=is_page(response),
        wait=patience.retry_after(response.headers),
    )


def _faults(data: bytes) -> tuple[Fault, ...]:
    try:
        found: Any = json.loads(data)
    except (ValueError, RecursionError):
        return ()
    errors = found.get("errors") if isinstance(found, dict) else None
    objects = [error for error in errors if isinstance(error, dict)] if isinstance(errors, list) else []
    return tuple(
        Fault(code=_text(each.get("code")), message=_text(each.get("message")), detail=_text(each.get("detail")))
        for each in objects[:_MOST_FAULTS]
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else "" if value is None else json.dumps(value)


def is_page(response: requests.Response) -> bool:
    """Whether a web page came, where a registry sends JSON."""
    return "html" in response.headers.get("Content-Type", "").lower()


def explain(response: requests.Response, data: bytes) -> str:
    """Status and, where the body has them, the registry's own words (distribution specification, "Error Codes")."""
    status = f"the answer is {response.status_code} {printable(response.reason or '')}".rstrip()
    if is_page(response):
        return f"{status}, with a web page"
    words = _error_words(data)
    return f"{status}: {words}" if words else status


def _error_words(data: bytes) -> str:
    try:
        found: Any = json.loads(data)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(found, dict):
        return ""
    errors = found.get("errors")
    if not isinstance(errors, list):
        # Token servers: {"details": ...}, {"error": ..., "error_description": ...}; proxies: {"message": ...}
        single = [found.get(key) for key in ("error", "error_description", "details", "message")]
        return ": ".join(_cut(text) for text in single if isinstance(text, str) and text)
    lines = [_one(error) for error in errors[:_MOST_ERRORS] if isinstance(error, dict)]
    return "; ".join(line for line in lines if line)


def _one(error: dict[str, Any]) -> str:
    parts = (error.get("code"), error.get("message"))
    return ": ".join(_cut(part) for part in parts if isinstance(part, str) and part)


def _cut(text: str) -> str:
    """Printable, and not long. A registry may repeat what it was sent, so nothing that looks like a login is kept."""
    shown = printable(masked_in(text))
    return shown if len(shown) <= _MOST_TEXT else shown[:_MOST_TEXT] + "..."


def failed_status(
    patience: Patience, response: requests.Response, data: bytes, host: str, what: str
) -> RearchError | Later:
    """What to raise for a status that is none of those wanted. 401 and 403 are not for here."""
    status, said = response.status_code, explain(response, data)
    if status in AGAIN or status > 505:
        return Later(host, said, patience.retry_after(response.headers))
    if status == requests.codes.not_found:
        if is_page(response):
            return NotARegistry(host, said)
        return NotInRegistry(what, host, said)
    if b"HTTP request to an HTTPS server" in data:
        hint = f'`registries: {{"{host}": {{plain_http: false}}}}` in rearch.yaml'
        return UntrustedRegistry(host, "it speaks HTTPS, not HTTP", hint)
    if status < requests.codes.bad_request:
        return NotARegistry(host, f"{said}, which was not asked for")
    return RegistryRefused(what, host, said, _hint(status))


def _hint(status: int) -> str:
    hints = {
        400: "a mistake of rearch or of the registry: tell the one or the other",
        405: "the registry does not offer this (a mirror or cache, perhaps): take another one",
        413: "a proxy before the registry limits the size of requests: raise it there",
        416: "the registry's copy of the blob is shorter than it says: push the image anew",
    }
    return hints.get(status, "the registry's own log says more; check the name, and what your account may do")
