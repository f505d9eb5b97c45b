"""What an overlay takes off before it passes a message on, and what of a request a log may say."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import parse_qsl

from multidict import CIMultiDict

# Of one connection, not of the message (RFC 9110, 7.6.1; the Proxy-* of RFC 2616, 13.5.1). Expect is answered by who
# receives the request. Host is the next server's.
_HOP = {
    *("connection", "keep-alive", "proxy-connection", "proxy-authenticate", "proxy-authorization", "te", "trailer"),
    *("transfer-encoding", "upgrade", "expect", "host"),
}
_SHOWN = {"current", "version"}
_ITEM = re.compile(r"(?:/[^/]+)*/configcontent/([^/]+)/?")
# /v1/scripts/<registration token>: who has it can add hosts.
_TOKEN = re.compile(r"(/scripts/+)(?!bootstrap(?:/|$))[^/]+")


def passed_on(headers: Iterable[tuple[str, str]]) -> CIMultiDict[str]:
    """The headers of a message for the next hop, in their order."""
    given = list(headers)
    named = {word.strip().lower() for name, value in given if name.lower() == "connection" for word in value.split(",")}
    return CIMultiDict((name, value) for name, value in given if name.lower() not in _HOP | named)


def wanted_item(raw_path: str) -> str | None:
    """The content item that a path (with its query) asks for, however many slashes its parts are joined with."""
    path = re.sub("/{2,}", "/", raw_path.partition("?")[0])
    found = _ITEM.fullmatch(path)
    return found[1] if found else None


def without_current(raw_path: str) -> str:
    """The same request as from an agent that has nothing yet, so that the answer is an archive and not `uptodate`."""
    path, mark, query = raw_path.partition("?")
    kept = [part for part in query.split("&") if part.partition("=")[0] not in ("current", "")]
    return f"{path}{mark or '?'}{'&'.join([*kept, 'current='])}"


def loggable(raw_path: str) -> str:
    """A path and query without secrets, in printable ASCII: the log is read by people and by programs."""
    path, mark, query = raw_path.partition("?")
    pairs = parse_qsl(query, keep_blank_values=True)
    shown = "&".join(f"{name}={value if name in _SHOWN else '***'}" for name, value in pairs)
    text = _TOKEN.sub(r"\1***", path) + mark + shown
    return "".join(char if "!" <= char <= "~" else f"\\x{ord(char):02x}" for char in text)[:500]
