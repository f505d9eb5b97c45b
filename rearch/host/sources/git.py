"""The git source: steps.ports.SourceFetcher for PinnedGit."""

from __future__ import annotations

from pathlib import Path

from rearch.formats.tree import remove_tree
from rearch.host.sources.git_errors import GitHostile, GitOffline, GitRefInvalid
from rearch.host.sources.git_export import read_tree, settle, write_tree
from rearch.host.sources.git_mirror import Mirror, MirrorDamaged
from rearch.host.sources.git_resolve import moved, obtain
from rearch.host.sources.git_run import GitRunner, GitSettings
from rearch.host.sources.git_submodules import DEEPEST, Submodule, submodules
from rearch.host.sources.git_tree import Budget, Entry
from rearch.host.sources.git_urls import COMMIT, Remote, remote
from rearch.model.source import PinnedGit, PinnedSource
from rearch.steps.ports import Workspace


class GitSources:
    """Fetches commits. Safe to share between threads; runs at the same time share the mirrors in the cache."""

    def __init__(self, settings: GitSettings) -> None:
        self._settings = settings
        self._git = GitRunner(settings)

    def fetch(self, source: PinnedSource, work: Workspace) -> None:
        """Write the commit's tree into `work.files/"source"`, without .git, all times set to the commit's.

        A commit in the cache is taken without asking anybody. One that is not is fetched, after a look whether
        its tag still names it. Errors: as in SourceFetcher, GitTagMoved, GitCommitGone, GitSubmodule.
        """
        if not isinstance(source, PinnedGit):
            raise TypeError(f"GitSources cannot fetch a {type(source).__name__}")
        if not COMMIT.fullmatch(source.commit):
            raise GitRefInvalid(source.commit, "a locked commit has 40 hexadecimal digits")
        mirror = Mirror(self._git, remote(source.url, self._settings.mirrors))
        self._check_tag(mirror, source)
        into = work.files / "source"
        time = _Fetch(self._git, work, follow=source.submodules).tree(mirror, source.commit, source.ref, into)
        settle(into, mirror.remote.name, time)

    def _check_tag(self, mirror: Mirror, source: PinnedGit) -> None:
        with mirror.locked(write=False):
            if mirror.has(source.commit):
                return
        if self._settings.offline:
            raise GitOffline(mirror.remote.name, f"commit {source.commit} ({source.ref})")
        error = moved(mirror, source)
        if error:
            raise error


class _Fetch:
    """One tree with its submodules."""

    def __init__(self, git: GitRunner, work: Workspace, *, follow: bool) -> None:
        self._git = git
        self._work = work
        self._follow = follow
        self._budget = Budget.of(work.limits)
        self._indexes = 0

    def tree(self, mirror: Mirror, commit: str, ref: str, into: Path, depth: int = 0) -> int:
        """Write one repository's tree and what is below it; returns the commit's time."""
        facts = obtain(mirror, commit, ref, self._work.progress)
        self._work.say(f"{mirror.remote.name}: {facts}")
        try:
            inner = self._write(mirror, commit, into)
        except MirrorDamaged as damage:
            self._renew(mirror, commit, ref, damage)
            inner = self._write(mirror, commit, into)
        for submodule in inner:
            self._submodule(mirror.remote, submodule, into, depth + 1)
        return facts.time

    def _write(self, mirror: Mirror, commit: str, into: Path) -> tuple[Submodule, ...]:
        _empty(into)
        with mirror.locked(write=False):
            tree = read_tree(mirror, commit)
            self._budget.spend(mirror.remote.name, tree)
            self._indexes += 1
            write_tree(mirror, commit, into, self._work.scratch / f"git-index-{self._indexes}")
            if self._follow:
                return submodules(mirror, commit, tree, self._git.settings.mirrors)
        self._say_left_out(mirror.remote, tree)
        return ()

    def _renew(self, mirror: Mirror, commit: str, ref: str, damage: MirrorDamaged) -> None:
        """A cache that a disk has damaged is no reason to fail, while there is a server to ask."""
        if self._git.settings.offline:
            raise damage
        self._work.say(f"{damage.summary}; it is fetched anew ({'; '.join(damage.details)})")
        with mirror.locked(write=True):
            mirror.remove()
            mirror.fetch(commit, ref, self._work.progress)

    def _submodule(self, parent: Remote, submodule: Submodule, into: Path, depth: int) -> None:
        if depth > DEEPEST:
            raise GitHostile(parent.name, f"submodules more than {DEEPEST} deep", (repr(submodule.path),))
        mirror = Mirror(self._git, submodule.remote)
        self.tree(mirror, submodule.commit, submodule.commit, into / submodule.path, depth)

    def _say_left_out(self, remote: Remote, tree: tuple[Entry, ...]) -> None:
        paths = [entry.path for entry in tree if entry.kind == "submodule"]
        if paths:
            self._work.say(f"{remote.name}: not fetched, for `submodules` is false: {', '.join(map(repr, paths))}")


def _empty(folder: Path) -> None:
    """The folder, new or with what a first try left in it taken away."""
    remove_tree(folder)
    folder.mkdir(parents=True)
