"""A repository's tree for looking at: fetched as the build fetches it, with the same limits, and thrown away after."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

from msgspec import Struct

from rearch.app.wiring import Adapters
from rearch.errors import UsageError
from rearch.formats.tree import remove_tree
from rearch.model.command import Command, Completed
from rearch.model.recipe import GitSource
from rearch.model.source import PinnedGit
from rearch.report import Said
from rearch.steps.ports import Workspace
from rearch.upkeep.new_choose import newest_tag

# Of one file that is read: more is no code that somebody wrote.
LARGEST = 2 * 1024 * 1024


class EmptyRepository(UsageError):
    """A repository that has no commit at all."""

    def __init__(self, url: str) -> None:
        self.url = url
        super().__init__(f"{url} has no branch and no tag", hint="is the URL right?")


class Fetched(Struct, frozen=True, kw_only=True):
    """`tag` is None where a commit was taken; `why` says in a sentence how it was chosen."""

    folder: Path
    pinned: PinnedGit
    tag: str | None
    why: str


class FolderTree:
    """A folder as upkeep.inspect_tree.SourceTree. Links are left out: they could lead anywhere."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._texts: dict[str, str] = {}

    @cached_property
    def paths(self) -> frozenset[str]:
        found = set()
        for place, _, names in os.walk(self._root):
            folder = Path(place)
            for name in names:
                path = folder / name
                if not path.is_symlink():
                    found.add(path.relative_to(self._root).as_posix())
        return frozenset(found)

    def read(self, path: str) -> str:
        if path not in self._texts:
            self._texts[path] = self._read(path) if path in self.paths else ""
        return self._texts[path]

    def _read(self, path: str) -> str:
        file = self._root / path
        if file.stat().st_size > LARGEST:
            return ""
        return file.read_text(encoding="utf-8-sig", errors="replace")


@contextmanager
def fetched(adapters: Adapters, url: str, ref: str) -> Iterator[Fetched]:
    """The tree of a ref; without one of the newest version's tag, else of the default branch as it is now.

    Errors: EmptyRepository; those of host.sources.git_resolve.GitResolver and git.GitSources.
    """
    chosen, why = (ref, "The ref that was asked for.") if ref else _newest(adapters, url)
    pinned = adapters.git.resolve(GitSource(git=url, ref=chosen))
    is_tag = _is_tag(adapters, url, chosen)
    if not is_tag and chosen != pinned.commit:
        why = f"{chosen} is a branch, which moves: this is the commit that it named."
    with _workspace(adapters) as work:
        from rearch.host.sources.git import GitSources

        adapters.report(Said(text=f"looking at {url} {chosen} ({pinned.commit[:12]})"))
        GitSources(adapters.git_settings).fetch(pinned, work)
        yield Fetched(folder=work.files / "source", pinned=pinned, tag=chosen if is_tag else None, why=why)


def _listing(adapters: Adapters, url: str, *patterns: str) -> dict[str, str]:
    from rearch.host.sources.git_mirror import Mirror
    from rearch.host.sources.git_refs import list_refs
    from rearch.host.sources.git_run import GitRunner
    from rearch.host.sources.git_urls import remote

    mirror = Mirror(GitRunner(adapters.git_settings), remote(url, adapters.settings.mirrors))
    return list_refs(mirror.talker, *patterns)


def _newest(adapters: Adapters, url: str) -> tuple[str, str]:
    refs = _listing(adapters, url)
    tags = [name.removeprefix("refs/tags/") for name in refs if name.startswith("refs/tags/") and "^" not in name]
    tag = newest_tag(tags)
    if tag is not None:
        return tag, f"The newest version among {len(tags)} tag{'s' * (len(tags) != 1)}."
    if "HEAD" not in refs:
        raise EmptyRepository(url)
    return refs["HEAD"], "No tag looks like a version, so this is the default branch's commit as it was now."


def _is_tag(adapters: Adapters, url: str, ref: str) -> bool:
    name = f"refs/tags/{ref}"
    return not adapters.settings.offline and name in _listing(adapters, url, name)


@contextmanager
def _workspace(adapters: Adapters) -> Iterator[Workspace]:
    """A step's workspace without a step; in the cache, where the mirror is."""
    base = adapters.cache / "new"
    base.mkdir(parents=True, exist_ok=True)
    root = Path(tempfile.mkdtemp(dir=base))
    try:
        for folder in ("files", "scratch"):
            (root / folder).mkdir()
        yield Workspace(
            files=root / "files",
            scratch=root / "scratch",
            caches=adapters.cache,
            project=adapters.project,
            needs={},
            run=_nothing,
            say=adapters.say,
            progress=lambda _label, _done, _total, _unit: None,
            limits=adapters.settings.limits.values,
        )
    finally:
        remove_tree(root)


def _nothing(command: Command) -> Completed:
    """Fetching runs git itself; a step's command here would be a bug."""
    raise AssertionError(f"no command is run to look at a repository: {command.argv}")
