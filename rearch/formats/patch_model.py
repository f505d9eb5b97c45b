"""A patch as values, and what can be wrong with one. Lines are bytes with their line end, as the files have them."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from msgspec import Struct

from rearch.errors import HostileInputError, StepError

Lines = tuple[bytes, ...]


class Hunk(Struct, frozen=True, kw_only=True):
    """One hunk. `lines` are (mark, line) with mark one of b" ", b"-", b"+".

    `start` is the first line that the hunk covers in the old file, from 0; for a hunk that covers none, the line
    that it goes before. `header` is its `@@` line.
    """

    header: str
    start: int
    lines: tuple[tuple[str, bytes], ...]

    @property
    def old(self) -> Lines:
        return tuple(line for mark, line in self.lines if mark != "+")

    @property
    def new(self) -> Lines:
        return tuple(line for mark, line in self.lines if mark != "-")

    @property
    def lead(self) -> int:
        """Context lines before the first change."""
        return next((index for index, (mark, _) in enumerate(self.lines) if mark != " "), len(self.lines))

    @property
    def trail(self) -> int:
        """Context lines after the last change."""
        count = next((index for index, (mark, _) in enumerate(reversed(self.lines)) if mark != " "), 0)
        return count if self.lead < len(self.lines) else 0


class Change(StrEnum):
    """What happens to a file."""

    MODIFY = "modify"
    CREATE = "create"
    DELETE = "delete"
    RENAME = "rename"
    COPY = "copy"


class FilePatch(Struct, frozen=True, kw_only=True):
    """Changes to one file. `names` are the paths that it may have, relative, after strip: old first, then new.

    For RENAME and COPY they are (from, to). `mode` is the new permission bits, None to keep them.
    """

    change: Change
    names: tuple[str, ...]
    mode: int | None
    hunks: tuple[Hunk, ...]


class HunkFailure(Struct, frozen=True, kw_only=True):
    """A hunk that does not fit. `number` counts from 1; `view` shows the upstream lines beside what it expects.

    `fuzz` is the smallest fuzz with which it would fit, None if none up to 3 does.
    """

    file: str
    header: str
    number: int
    of: int
    view: tuple[str, ...]
    fuzz: int | None


class PatchUnreadable(StepError):
    """A patch file that is no patch, or of a kind that is not supported."""

    def __init__(self, patch: str, problem: str, hint: str | None = None) -> None:
        self.patch = patch
        self.problem = problem
        super().__init__(f"{patch}: {problem}", hint=hint or "write it again with `git diff` or `quilt refresh`")


class PatchFailed(StepError):
    """Hunks that do not fit the tree. Nothing of the patch was applied."""

    shown = 5

    def __init__(self, patch: str, failures: Sequence[HunkFailure]) -> None:
        self.patch = patch
        self.failures = tuple(failures)
        files = ", ".join(dict.fromkeys(failure.file for failure in failures))
        details = [line for failure in self.failures[: self.shown] for line in _told(failure)]
        left = len(self.failures) - self.shown
        super().__init__(
            f"patch {patch} does not apply to {files}",
            details=[*details, *([f"and {left} more hunks that do not fit"] if left > 0 else [])],
            hint=_advice(patch, self.failures),
        )


class PatchTargetMissing(StepError):
    """A file that a patch changes is not in the tree."""

    def __init__(self, patch: str, names: Sequence[str], near: Sequence[str]) -> None:
        self.patch = patch
        self.names = tuple(dict.fromkeys(names))
        self.near = tuple(near)
        nearest = [f"the nearest names in the tree: {', '.join(near)}"] if near else []
        super().__init__(
            f"patch {patch} changes {' or '.join(self.names)}, which the source does not have",
            details=nearest,
            hint="set strip (-p in series) to the number of folders to drop from the names, or correct the patch",
        )


class PatchConflict(StepError):
    """A file that a patch creates is there already, or one that it deletes has other content."""

    def __init__(self, patch: str, file: str, problem: str) -> None:
        self.patch = patch
        self.file = file
        self.problem = problem
        super().__init__(
            f"patch {patch}: {file} {problem}", hint="compare the patch with this version of the source, and renew it"
        )


class PatchEscapes(HostileInputError):
    """A name in a patch or edit that leads out of the source tree."""

    def __init__(self, patch: str, name: str, problem: str) -> None:
        self.patch = patch
        self.name = name
        self.problem = problem
        super().__init__(
            f"{patch}: {name!r} {problem}",
            details=["nothing was written"],
            hint="only regular files below the source's own folder can be changed",
        )


def _told(failure: HunkFailure) -> tuple[str, ...]:
    return f"{failure.file}: hunk {failure.number} of {failure.of}, {failure.header}", *failure.view


def _advice(patch: str, failures: Sequence[HunkFailure]) -> str:
    needed = [failure.fuzz for failure in failures if failure.fuzz is not None]
    if len(needed) == len(failures):
        return (
            f"it would apply with fuzz {max(needed)}: compare the lines above, then renew the patch"
            f" or set `patch: {{fuzz: {max(needed)}}}` in the recipe"
        )
    return f"the source has changed at this place: renew {patch} for this version, or use a counted edit instead"
