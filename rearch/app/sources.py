"""One SourceFetcher for all kinds of sources."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from rearch.model.source import PinnedArchive, PinnedDebian, PinnedGit, PinnedLocal, PinnedSource
from rearch.steps.ports import Workspace

if TYPE_CHECKING:
    from rearch.app.wiring import Adapters


class Sources:
    """Hands a source to the fetcher of its kind, which is imported only then."""

    def __init__(self, adapters: Adapters) -> None:
        self._adapters = adapters

    def fetch(self, source: PinnedSource, work: Workspace) -> None:
        """As steps.ports.SourceFetcher."""
        match source:
            case PinnedGit():
                from rearch.host.sources.git import GitSources

                GitSources(self._adapters.git_settings).fetch(source, work)
            case PinnedDebian():
                from rearch.host.sources.debian import DebianSources

                DebianSources(self._adapters.apt).fetch(source, work)
            case PinnedArchive():
                self._archive(source, work)
            case PinnedLocal():
                from rearch.host.sources.local import LocalSources

                LocalSources(self._adapters.project).fetch(source, work)
            case _:
                assert_never(source)

    def _archive(self, source: PinnedArchive, work: Workspace) -> None:
        from rearch.host.sources.archive import ArchiveSources

        settings = self._adapters.settings
        fetcher = ArchiveSources(
            self._adapters.cache,
            mirrors=settings.mirrors,
            offline=settings.offline,
            timeout=settings.timeout,
            pause=self._adapters.processes.pause,
        )
        fetcher.fetch(source, work)
