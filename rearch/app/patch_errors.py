"""What can be in the way of the patch workflow."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rearch.errors import RearchError, StepError, TemporaryError, UsageError


class NoWorktree(UsageError):
    """Nothing was started."""

    def __init__(self, component: str, path: Path) -> None:
        super().__init__(f"{component}: there is no worktree at {path}", hint=f"`rearch patch start {component}`")


class UnsavedWork(UsageError):
    """A worktree that holds what no patch has."""

    def __init__(self, path: Path, what: Sequence[str]) -> None:
        self.path = path
        super().__init__(
            f"{path} holds work that is in no patch yet",
            what,
            "`rearch patch refresh` saves it, `--fresh` throws it away",
        )


class ForeignFolder(UsageError):
    """What stands where the worktree is to be is somebody else's: no flag takes it away."""

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(
            f"{path} is not a worktree of ours, and is left as it is",
            hint="`--dir` names another place; or move it away",
        )


class WorktreeBusy(TemporaryError):
    """Another process of ours works on the same worktree."""

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(f"another `rearch patch` works on {path}", hint="try again when it has ended")


class SeriesChanged(UsageError):
    """The series beside the recipe is not what the worktree was made from."""

    def __init__(self, component: str, folder: str) -> None:
        super().__init__(
            f"{component}: {folder} was changed since the worktree was made; nothing was written",
            hint=f"take the change back, or keep your work elsewhere and `rearch patch start {component} --fresh`",
        )


class OldBaseUnknown(StepError):
    """A patch does not apply, and nobody knows which source it was made for."""

    def __init__(self, component: str, error: RearchError) -> None:
        self.error = error
        super().__init__(
            f"{component}: {error.summary}",
            error.details,
            "name the version that the patches were made for: `--from v1.2.3`; they are merged from there",
        )


class NameWanted(UsageError):
    """Changes that are not committed, and no word where they belong."""

    def __init__(self, files: Sequence[str], last: str) -> None:
        self.files = tuple(files)
        more = f", or `--name {last}` to change that one" if last else ""
        super().__init__(
            f"{len(files)} changed file{'s' * (len(files) != 1)} that no commit has",
            files[:10],
            f"`--name new.patch` for a patch of their own{more}; or commit them",
        )


class NotTheLast(UsageError):
    """Only the last patch takes changes that are not committed."""

    def __init__(self, name: str, last: str) -> None:
        super().__init__(
            f"{name} is not the last patch, {last} is",
            hint="commit with `git commit --fixup`, then `git rebase -i --autosquash`; refresh takes what comes of it",
        )


class HistoryBent(UsageError):
    """The commits are no line from the source on."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path}: its commits are no straight line from the source",
            hint="no merges; `git rebase` onto the first commit",
        )


class RebaseOpen(UsageError):
    """A rebase or the like is not finished."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path}: a rebase is not finished", hint="`git rebase --continue` or `--abort`, then again")


class ConflictsLeft(StepError):
    """Files still have the marks of a merge."""

    def __init__(self, files: Sequence[str]) -> None:
        self.files = tuple(files)
        super().__init__(
            f"{len(files)} file{'s' * (len(files) != 1)} with conflict marks",
            files,
            "edit them until no <<<<<<< is left, then `rearch patch refresh` goes on",
        )


class Undecided(StepError):
    """Conflicts that no mark in a file shows, and of which git was not told how they end."""

    def __init__(self, files: Sequence[str]) -> None:
        self.files = tuple(files)
        super().__init__(
            f"{len(files)} file{'s' * (len(files) != 1)} that one side changed and the other removed, or the like",
            files,
            "`git add FILE` keeps it as it is there, `git rm FILE` removes it; then `rearch patch refresh` goes on",
        )


class FixupLeft(UsageError):
    """A commit that waits to be squashed."""

    def __init__(self, subject: str, commit: str) -> None:
        self.subject = subject
        super().__init__(
            f"the commit {commit[:12]} ({subject}) belongs into another one",
            hint="`git rebase -i --autosquash --root` in the worktree, then refresh again",
        )


class OwnSeriesTouched(UsageError):
    """A change to the series that a Debian source brings itself."""

    def __init__(self, name: str, files: Sequence[str]) -> None:
        self.name = name
        self.files = tuple(files)
        super().__init__(
            f"{name} changes the Debian package's own series, which is applied already: it would do nothing",
            files,
            "commit the change that you want of the source itself, without debian/patches and .pc;"
            " quilt is not needed here",
        )


class NotTheSame(StepError):
    """The series that was written does not give what the worktree holds."""

    def __init__(self, path: Path, files: Sequence[str]) -> None:
        self.path = path
        self.files = tuple(files)
        super().__init__(
            f"the patches do not give what {path} holds; nothing was written",
            files,
            hint="links and permissions other than x cannot be said in a patch",
        )


class NoSuchPatch(UsageError):
    """No patch of that name."""

    def __init__(self, component: str, name: str, known: Sequence[str]) -> None:
        super().__init__(f"{component} has no patch {name}", hint=f"it has {', '.join(known) or 'none'}")


class NoSourceToPatch(UsageError):
    """A folder of the project is edited where it is."""

    def __init__(self, component: str) -> None:
        super().__init__(f"{component}: its source is a folder of the project: change it there, without patches")
