"""Where an upload goes on, and how far it is (distribution specification, "Pushing blobs")."""

from __future__ import annotations

import re
from urllib.parse import urljoin, urlsplit

from msgspec import Struct

from rearch.registry.caller import Answer
from rearch.registry.errors import NotARegistry, UnsafeRedirect


class Upload(Struct, frozen=True, kw_only=True):
    """An upload that was begun. `place` is registry/repository, `offset` the bytes that the registry has.

    `location` may let whoever has it write to that upload: it is not for logs. `shortest`: the least that the registry
    takes in one request, but for the last (OCI-Chunk-Min-Length).
    """

    place: str
    digest: str
    location: str
    offset: int = 0
    shortest: int = 0

    def __repr__(self) -> str:
        return f"Upload(place={self.place!r}, digest={self.digest!r}, offset={self.offset})"


def next_location(answer: Answer, what: str, registry: str, home: str, *, needed: bool = True) -> str:
    """The URL that an answer tells to go on with, its query kept; `home` is the registry's own URL.

    Registries behind a proxy that ends TLS often call themselves http://: the same host is still asked by https.
    Without one: empty, or, where it is `needed`, NotARegistry. Errors: UnsafeRedirect.
    """
    location = answer.headers.get("location", "")
    if not location:
        if needed:
            raise NotARegistry(registry, "it begins an upload and does not say where")
        return ""
    try:
        url = urljoin(answer.url, location)
        parts, own = urlsplit(url), urlsplit(home)
        same_host = parts.netloc.rpartition("@")[2].lower() == own.netloc.lower()
    except ValueError:
        raise UnsafeRedirect(what, location, "that is no URL") from None
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise UnsafeRedirect(what, url, "that is no http(s) URL")
    if own.scheme == "https" and parts.scheme == "http":
        if not same_host:
            raise UnsafeRedirect(what, url, "from https to http, where anybody could read and change what is sent")
        return parts._replace(scheme="https", fragment="").geturl()
    return parts._replace(fragment="").geturl()


def bytes_there(answer: Answer) -> int | None:
    """What the header Range of an answer says: `0-99` means 100 bytes. None when it says nothing that can be used.

    `0-0` is what registries say of one byte, and (against the specification) of none: nobody knows.
    """
    found = re.fullmatch(r"(?:bytes=)?0-(\d{1,18})", answer.headers.get("range", "").strip())
    return int(found[1]) + 1 if found and int(found[1]) else None


def shortest_chunk(answer: Answer) -> int:
    """OCI-Chunk-Min-Length, 0 without one."""
    stated = answer.headers.get("oci-chunk-min-length", "").strip()
    return int(stated) if stated.isascii() and stated.isdecimal() and len(stated) < 16 else 0
