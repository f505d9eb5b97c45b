"""Finds where a hunk fits, and shows why it does not. Pure: lists of lines in, lists of lines out.

As GNU patch: the place is searched outward from where it is expected, and a hunk with less context on one side than on
the other was cut off by the start or the end of the file and fits only there. Otherwise than GNU patch, no context line
may differ unless `fuzz` says how many, and a hunk of which fuzz would leave nothing to compare does not fit.
"""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Iterator, Sequence

from msgspec import Struct

from rearch.formats.patch_model import Hunk, HunkFailure, Lines

MAX_FUZZ = 3
_NEAR = 2000
_SHOWN = 200


class Fit(Struct, frozen=True, kw_only=True):
    """Where a hunk goes: `at` (from 0), `offset` lines from where it is expected; `applied`: it is there already."""

    at: int
    offset: int
    fuzz: int
    applied: bool = False


class Applied(Struct, frozen=True, kw_only=True):
    """A file after its hunks. `fits` and `failures` are in the order of the hunks."""

    lines: Lines
    fits: tuple[Fit, ...]
    failures: tuple[HunkFailure, ...]


def split_lines(data: bytes) -> Lines:
    """Lines with their ends; only a line feed ends a line."""
    return tuple(data.splitlines(keepends=True)) if b"\r" not in data else tuple(_feeds(data))


def _feeds(data: bytes) -> Iterator[bytes]:
    pieces = data.split(b"\n")
    yield from (piece + b"\n" for piece in pieces[:-1])
    if pieces[-1]:
        yield pieces[-1]


def apply_hunks(file: str, lines: Lines, hunks: Sequence[Hunk], fuzz: int) -> Applied:
    """Apply all hunks to a file's lines. Where some fail, the others are applied, and the caller throws all away."""
    out: list[bytes] = list(lines)
    fits: list[Fit] = []
    failures: list[HunkFailure] = []
    frozen, shift, drift = 0, 0, 0
    for number, hunk in enumerate(hunks, 1):
        search = _Search(lines=out, hunk=hunk, expected=hunk.start + shift + drift, first=frozen)
        fit = search.fit(fuzz)
        if fit is None:
            failures.append(search.failure(file, number, len(hunks)))
            continue
        fits.append(fit)
        drift += fit.offset
        frozen = fit.at + len(hunk.new)
        shift += len(hunk.new) - len(hunk.old)
        if not fit.applied:
            out[fit.at : fit.at + len(hunk.old)] = _replacement(out, hunk, fit)
    return Applied(lines=tuple(out), fits=tuple(fits), failures=tuple(failures))


def _replacement(out: Sequence[bytes], hunk: Hunk, fit: Fit) -> Lines:
    """The new lines; context keeps the file's own text where fuzz let it differ."""
    made: list[bytes] = []
    at = fit.at
    for mark, line in hunk.lines:
        if mark == "+":
            made.append(line)
        elif mark == " ":
            made.append(out[at])
        at += mark != "+"
    return tuple(made)


class _Search(Struct, frozen=True, kw_only=True):
    """A hunk that looks for its place in `lines`, at line `first` or later, `expected` first of all."""

    lines: Sequence[bytes]
    hunk: Hunk
    expected: int
    first: int

    def fit(self, fuzz: int) -> Fit | None:
        """The nearest place, with the least fuzz; last of all, whether the hunk is applied already."""
        for allowed in range(fuzz + 1):
            at = self.place(self.hunk.old, allowed)
            if at is not None:
                return Fit(at=at, offset=at - self.expected, fuzz=allowed)
        at = self.place(self.hunk.new, 0) if _tells(self.hunk) else None
        return None if at is None else Fit(at=at, offset=at - self.expected, fuzz=0, applied=True)

    def place(self, wanted: Lines, fuzz: int) -> int | None:
        """Where `wanted` stands when `fuzz` context lines at each end may differ."""
        context = max(self.hunk.lead, self.hunk.trail)
        fuzz = min(fuzz, context)  # only context may differ, never a line that is changed
        head, tail = fuzz + self.hunk.lead - context, fuzz + self.hunk.trail - context
        core = wanted[max(0, head) : len(wanted) - max(0, tail)]
        if not wanted:
            # Nothing to compare: a hunk without context goes where it says, or nowhere.
            return self.expected if self.first <= self.expected <= len(self.lines) else None
        last = len(self.lines) - len(wanted)
        for at in self._places(head, tail, last) if core else ():
            if self.first <= at <= last and _same(self.lines, at + max(0, head), core):
                return at
        return None

    def _places(self, head: int, tail: int, last: int) -> Iterator[int]:
        """Less context before the change than after it: the file began there. The other way round: it ended there."""
        if head < 0 and self.hunk.start == 0:
            return iter((0,) if tail >= 0 or last == 0 else ())
        return iter((last,)) if tail < 0 else _outward(self.expected, self.first, last)

    def failure(self, file: str, number: int, of: int) -> HunkFailure:
        fits = (level for level in range(1, MAX_FUZZ + 1) if self.place(self.hunk.old, level) is not None)
        view = _view(self.lines, self.hunk, self.expected)
        header = self.hunk.header
        return HunkFailure(file=file, header=header, number=number, of=of, view=view, fuzz=next(fits, None))


