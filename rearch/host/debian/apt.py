"""Everything that is asked of apt, made on first use: a run that needs nothing of it starts nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from threading import RLock

from rearch.errors import UsageError
from rearch.host.debian.download import DebianDownloads
from rearch.host.debian.entries import ArchiveEntry, for_architecture, known_suites, of_distribution, read_entries
from rearch.host.debian.fetcher import AptFetcher, Run
from rearch.host.debian.roots import archive_roots
from rearch.host.debian.state import AptState
from rearch.host.debian.suites import archive_entries, suite_entries
from rearch.host.debian.tools import AptTools, Say, check_path, find_apt
from rearch.host.process import Processes

_OS_RELEASE = Path("/etc/os-release")
_DISTRO_INFO = Path("/usr/share/distro-info")


class NoArchives(UsageError):
    """apt is there, but it is set up to use no archive."""

    def __init__(self, tools: AptTools) -> None:
        self.sourcelist = tools.sourcelist
        super().__init__(
            "this host's apt knows no archive",
            (f"looked in {tools.sourcelist} and {tools.sourceparts}",),
            hint="add the distribution's archive there, and try `apt-get update`",
        )


class HostApt:
    """The host's apt. `cache` is rearch's cache folder; `environ` the process's environment; `archives` more roots."""

    def __init__(
        self,
        cache: Path,
        processes: Processes,
        environ: Mapping[str, str],
        *,
        timeout: float = 30.0,
        offline: bool = False,
        archives: tuple[str, ...] = (),
        say: Say = lambda _line: None,
    ) -> None:
        self.cache = cache
        self.processes = processes
        self.say = say
        self._environ = environ
        self._timeout = timeout
        self._offline = offline
        self._archives = archives
        self._states: dict[str, AptState] = {}
        self._guard = RLock()

    @cached_property
    def tools(self) -> AptTools:
        """Errors: AptMissing, UnfitPath."""
        check_path(self.cache)
        return find_apt(self.processes, self._environ, timeout=self._timeout, offline=self._offline)

    @cached_property
    def entries(self) -> tuple[ArchiveEntry, ...]:
        """The distribution's archives. Errors: NoArchives, BadSourceList."""
        found = read_entries(self.tools.sourcelist, self.tools.sourceparts)
        if not found:
            raise NoArchives(self.tools)
        own, others = of_distribution(found, self.known)
        for entry in others:
            self.say(f"apt: {entry.place}: left out, since {' '.join(entry.suites)} is no suite of the distribution")
        return own

    @cached_property
    def known(self) -> frozenset[str]:
        """Names that suites begin with."""
        release = _OS_RELEASE.read_text(encoding="utf-8") if _OS_RELEASE.is_file() else ""
        tables = [path.read_text(encoding="utf-8") for path in sorted(_DISTRO_INFO.glob("*.csv"))]
        return known_suites(release, tables)

    def state(self, architecture: str) -> AptState:
        """The state for a Debian architecture; the host's own has source packages too."""
        with self._guard:
            if architecture not in self._states:
                entries = for_architecture(self.entries, architecture)
                cache = check_path(self.cache)
                self._states[architecture] = AptState(
                    self.tools, cache, architecture, entries, self.processes, sources=architecture == self.tools.native
                )
            return self._states[architecture]

    def suite_states(self, suite: str, architecture: str) -> Iterator[AptState]:
        """States for the packages of one release, in the order in which they are to be tried: that of the host's own
        archives with the suite's name put in place, then that of the settings' archives.

        Errors: NoArchives when neither is there.
        """
        try:
            own = self.entries
        except NoArchives:
            if not self._archives:
                raise
            own = ()
        for entries in (suite_entries(own, suite, self.known), archive_entries(self._archives, own, suite)):
            if entries:
                yield self._suite_state(for_architecture(entries, architecture), suite, architecture)

    def _suite_state(self, entries: tuple[ArchiveEntry, ...], suite: str, architecture: str) -> AptState:
        with self._guard:
            name = f"{architecture} {suite} {' '.join(uri for entry in entries for uri in entry.uris)}"
            if name not in self._states:
                cache = check_path(self.cache)
                self._states[name] = AptState(self.tools, cache, architecture, entries, self.processes, sources=False)
            return self._states[name]

    @cached_property
    def downloads(self) -> DebianDownloads:
        """Files by hash. Offline it needs no apt at all for what is in the cache."""
        return DebianDownloads(self.cache, None if self._offline else self._fetcher, self._roots)

    def _fetcher(self) -> AptFetcher:
        return AptFetcher(self.tools, self.cache)

    def _roots(self, run: Run) -> tuple[str, ...]:
        """The host's archives, then those of the settings, which are enough where apt knows none."""
        try:
            own = self.entries
        except NoArchives:
            if not self._archives:
                raise
            own = ()
        # A sysroot's files may be on other servers than the host's own (Ubuntu's ports).
        return archive_roots((*own, *for_architecture(own, "")), self._archives, self._fetcher(), run)
