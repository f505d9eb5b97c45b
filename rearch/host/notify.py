"""Messages by mail, webhook and chat, through Apprise (https://github.com/caronc/apprise).

An Apprise URL is a secret: it has a token, or a password. It comes from the environment alone, and no text from here
has one: not even Apprise's own log, which is switched off, since it names what it has sent to.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from apprise import NotifyBase

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]{0,31})://")
_PARALLEL = 4


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
    """Send plain text to every address of these variables (Apprise URLs with blanks between them), several at once.

    `kind`: `failure`, `success` or `info`. What went wrong is the answer: nobody's build fails for a message.
    """
    urls = tuple(_urls(variables, environment))
    if not urls:
        return ()
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
    with ThreadPoolExecutor(min(_PARALLEL, len(urls)), thread_name_prefix="notify") as pool:
        found = pool.map(lambda url: _send(url, title, body, kind), urls)
    return tuple(trouble for trouble in found if trouble is not None)


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
    except (OSError, ValueError, TypeError) as error:
        # The text of the error could hold the URL; its kind is enough to look for.
        return Trouble(place=url.place, why=f"{type(error).__name__}")
    return None if sent else Trouble(place=url.place, why="the service did not take it, or could not be reached")


def _server(url: _Url) -> NotifyBase | None:
    """The service that a URL names. A file of the configuration of Apprise is none: URLs come from the variable."""
    from apprise import Apprise

    try:
        found = Apprise.instantiate(url.text, suppress_exceptions=True)
    except (TypeError, ValueError):
        return None
    return found or None
