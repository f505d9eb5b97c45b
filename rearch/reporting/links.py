"""Where a source can be read on the web: the address is made from a recipe's URL, which anybody may have written."""

from __future__ import annotations

import re
from urllib.parse import quote, urlsplit

_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_SCP = re.compile(r"(?:[A-Za-z0-9._-]+@)?([A-Za-z0-9.-]+):(?!/)([^\s]+)")
_GITLAB_LIKE = ("gitlab.",)
DEBIAN = "https://tracker.debian.org/pkg/"


def web_address(url: str) -> str | None:
    """A URL that may stand in an href: http or https, no login in it; None for all others (`javascript:`, files)."""
    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not host:
        return None
    place = f"[{host}]" if ":" in host else host
    where = f"{place}:{port}" if port else place
    path = quote(parts.path, safe="/%:@!$&'()*+,;=~-._")
    query = f"?{quote(parts.query, safe='/%:@!$&()*+,;=~-._?')}" if parts.query else ""
    return f"{parts.scheme}://{where}{path}{query}"


def repository_address(url: str) -> str | None:
    """The page of a git repository: what `git clone` takes, without `.git`; `git@host:path` is taken as https."""
    scp = _SCP.fullmatch(url.strip())
    if "://" not in url and scp is not None:
        url = f"https://{scp[1]}/{scp[2]}"
    found = web_address(url)
    return found.removesuffix("/").removesuffix(".git") if found is not None else None


def commit_address(url: str, commit: str) -> str | None:
    """The page of a commit, as GitHub, Gitea and (with `/-/`) GitLab spell it; None for what is no web address."""
    page = repository_address(url)
    if page is None or not _COMMIT.fullmatch(commit):
        return page
    host = urlsplit(page).hostname or ""
    middle = "/-/commit/" if host.startswith(_GITLAB_LIKE) else "/commit/"
    return f"{page}{middle}{commit}"


def debian_address(package: str) -> str:
    """The tracker's page of a Debian source package."""
    return DEBIAN + quote(package, safe="+")


def upstream(kind: str, url: str, identity: str) -> str | None:
    """The link of a version. `kind`: git, archive, debian (its `url` is the package's name), local, toolchain."""
    match kind:
        case "git":
            return commit_address(url, identity)
        case "debian":
            return debian_address(url) if url else None
        case _:
            return web_address(url)
