"""Messages by mail, webhook and chat, through Apprise (https://github.com/caronc/apprise).

An Apprise URL is a secret: it has a token, or a password. It comes from the environment alone, and no text from here
has one: not even Apprise's own log, which is switched off, since it names what it has sent to.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from apprise import NotifyBase

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]{0,31})://")
DEADLINE = 60.0
"""Seconds for all messages together. Apprise's own time-outs are for each read of a socket: a server that sends a byte
now and then, or a name that is looked up forever, would hold a night, and its lock."""
# What plugins are known to raise; a mistake in one of a hundred must not cost the others their message.
_FAULTS = (OSError, ValueError, TypeError, LookupError, AttributeError, RuntimeError, ArithmeticError)


class Trouble(Struct, frozen=True, kw_only=True):
    """A message that did not arrive. `place`: variable and scheme, as `REARCH_NOTIFY_URLS (slack)`."""

    place: str
    why: str

    @property
    def words(self) -> str:
        """For a warning."""
        return f"the message by {self.place} was not sent: {self.why}"


class _Url(Struct, frozen=True, kw_only=True):
    """One address. `place` is what may be shown of it."""

    place: str
    text: str


def has_addresses(variables: Sequence[str], environment: Mapping[str, str]) -> bool:
    """Whether any of these variables names somebody."""
    return any(environment.get(name, "").strip() for name in variables)


def send(
    title: str, body: str, kind: str, variables: Sequence[str], environment: Mapping[str, str]
) -> tuple[Trouble, ...]:
    """Send plain text to every address of these variables (Apprise URLs with blanks between them), all at once.

    `kind`: `failure`, `success` or `info`. What went wrong is the answer: nobody's build fails for a message, nor waits
    longer than DEADLINE for it.
    """
    urls = tuple(_urls(variables, environment))
    if not urls:
        return ()
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
    end = time.monotonic() + DEADLINE
    sendings = [_Sending(url, title, body, kind) for url in urls]
    for sending in sendings:
        sending.start()
    found = [sending.trouble(max(0.0, end - time.monotonic())) for sending in sendings]
    return tuple(trouble for trouble in found if trouble is not None)


class _Sending(threading.Thread):
    """One message on its way. A daemon: one that hangs does not keep the process from ending."""

    def __init__(self, url: _Url, title: str, body: str, kind: str) -> None:
        super().__init__(name=f"notify {url.place}", daemon=True)
        self._url = url
        self._said = (title, body, kind)
        self._found: Trouble | None = Trouble(
            place=url.place, why=f"no answer within {DEADLINE:g} s; it may arrive all the same"
        )

    def run(self) -> None:
        self._found = _send(self._url, *self._said)

    def trouble(self, seconds: float) -> Trouble | None:
        """What went wrong within so many seconds from now."""
        self.join(seconds)
        return self._found


def _urls(variables: Sequence[str], environment: Mapping[str, str]) -> Iterator[_Url]:
    """Commas are part of some URLs; blanks are of none."""
    for variable in dict.fromkeys(variables):
        for text in dict.fromkeys(environment.get(variable, "").split()):
            scheme = _SCHEME.match(text)
            yield _Url(place=f"{variable} ({scheme[1].lower() if scheme else 'no URL'})", text=text)


def _send(url: _Url, title: str, body: str, kind: str) -> Trouble | None:
    server = _server(url)
    if server is None:
        return Trouble(place=url.place, why="Apprise knows no such service, or the URL lacks something")
    try:
        sent = server.notify(title=title, body=body, notify_type=kind, body_format="text")
    except _FAULTS as error:
        # The text of the error could hold the URL; its kind is enough to look for.
        return Trouble(place=url.place, why=f"{type(error).__name__}")
    return None if sent else Trouble(place=url.place, why="the service did not take it, or could not be reached")


def _server(url: _Url) -> NotifyBase | None:
    """The service that a URL names. A file of the configuration of Apprise is none: URLs come from the variable."""
    from apprise import Apprise

    try:
        found = Apprise.instantiate(url.text, suppress_exceptions=True)
    except _FAULTS:
        return None
    return found or None
