"""From a name in a recipe to a commit in rearch.lock."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from msgspec.structs import replace

from rearch.errors import RearchError
from rearch.host.sources.git_errors import CommitFacts, GitOffline, GitRefUnknown, GitTagMoved
from rearch.host.sources.git_mirror import Mirror
from rearch.host.sources.git_refs import Found, find, list_refs, unknown
from rearch.host.sources.git_run import GitRunner, GitSettings
from rearch.host.sources.git_streams import Progress
from rearch.host.sources.git_urls import COMMIT, check_ref, remote
from rearch.model.recipe import GitSource
from rearch.model.source import PinnedGit


class GitResolver:
    """Resolves git sources for `invoke lock`."""

    def __init__(self, settings: GitSettings, say: Callable[[str], None] = lambda _line: None) -> None:
        self._settings = settings
        self._git = GitRunner(settings)
        self._say = say

    def resolve(self, source: GitSource, pinned: PinnedGit | None = None) -> PinnedGit:
        """The commit that `source.ref` names, with its time. All 40 digits of a commit name itself.

        `pinned` is what rearch.lock has, None to take whatever is there now (`invoke lock --update`). Of the
        same URL and name, it stays: a branch waits for --update, and a tag that has moved is an error. Offline
        it is taken without asking; without it only a full commit in the cache can be resolved.
        Errors: GitUrlRefused, GitRefInvalid, GitRefUnknown, GitNotACommit, GitTagMoved, GitUnreachable, GitRefused,
        GitOffline, GitCommitGone.
        """
        ref = source.ref.lower() if COMMIT.fullmatch(source.ref.lower()) else check_ref(source.ref)
        mirror = Mirror(self._git, remote(source.git, self._settings.mirrors))
        kept = pinned if pinned is not None and (pinned.url, pinned.ref) == (source.git, source.ref) else None
        commit = self._commit(mirror, ref, kept)
        if kept is not None and commit == kept.commit:
            return replace(kept, submodules=source.submodules)
        facts = obtain(mirror, commit, ref)
        return PinnedGit(url=source.git, ref=source.ref, commit=commit, time=facts.time, submodules=source.submodules)

    def moved(self, pinned: PinnedGit) -> GitTagMoved | None:
        """Whether the tag of a locked source names another commit now. Asks the server."""
        mirror = Mirror(self._git, remote(pinned.url, self._settings.mirrors))
        return moved(mirror, pinned)

    def now(self, pinned: PinnedGit) -> Found | None:
        """What the ref of a locked source names now, None where there is none. One question to the server."""
        mirror = Mirror(self._git, remote(pinned.url, self._settings.mirrors))
        return find(mirror.talker, check_ref(pinned.ref))

    def gone(self, pinned: PinnedGit) -> GitRefUnknown:
        """The error for a ref that is not there any more. Asks the server for what is spelled like it."""
        return unknown(Mirror(self._git, remote(pinned.url, self._settings.mirrors)).talker, pinned.ref)

    def _commit(self, mirror: Mirror, ref: str, kept: PinnedGit | None) -> str:
        if COMMIT.fullmatch(ref):
            return ref
        if self._settings.offline:
            if kept is None:
                raise GitOffline(mirror.remote.name, f"what {ref} names")
            return kept.commit
        found = find(mirror.talker, ref)
        if found is None:
            raise unknown(mirror.talker, ref)
        if found.branch is not None:
            self._say(f"{mirror.remote.name}: {ref} is a tag and a branch; the tag is taken: {found.commit}")
        if kept is None or found.commit == kept.commit:
            return found.commit
        if found.is_tag:
            raise _tag_moved(mirror, kept, found)
        return kept.commit


def obtain(mirror: Mirror, commit: str, ref: str, progress: Progress | None = None) -> CommitFacts:
    """Have the commit in the mirror, fetching it only when it is not there. Takes the mirror's lock."""
    with mirror.locked(write=False):
        if mirror.has(commit):
            return mirror.facts(commit)
    with mirror.locked(write=True):
        # Another run may have fetched it while we waited.
        if not mirror.has(commit):
            mirror.fetch(commit, ref, progress)
        return mirror.facts(commit)


def moved(mirror: Mirror, pinned: PinnedGit) -> GitTagMoved | None:
    """The error for a tag that names another commit than the locked one; None when all is well, or it is no tag.

    This is also the first question to the server, with a short time limit, before a fetch.
    """
    if COMMIT.fullmatch(pinned.ref.lower()):
        list_refs(mirror.talker, "HEAD")
        return None
    found = find(mirror.talker, check_ref(pinned.ref))
    if found is None or not found.is_tag or found.commit == pinned.commit:
        return None
    return _tag_moved(mirror, pinned, found)


def _tag_moved(mirror: Mirror, pinned: PinnedGit, found: Found) -> GitTagMoved:
    facts = tuple(_facts_or_none(mirror, commit, pinned.ref) for commit in (pinned.commit, found.commit))
    return GitTagMoved(mirror.remote.name, pinned.ref, pinned.commit, found.commit, facts)


def _facts_or_none(mirror: Mirror, commit: str, ref: str) -> CommitFacts | None:
    """For the text of an error that is raised anyway: what cannot be had is left out of it."""
    with contextlib.suppress(RearchError):
        return obtain(mirror, commit, ref)
    return None
