"""Names of a repository: what a server lists, and which of it a recipe means."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from rearch.host.sources.git_errors import GitRefUnknown
from rearch.host.sources.git_talk import Talker
from rearch.host.sources.git_urls import COMMIT

NEAREST = 5


class Found(Struct, frozen=True, kw_only=True):
    """A ref that exists. `name` is its full one; `commit` what it names, tag objects peeled.

    `branch` is the commit of a branch of the same name as the tag, None where there is none.
    """

    name: str
    commit: str
    branch: str | None = None

    @property
    def is_tag(self) -> bool:
        return self.name.startswith("refs/tags/")


def choose(ref: str, listing: Mapping[str, str]) -> Found | None:
    """Which ref is meant: one in full (`refs/...`), else a tag, else a branch: as gitrevisions(7) orders them."""
    if ref.startswith("refs/") and ref in listing:
        return Found(name=ref, commit=_peeled(ref, listing))
    tag, branch = f"refs/tags/{ref}", listing.get(f"refs/heads/{ref}")
    if tag in listing:
        return Found(name=tag, commit=_peeled(tag, listing), branch=branch)
    return Found(name=f"refs/heads/{ref}", commit=branch) if branch else None


def _peeled(name: str, listing: Mapping[str, str]) -> str:
    return listing.get(f"{name}^{{}}", listing[name])


def parse_listing(text: str) -> dict[str, str]:
    """`git ls-remote`: one line `<hash> TAB <ref>` each; `<ref>^{}` is what a tag object names."""
    listing = {}
    for line in text.splitlines():
        commit, tab, name = line.partition("\t")
        if tab and COMMIT.fullmatch(commit):
            listing[name] = commit
    return listing


def nearest(ref: str, listing: Mapping[str, str]) -> tuple[str, ...]:
    """The tags and branches that are spelled most like `ref`; `v1.2` and `1.2` are like each other."""
    import difflib

    names = {
        name.split("/", 2)[2]: None
        for name in listing
        if name.startswith(("refs/tags/", "refs/heads/")) and "^" not in name
    }
    plain = ref.removeprefix("refs/").removeprefix("tags/").removeprefix("heads/")
    same = [name for name in names if name.lower().removeprefix("v") == plain.lower().removeprefix("v")]
    near = [name for name in difflib.get_close_matches(plain, names, n=NEAREST, cutoff=0.5) if name not in same]
    return tuple((same + near)[:NEAREST])


def list_refs(talker: Talker, *patterns: str) -> dict[str, str]:
    """Ask the server. This is also how it is found out whether it answers at all, before anything long is begun."""
    # Not in the cache: ls-remote reads the configuration of a repository around it.
    with tempfile.TemporaryDirectory(prefix="rearch-git-") as empty:
        limit = 2 * talker.git.settings.timeout
        ran = talker.run(Path(empty), "ls-remote", "--", talker.remote.reach, *patterns, limit=limit)
    return parse_listing(ran.text)


def find(talker: Talker, ref: str) -> Found | None:
    """Look for one name, without the list of all."""
    names = [ref] if ref.startswith("refs/") else [f"refs/tags/{ref}", f"refs/heads/{ref}"]
    return choose(ref, list_refs(talker, *(pattern for name in names for pattern in (name, f"{name}^{{}}"))))


def unknown(talker: Talker, ref: str) -> GitRefUnknown:
    """The error for a name that is not there, with the nearest that are."""
    hash_like = 4 <= len(ref) < 40 and all(char in "0123456789abcdefABCDEF" for char in ref)
    return GitRefUnknown(talker.remote.name, ref, nearest(ref, list_refs(talker)), hash_like=hash_like)
