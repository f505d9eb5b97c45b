"""Where the submodules of a commit are: gitmodules(5), read by git itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from rearch.host.sources.git_errors import GitSubmodule
from rearch.host.sources.git_mirror import Mirror
from rearch.host.sources.git_tree import Entry
from rearch.host.sources.git_urls import Remote, relative_url, remote

DEEPEST = 10
"""Submodules in submodules; more is a mistake or an attack."""


class Submodule(Struct, frozen=True, kw_only=True):
    """A commit of another repository, at a path of this one."""

    path: str
    commit: str
    remote: Remote


def submodules(mirror: Mirror, commit: str, tree: Iterable[Entry], mirrors: Mapping[str, str]) -> tuple[Submodule, ...]:
    """The submodules of a commit. Hold the mirror's lock. Errors: GitSubmodule, GitUrlRefused."""
    links = [entry for entry in tree if entry.kind == "submodule"]
    if not links:
        return ()
    urls = _urls(mirror, commit) if any(entry.path == ".gitmodules" for entry in tree) else {}
    return tuple(
        Submodule(path=link.path, commit=link.object, remote=_remote(mirror.remote, link.path, urls, mirrors))
        for link in links
    )


def _remote(parent: Remote, path: str, urls: Mapping[str, str], mirrors: Mapping[str, str]) -> Remote:
    url = urls.get(path)
    if not url:
        raise GitSubmodule(parent.name, path, "`.gitmodules` has no URL for it")
    # Against the parent's own URL, not its mirror's: a mirror need not have the same neighbours.
    found = relative_url(parent.url, url)
    if found is None:
        raise GitSubmodule(parent.name, path, f"its relative URL {url!r} climbs above the host")
    return remote(found, mirrors, parent=parent)


def _urls(mirror: Mirror, commit: str) -> dict[str, str]:
    ran = mirror.git.run(
        mirror.path,
        "config",
        "--no-includes",
        "--blob",
        f"{commit}:.gitmodules",
        "--null",
        "--get-regexp",
        r"^submodule\.",
    )
    # 1: no such key. Anything else: the file cannot be read.
    if ran.status not in (0, 1):
        raise GitSubmodule(mirror.remote.name, ".gitmodules", "it cannot be read: " + " ".join(ran.said[-2:]))
    return urls_of(ran.text)


def urls_of(listing: str) -> dict[str, str]:
    """Path to URL, from `git config --null --get-regexp`: records of `submodule.NAME.KEY LF VALUE`."""
    paths: dict[str, str] = {}
    urls: dict[str, str] = {}
    for record in filter(None, listing.split("\0")):
        key, _, value = record.partition("\n")
        name, _, last = key.removeprefix("submodule.").rpartition(".")
        if last == "path":
            paths[name] = value.rstrip("/")
        elif last == "url":
            urls[name] = value
    return {path: urls[name] for name, path in paths.items() if name in urls}
