"""URLs: what they become before they are used (mirrors), and before they are shown (no secrets)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from rearch.errors import TemporaryError

MIRROR_HINT = "try again later, or name a mirror under `mirrors:` in rearch.yaml (URL prefix: its replacement)"


class OfflineError(TemporaryError):
    """Something is not in the cache, and the network may not be used."""

    def __init__(self, what: str, url: str) -> None:
        self.what = what
        self.url = masked(url)
        super().__init__(
            f"{what} is not in the cache, and --offline forbids to fetch it",
            (f"it would come from {self.url}",),
            hint="run once without --offline (REARCH_OFFLINE, `offline:` in rearch.yaml)",
        )


def rewrite(url: str, mirrors: Mapping[str, str]) -> str:
    """The URL with its longest matching prefix replaced, once; as it was when none matches.

    A prefix matches whole parts of a URL: `https://github.com/rancher` is not a prefix of
    `https://github.com/rancher-sandbox/x`, but it is one of `https://github.com/rancher.git`.
    Between the replacement and the rest stands one slash, however the two were written.
    """
    found = max((prefix for prefix in mirrors if _is_prefix(prefix, url)), key=len, default=None)
    if found is None:
        return url
    rest, replacement = url[len(found) :], mirrors[found]
    if rest.startswith("/") or (rest and found.endswith("/")):
        return replacement.rstrip("/") + "/" + rest.lstrip("/")
    return (replacement.rstrip("/") if rest == ".git" else replacement) + rest


def _is_prefix(prefix: str, url: str) -> bool:
    if not prefix or not url.startswith(prefix):
        return False
    rest = url[len(prefix) :]
    return prefix[-1] in "/:" or not rest or rest[0] in "/?#" or rest == ".git"


_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_SECRET_VALUE = re.compile(r"(?<=[?&;])([^=&;#]+)=[^&;#]*")


def masked(url: str) -> str:
    """The URL as it may be shown: no user name, no password, no values in its query, no fragment.

    Query values go all together, since a token can have any name (`token`, `X-Amz-Signature`, `sig`).
    The user of ssh (`git@host`, no password) is no secret and stays.
    """
    if not _SCHEME.match(url):
        return url
    scheme, _, rest = url.partition("://")
    authority, slash, path = re.match(r"([^/?#]*)(/?)(.*)", rest, re.S).groups()  # type: ignore[union-attr]
    user, at, host = authority.rpartition("@")
    if at and (":" in user or scheme.lower() in ("http", "https")):
        user = "***"
    shown = _SECRET_VALUE.sub(r"\1=***", path.partition("#")[0])
    return f"{scheme}://{user}{at}{host}{slash}{shown}"


def host_of(url: str) -> str:
    """The host that a URL names, for messages; empty for a file."""
    return urlsplit(url).hostname or ""


_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,30}://[^\s\"'<>]+")


def masked_in(text: str) -> str:
    """A text of somebody else with every URL in it as it may be shown."""
    return _URL.sub(lambda found: masked(found[0]), text)
