"""All names of many repositories: one `git ls-remote` each, without a clone."""

from __future__ import annotations

from collections.abc import Mapping

from rearch.host.sources.git_errors import GitOffline
from rearch.host.sources.git_refs import list_refs
from rearch.host.sources.git_run import GitRunner, GitSettings
from rearch.host.sources.git_talk import Talker
from rearch.host.sources.git_urls import remote
from rearch.model.frozen import FrozenDict


class GitListing:
    """Asks for the refs of repositories. For several threads."""

    def __init__(self, settings: GitSettings) -> None:
        self._settings = settings
        self._git = GitRunner(settings)

    def refs(self, url: str) -> Mapping[str, str]:
        """Full name -> hash, of branches and tags, with `<tag>^{}` for what a tag object names.

        Errors: GitUrlRefused, GitOffline, and those of Talker.run (GitUnreachable, GitRefused, ...).
        """
        place = remote(url, self._settings.mirrors)
        if self._settings.offline:
            raise GitOffline(place.name, "the list of its tags")
        # Patterns, so that no server sends its refs of pull requests: they are most of a busy repository's.
        return FrozenDict(list_refs(Talker(self._git, place), "refs/tags/*", "refs/heads/*"))