def _tells(hunk: Hunk) -> bool:
    """Whether finding the new text proves anything: the hunk adds something, or has context on both sides."""
    added = any(mark == "+" and line.strip() for mark, line in hunk.lines)
    return added or (hunk.lead > 0 and hunk.trail > 0)


def _outward(expected: int, first: int, last: int) -> Iterator[int]:
    start = min(max(expected, first), last)
    if first <= last:
        yield start
    for distance in range(1, last - first + 1):
        if start + distance <= last:
            yield start + distance
        if start - distance >= first:
            yield start - distance


def _same(lines: Sequence[bytes], at: int, core: Lines) -> bool:
    return lines[at] == core[0] and tuple(lines[at : at + len(core)]) == core


def _view(lines: Sequence[bytes], hunk: Hunk, expected: int) -> tuple[str, ...]:
    """What the patch expects (-) beside what upstream has (+), at the place that is most alike."""
    if not lines:
        return ("the file is empty",)
    at = nearest_place(lines, hunk.old, expected)
    start, end = max(0, at - 1), min(len(lines), at + len(hunk.old) + 1)
    shown = [f"nearest place: line {at + 1}   (- the patch expects, + the source has)"]
    matcher = difflib.SequenceMatcher(None, hunk.old, lines[start:end], autojunk=False)
    for tag, old_from, old_to, new_from, new_to in matcher.get_opcodes():
        if tag != "equal":
            shown += [f"-       {_text(line)}" for line in hunk.old[old_from:old_to]]
        sign = " " if tag == "equal" else "+"
        shown += [f"{sign}{start + index + 1:6} {_text(lines[start + index])}" for index in range(new_from, new_to)]
    return tuple(shown)


def _text(line: bytes) -> str:
    """A line for people: its end is shown only where it is unusual."""
    ended = line.endswith(b"\n")
    text = line.removesuffix(b"\n").decode("utf-8", "backslashreplace").replace("\r", "\\r")
    cut = text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
    return cut if ended else cut + "   (no newline at end of file)"


def nearest_place(lines: Sequence[bytes], wanted: Lines, expected: int) -> int:
    """Where `wanted` would start if the most of its lines were to stand right; ties go to the expected place."""
    where: dict[bytes, list[int]] = defaultdict(list)
    for index, line in enumerate(lines):
        where[line.strip()].append(index)
    votes: dict[int, float] = defaultdict(float)
    for index, line in enumerate(wanted):
        found = where.get(line.strip(), []) if line.strip() else []
        # A line that is everywhere (a closing brace) says little.
        for at in found:
            votes[at - index] += 1 / len(found)
    last = max(0, len(lines) - 1)
    if not votes:
        return _alike(lines, wanted, min(max(expected, 0), last))
    best = max(votes, key=lambda at: (votes[at], -abs(at - expected)))
    return min(max(best, 0), last)


def _alike(lines: Sequence[bytes], wanted: Lines, expected: int) -> int:
    """No line is the same: take the line that looks most like the first one that says something."""
    index, word = max(enumerate(wanted), key=lambda pair: len(pair[1].strip()), default=(0, b""))
    first = max(0, expected - _NEAR)
    texts = [line.decode("utf-8", "replace") for line in lines[first : expected + _NEAR]]
    close = difflib.get_close_matches(word.decode("utf-8", "replace"), texts, n=1, cutoff=0.4)
    return max(0, first + texts.index(close[0]) - index) if close else expected
