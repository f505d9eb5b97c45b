"""Archives of another release than the host's: its lists of archives with another suite's name put in place."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from rearch.errors import UsageError
from rearch.host.debian.entries import ArchiveEntry, merged

# What belongs to a release by itself. Backports and proposed updates are taken by who names them as the suite.
_TAILS = ("", "-updates", "-security", "/updates")
# Up to Debian 10 the security archive called its suites `buster/updates`
# (https://www.debian.org/releases/bullseye/amd64/release-notes/ch-information.en.html#security-archive).
_SLASHED = frozenset(["wheezy", "jessie", "stretch", "buster"])
# Where everything lands first: there is nothing to correct afterwards.
_UNRELEASED = frozenset(["sid", "unstable", "experimental", "rc-buggy"])
# Releases whose packages were not made for /bin, /sbin and /lib as links into /usr by default
# (https://wiki.debian.org/UsrMerge; Ubuntu merged in 19.04).
_SPLIT = frozenset(["wheezy", "jessie", "stretch", "buster", "trusty", "xenial", "bionic"])


class UnknownSuite(UsageError):
    """A release that no archive has."""

    def __init__(self, suite: str, places: Sequence[str], known: Iterable[str]) -> None:
        self.suite = suite
        self.places = tuple(places)
        self.near = tuple(difflib.get_close_matches(suite, sorted(known), 3))
        near = f"write {' or '.join(self.near)}; or n" if self.near and suite not in self.near else "n"
        super().__init__(
            f"no archive has a suite {suite!r}",
            [f"looked in {place}" for place in self.places],
            hint=f"{near}ame an archive that has it under `debian_archives:` in rearch.yaml "
            "(old releases move to the distribution's archive of old releases)",
        )


def suite_entries(entries: Iterable[ArchiveEntry], suite: str, known: frozenset[str]) -> tuple[ArchiveEntry, ...]:
    """These entries for another release: `bookworm-security` becomes `trixie-security`, where it is `trixie`.

    `known` are the names of releases. What belongs to no release, and further suites of one (backports), is left out.
    """
    heads = {word for entry in entries for word in entry.suites}
    known = known or frozenset(re.split("[-/]", word, maxsplit=1)[0] for word in heads)
    found = ((entry, _put(entry.suites, suite, known)) for entry in entries)
    return merged(replace(entry, suites=suites) for entry, suites in found if suites)


def _put(suites: Iterable[str], suite: str, known: frozenset[str]) -> tuple[str, ...]:
    tails = [word[len(head) :] for word in suites if (head := _head(word, known)) is not None]
    wanted = (_suite(suite, tail) for tail in tails if tail in _TAILS)
    return tuple(dict.fromkeys(word for word in wanted if word))


def _head(word: str, known: frozenset[str]) -> str | None:
    """The release's name that a suite's name begins with."""
    if word in known:
        return word
    head = re.split("[-/]", word, maxsplit=1)[0]
    return head if head in known else None


def _suite(suite: str, tail: str) -> str:
    if not tail:
        return suite
    if suite in _UNRELEASED:
        return ""
    if tail == "-updates":
        return suite + tail
    return f"{suite}/updates" if suite in _SLASHED else f"{suite}-security"


def archive_entries(roots: Iterable[str], own: Sequence[ArchiveEntry], suite: str) -> tuple[ArchiveEntry, ...]:
    """Entries for further roots of archives. What signs them is what signs the host's own first entry."""
    like = own[0] if own else None
    return merged(
        ArchiveEntry(
            uris=(root,),
            suites=(suite,),
            components=like.components if like else ("main",),
            options=tuple(pair for pair in like.options if pair[0] in ("signed-by", "trusted")) if like else (),
            place="debian_archives",
        )
        for root in roots
    )


def is_merged(suite: str) -> bool:
    """Whether /bin, /sbin and /lib of a release are links into /usr. They are where the release is not known."""
    return suite not in _SPLIT
