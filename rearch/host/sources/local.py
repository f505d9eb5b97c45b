"""The local source: a folder of the project. steps.ports.SourceFetcher for PinnedLocal."""

from __future__ import annotations

from pathlib import Path

from rearch.errors import UsageError, VerificationError
from rearch.formats.tree import clone_tree, tree_digest
from rearch.model.source import PinnedLocal, PinnedSource
from rearch.steps.ports import Workspace

_LEFT_OUT = frozenset((".git", "__pycache__"))
_RESULTS = "output"


class NoSuchFolder(UsageError):
    """A recipe's local source is not there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        super().__init__(f"{folder} is no folder", hint="correct `source: {local: ...}`: it is relative to the project")


class SourceChanged(VerificationError):
    """What was copied is not what the plan was made for."""

    def __init__(self, folder: Path, wanted: str, found: str) -> None:
        self.folder = folder
        self.wanted = wanted
        self.found = found
        super().__init__(
            f"{folder} changed while it was read",
            (f"planned tree sha256 {wanted}", f"copied  tree sha256 {found}"),
            hint="run the same command again: the plan is made from the folder as it is then",
        )


def left_out(path: str) -> bool:
    """Whether a path of a local source is no part of it: .git and __pycache__ anywhere, output/ at its top."""
    return path == _RESULTS or path.rpartition("/")[2] in _LEFT_OUT


def local_digest(folder: Path) -> str:
    """The tree digest of a local source. Errors: NoSuchFolder, and those of rearch.formats.tree.tree_digest."""
    if not folder.is_dir():
        raise NoSuchFolder(folder)
    return tree_digest(folder, ignore=left_out)


class LocalSources:
    """Copies folders of one project."""

    def __init__(self, project: Path) -> None:
        self._project = project

    def fetch(self, source: PinnedSource, work: Workspace) -> None:
        """Copy the folder to `work.files/"source"`, and compare the copy with the pinned digest.

        Errors: NoSuchFolder, SourceChanged, LinkEscapes, SpecialFile, TreeChanged.
        """
        from rearch.formats.archive_links import check_links

        if not isinstance(source, PinnedLocal):
            raise TypeError(f"LocalSources cannot fetch a {type(source).__name__}")
        folder = self._project / source.path
        if not folder.is_dir():
            raise NoSuchFolder(folder)
        copy = work.files / "source"
        clone_tree(folder, copy, how="copy", ignore=left_out)
        found = tree_digest(copy)
        if found != source.digest:
            raise SourceChanged(folder, source.digest, found)
        check_links(copy, source.path)
        work.say(f"{source.path}: copied")
