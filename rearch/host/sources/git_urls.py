"""Which URLs and refs reach git, and how they are shown. Pure.

Policy: https, ssh (also as `user@host:path`) and file (also as an absolute path). http is unsafe on the way,
so it is taken only where `mirrors:` names it as the target (a prefix may be mapped onto itself); the commit's hash
still decides the content. A submodule may be a local folder only where its parent is one: a repository from the
network must not read this machine's (CVE-2022-39253). `ext::` and all other remote helpers, options
in the place of a host, a user or a path (CVE-2017-1000117), and control characters are refused before git sees them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Literal
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from rearch.formats.urls import masked, rewrite
from rearch.host.sources.git_errors import GitRefInvalid, GitUrlRefused

Protocol = Literal["https", "ssh", "file", "http"]

COMMIT = re.compile(r"[0-9a-f]{40}")
_SCP = re.compile(r"(?:(?P<user>[^/@:]+)@)?(?P<host>\[[0-9A-Fa-f:.]+\]|[^/:@\[\]]+):(?P<path>.+)")
_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*|[0-9A-Fa-f:.]+")
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]*")


class Remote(Struct, frozen=True, kw_only=True):
    """`url` is the identity, as recipe or lock spell it; `reach` where it is fetched, after `mirrors:`.

    `protocol` is the only one that git may speak on the way. Both URLs may hold secrets: show `name`.
    """

    url: str
    reach: str
    protocol: Protocol

    @property
    def name(self) -> str:
        """The URL for people, secrets masked."""
        return masked(self.url)

    @property
    def reach_name(self) -> str:
        return masked(self.reach)

    @property
    def folder(self) -> str:
        """The name of its mirror in the cache: readable, and unique by a hash of the URL without its secrets."""
        identity = _public(self.url)
        readable = re.sub(r"[^A-Za-z0-9.]+", "-", identity.partition("://")[2] or identity).strip("-.")[-60:]
        return f"{readable.strip('-.')}-{hashlib.sha256(identity.encode()).hexdigest()[:16]}.git"


def remote(url: str, mirrors: Mapping[str, str], *, parent: Remote | None = None) -> Remote:
    """Check a URL of a recipe, or of a submodule of `parent`. Errors: GitUrlRefused."""
    reach = rewrite(url, mirrors)
    protocol = _protocol(url) if reach == url else _protocol(reach)
    chosen = any(target and reach.startswith(target) for target in mirrors.values())
    if protocol == "http" and not chosen:
        hint = "use https://; to allow it for one host, map its prefix onto itself under `mirrors:`"
        raise GitUrlRefused(masked(url), "http:// can be read and changed on the way", hint)
    if protocol == "file" and parent is not None and parent.protocol != "file" and not chosen:
        raise GitUrlRefused(masked(url), f"a submodule of {parent.name} must not name a local folder")
    return Remote(url=url, reach=f"file://{reach}" if reach.startswith("/") else reach, protocol=protocol)


def _protocol(url: str) -> Protocol:
    shown = masked(url)
    if not url or url.startswith("-"):
        raise GitUrlRefused(shown, "it would be read as an option")
    if re.match(r"[A-Za-z0-9+.-]*::", url):
        raise GitUrlRefused(shown, "remote helpers (`ext::` and the like) can run any command")
    if any(ord(char) <= 0x20 or ord(char) == 0x7F for char in unquote(url)) or "\\" in url:
        raise GitUrlRefused(shown, "it holds white space, a backslash or a control character")
    if "://" in url:
        return _scheme(url)
    if url.startswith("/"):
        return "file"
    return _scp(url)


def _scheme(url: str) -> Protocol:
    try:
        parts = urlsplit(url)
        port, host = parts.port, unquote(parts.hostname or "")
    except ValueError as error:
        raise GitUrlRefused(masked(url), str(error)) from None
    match parts.scheme:
        case "file":
            if parts.netloc or not parts.path.startswith("/"):
                raise GitUrlRefused(masked(url), "a local one is written file:///ABSOLUTE/PATH")
            return "file"
        case "https" | "http" | "ssh" as scheme:
            _check_authority(url, host, unquote(parts.username or "") if scheme == "ssh" else "", port)
            _check_path(url, unquote(parts.path).lstrip("/"))
            return "https" if scheme == "https" else "http" if scheme == "http" else "ssh"
        case other:
            raise GitUrlRefused(masked(url), f"the protocol {other!r} is not allowed")


def _scp(url: str) -> Protocol:
    found = _SCP.fullmatch(url)
    if not found:
        raise GitUrlRefused(masked(url), "it is neither a URL nor an absolute path")
    _check_authority(url, found["host"].strip("[]"), found["user"] or "", None)
    _check_path(url, found["path"])
    return "ssh"


def _check_authority(url: str, host: str, user: str, port: int | None) -> None:
    if not _HOST.fullmatch(host):
        raise GitUrlRefused(masked(url), f"{host!r} is not the name of a host")
    if user and not _USER.fullmatch(user):
        raise GitUrlRefused(masked(url), f"{user!r} is not the name of a user")
    if port == 0:
        raise GitUrlRefused(masked(url), "port 0 is none")


def _check_path(url: str, path: str) -> None:
    if not path or path.startswith("-"):
        raise GitUrlRefused(masked(url), "the path is empty, or would be read as an option")


def relative_url(base: str, url: str) -> str | None:
    """A submodule's URL against its parent's, as git-submodule(1) says; None when it climbs above the host."""
    if not url.startswith(("./", "../")) and url not in (".", ".."):
        return url
    base = base.rstrip("/")
    rest = url.rstrip("/") + "/"
    while rest.startswith(("./", "../")):
        step, rest = rest.split("/", 1)
        if step == "..":
            shorter = _without_last(base)
            if shorter is None:
                return None
            base = shorter
    rest = rest.rstrip("/")
    return base + ("" if base.endswith(":") or not rest else "/") + rest


def _without_last(base: str) -> str | None:
    start = base.find("://")
    start = base.find("/", start + 3) if start >= 0 else base.find(":") + 1 if not base.startswith("/") else 0
    if start < 0 or len(base) <= start:
        return None
    cut = base.rfind("/", start)
    return base[:cut] if cut >= 0 else base[:start]


def _public(url: str) -> str:
    return re.sub(r"(https?://)[^/@\s]+@", r"\1", url).rstrip("/")


def check_ref(ref: str) -> str:
    """A ref by the rules of git-check-ref-format(1). Errors: GitRefInvalid."""
    problem = _ref_problem(ref)
    if problem:
        raise GitRefInvalid(ref, problem)
    return ref


def _ref_problem(ref: str) -> str | None:
    if not ref or ref == "@":
        return "it is empty"
    if ref.startswith("-"):
        return "it would be read as an option"
    if re.search(r"[\x00-\x20\x7f~^:?*\[\\]", ref):
        return "it holds white space, a control character or one of ~ ^ : ? * [ \\"
    if ".." in ref or "@{" in ref or "//" in ref or ref.endswith((".", "/")) or ref.startswith("/"):
        return "it holds '..', '@{' or '//', or begins or ends with a mark"
    if any(part.startswith(".") or part.endswith(".lock") for part in ref.split("/")):
        return "a part of it begins with '.' or ends with '.lock'"
    return None
