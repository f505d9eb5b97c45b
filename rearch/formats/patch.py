"""Applies patches to a source tree, as quilt and dpkg-source do, but with no fuzz unless it is allowed.

Each patch is applied whole or not at all. Reading is in patch_parse.py, placing hunks in patch_hunk.py, and writing
in patch_tree.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, assert_never

from msgspec import Struct
from msgspec.structs import replace

from rearch.formats.patch_hunk import Applied, apply_hunks, split_lines
from rearch.formats.patch_model import (
    Change,
    FilePatch,
    Hunk,
    HunkFailure,
    Lines,
    PatchConflict,
    PatchFailed,
    PatchTargetMissing,
)
from rearch.formats.patch_parse import parse_patch
from rearch.formats.patch_tree import Draft, nearest_names

Say = Callable[[str], None]


class PatchText(NamedTuple):
    """A patch as read: its name for messages, its bytes, and how many leading folders to drop from names (-p)."""

    name: str
    data: bytes
    strip: int = 1


class AppliedPatch(Struct, frozen=True, kw_only=True):
    """`files` were written or removed, sorted; empty where the source has all of the patch already."""

    name: str
    files: tuple[str, ...]


def apply_series(
    root: Path, patches: Iterable[tuple[str, bytes, int]], fuzz: int, say: Say
) -> tuple[AppliedPatch, ...]:
    """Apply patches in order: (name, bytes, strip) each. `fuzz` context lines at each end of a hunk may differ (0-3).

    `say` is told of every patch, and of every hunk that fits elsewhere or is applied already.
    Errors: PatchUnreadable, PatchFailed, PatchTargetMissing, PatchConflict, PatchEscapes. Patches before the one
    that fails stay applied; of that one nothing is.
    """
    return tuple(apply_patch(root, PatchText(*patch), fuzz, say) for patch in patches)


def apply_patch(root: Path, patch: PatchText, fuzz: int, say: Say) -> AppliedPatch:
    """Apply one patch whole or not at all. Errors: as apply_series."""
    files = parse_patch(patch.name, patch.data, patch.strip)
    work = _Work(root, patch.name, fuzz, say)
    work.vacate(file.names[0] for file in files if file.change is Change.RENAME)
    for file in files:
        work.take(file)
    return work.finish()


class _Work:
    """One patch that is being applied to a draft of the tree."""

    def __init__(self, root: Path, patch: str, fuzz: int, say: Say) -> None:
        self._root = root
        self._patch = patch
        self._fuzz = fuzz
        self._say = say
        self._draft = Draft(root, patch)
        self._failures: list[HunkFailure] = []
        self._vacated: frozenset[str] = frozenset()
        self._moved: set[str] = set()

    def vacate(self, names: Iterable[str]) -> None:
        """Files that the patch renames: their names are free for others (two files may change places)."""
        self._vacated = frozenset(names)

    def take(self, file: FilePatch) -> None:
        match file.change:
            case Change.MODIFY:
                self._modify(file)
            case Change.CREATE:
                self._create(file)
            case Change.DELETE:
                self._delete(file)
            case Change.RENAME | Change.COPY:
                self._move(file)
            case _:
                assert_never(file.change)

    def finish(self) -> AppliedPatch:
        if self._failures:
            raise PatchFailed(self._patch, self._failures)
        files = self._draft.changed
        if files:
            self._draft.commit()
        done = f"changed {', '.join(files)}" if files else "already applied, all of it"
        self._say(f"patch {self._patch}: {done}")
        return AppliedPatch(name=self._patch, files=files)

    def _modify(self, file: FilePatch) -> None:
        name = self._target(file.names)
        data = self._content(name, file.names)
        mode = self._draft.mode(name)
        made = self._hunks(name, data, file.hunks)
        wanted = mode if file.mode is None else file.mode
        if made != data or (wanted ^ mode) & 0o111:
            self._draft.write(name, made, wanted)

    def _create(self, file: FilePatch) -> None:
        name = file.names[-1]
        made = b"".join(line for hunk in file.hunks for line in hunk.new)
        there = self._draft.read(name)
        if there == made:
            self._say(f"patch {self._patch}: {name} is there already, with this content")
        elif there:
            raise PatchConflict(self._patch, name, "is to be created, but is there already with other content")
        else:
            self._draft.write(name, made, file.mode)

    def _delete(self, file: FilePatch) -> None:
        name = self._target(file.names, missing_ok=True)
        data = self._draft.read(name)
        if data is None:
            self._say(f"patch {self._patch}: {name} is gone already")
            return
        failed = len(self._failures)
        left = self._hunks(name, data, file.hunks)
        if left and len(self._failures) == failed:
            raise PatchConflict(self._patch, name, "is to be deleted, but has lines that the patch does not know")
        self._draft.remove(name)

    def _move(self, file: FilePatch) -> None:
        old, new = file.names
        # Git means the file as it was before the patch, not as an earlier part of the patch left it.
        data = self._draft.original(old)
        data = self._draft.read(old) if data is None else data
        there = self._draft.read(new) if new not in self._vacated else None
        if there is not None:
            self._moved_already(file, data, there)
            return
        data = self._content(old, (old,)) if data is None else data
        mode = self._draft.mode(old) if file.mode is None else file.mode
        made = self._hunks(old, data, file.hunks)
        if file.change is Change.RENAME and old not in self._moved:
            self._draft.remove(old)
        self._moved.add(new)
        self._draft.write(new, made, mode)

    def _moved_already(self, file: FilePatch, data: bytes | None, there: bytes) -> None:
        """The new name is there: fine if it holds what the patch would make, and for a rename the old one is gone."""
        old, new = file.names
        fits = apply_hunks(new, split_lines(there), file.hunks, 0)
        done = not fits.failures and all(fit.applied for fit in fits.fits)
        if file.change is Change.RENAME:
            done = done and data is None
        elif not file.hunks:
            done = there == data
        if not done:
            raise PatchConflict(self._patch, new, f"is to be made from {old}, but is there already")
        self._say(f"patch {self._patch}: {new} is made from {old} already")

    def _target(self, names: Sequence[str], *, missing_ok: bool = False) -> str:
        """Of the names that are there, the one with the fewest folders, then the shortest: as GNU patch chooses."""
        there = [name for name in names if self._draft.read(name) is not None]
        if not there and not missing_ok:
            raise PatchTargetMissing(self._patch, names, nearest_names(self._root, names[-1]))
        return min(there or names, key=lambda name: (name.count("/"), len(name)))

    def _content(self, name: str, names: Sequence[str]) -> bytes:
        data = self._draft.read(name)
        if data is None:
            raise PatchTargetMissing(self._patch, names, nearest_names(self._root, name))
        return data

    def _hunks(self, name: str, data: bytes, hunks: Sequence[Hunk]) -> bytes:
        lines = split_lines(data)
        fitted = adapted(lines, hunks)
        if fitted != tuple(hunks):
            self._say(f"patch {self._patch}: {name}: the patch's line ends are taken as the file's")
        applied = apply_hunks(name, lines, fitted, self._fuzz)
        self._failures += applied.failures
        if not applied.failures:
            self._report(name, applied)
        return b"".join(applied.lines)

    def _report(self, name: str, applied: Applied) -> None:
        for number, fit in enumerate(applied.fits, 1):
            at = f"patch {self._patch}: {name}: hunk {number}"
            if fit.applied:
                self._say(f"{at} is already applied, at line {fit.at + 1}")
            elif fit.offset or fit.fuzz:
                fuzz = f" with fuzz {fit.fuzz}" if fit.fuzz else ""
                self._say(f"{at} fits at line {fit.at + 1}, offset {fit.offset:+d}{fuzz}")


def adapted(lines: Lines, hunks: Sequence[Hunk]) -> tuple[Hunk, ...]:
    """The hunks with the line ends of the file, where both use one kind and not the same (mail changes them)."""
    file = _ends(lines)
    patch = _ends([line for hunk in hunks for _, line in hunk.lines])
    if None in (file, patch) or file == patch:
        return tuple(hunks)
    return tuple(replace(hunk, lines=tuple((mark, _ended(line, file)) for mark, line in hunk.lines)) for hunk in hunks)


def _ends(lines: Sequence[bytes]) -> bytes | None:
    """The line end that all lines have; None where they differ or there is none."""
    kinds = {b"\r\n" if line.endswith(b"\r\n") else b"\n" for line in lines if line.endswith(b"\n")}
    return kinds.pop() if len(kinds) == 1 else None


def _ended(line: bytes, end: bytes | None) -> bytes:
    if end is None or not line.endswith(b"\n"):
        return line
    return line.removesuffix(b"\n").removesuffix(b"\r") + end
