"""Counted replacements in a source tree.

An edit survives version drift better than a patch, and says when it does not: it must match as often as it says.
The matching itself is done by edit_worker.py, in a process that can be stopped; whoever calls says how it is run.
"""

from __future__ import annotations

import difflib
import json
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from msgspec import Struct

from rearch.errors import StepError
from rearch.formats import edit_worker
from rearch.formats.patch_tree import Draft, file_names, nearest_names
from rearch.model.command import Command, Completed
from rearch.model.recipe import Edit

TIME_LIMIT = 20.0
_SHOWN = 8
_LINES = 20_000
_WIDTH = 200

Run = Callable[[Command], Completed]


class Place(NamedTuple):
    """A line of a file; `line` counts from 1."""

    file: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {_printable(self.text.strip())}"


class AppliedEdit(Struct, frozen=True, kw_only=True):
    """`count` matches were replaced in `files`, sorted; `places` are the first of them, as they were before."""

    count: int
    files: tuple[str, ...]
    places: tuple[Place, ...]


class EditFailed(StepError):
    """An edit that matches more or less often than it says. Nothing of it was applied."""

    def __init__(self, edit: Edit, who: str, found: int, places: Sequence[Place], near: Sequence[Place] = ()) -> None:
        self.edit = edit
        self.found = found
        self.places = tuple(places)
        self.near = tuple(near)
        times = "once" if edit.count == 1 else f"{edit.count} times"
        seen = "nowhere" if found == 0 else "once" if found == 1 else f"{found} times"
        super().__init__(
            f"{who} of {edit.file} must match {times}, and matches {seen}",
            details=[f"pattern: {edit.pattern}", f"why: {edit.why}", *_listed(places, near, found)],
            hint=_advice(edit, found, near),
        )


class EditFileMissing(StepError):
    """No file of the tree has the name, or fits the name with `*`, that an edit says."""

    def __init__(self, edit: Edit, who: str, near: Sequence[str]) -> None:
        self.edit = edit
        self.near = tuple(near)
        super().__init__(
            f"{who}: the source has no file {edit.file}",
            details=[f"why: {edit.why}"],
            hint=f"the nearest names are {', '.join(near)}" if near else "no name in the source is near to it",
        )


class EditReplacementBad(StepError):
    """A replacement that refers to a group which the pattern does not have."""

    def __init__(self, edit: Edit, who: str, problem: str) -> None:
        self.edit = edit
        self.problem = problem
        groups = re.compile(edit.pattern, re.MULTILINE)
        names = [f"\\{number}" for number in range(1, groups.groups + 1)] + [
            f"\\g<{name}>" for name in groups.groupindex
        ]
        super().__init__(
            f"{who} of {edit.file}: the replacement is not valid: {problem}",
            details=[f"replace: {edit.replace}"],
            hint=f"the pattern has {', '.join(names) or 'no groups'}; a backslash itself is written \\\\",
        )


class EditTooSlow(StepError):
    """A pattern that takes for ever on this source, or too much memory."""

    def __init__(self, edit: Edit, who: str, seconds: float, output: str = "") -> None:
        self.edit = edit
        self.seconds = seconds
        super().__init__(
            f"{who} of {edit.file}: the pattern was stopped after {seconds:.0f} s",
            details=[f"pattern: {edit.pattern}", *output.strip().splitlines()[-2:]],
            hint="repeated groups that hold repeats, as in (a+)+, take exponential time: say it without them",
        )


class EditTools(Struct, frozen=True, kw_only=True):
    """How edits are run: `run` runs a command, `scratch` is an empty folder of one's own, `limit` is in seconds."""

    run: Run
    scratch: Path
    limit: float = TIME_LIMIT


def apply_edit(root: Path, edit: Edit, tools: EditTools, *, who: str = "edit", at_least: bool = False) -> AppliedEdit:
    """Replace in all files that `edit.file` names, whole or not at all. `who` is what errors call it: `edit 2`.

    `at_least`: more matches than `edit.count` are fine too (for fixes, where a package may be vendored twice).
    Errors: EditFileMissing, EditFailed, EditReplacementBad, EditTooSlow, PatchEscapes for links.
    """
    draft = Draft(root, f"{who} of {edit.file}")
    files = matching_files(root, edit.file)
    if not files:
        raise EditFileMissing(edit, who, nearest_names(root, edit.file))
    for name in files:
        draft.read(name)  # refuses links
    outs = [tools.scratch / f"edited-{index}" for index in range(len(files))]
    counts, places = _matched(root, edit, tools, who, tuple(zip(files, outs, strict=True)))
    found = sum(counts)
    if found < edit.count or (found > edit.count and not at_least):
        raise EditFailed(edit, who, found, places, () if found else near_misses(root, files, edit.pattern))
    changed = [(name, out) for name, out, count in zip(files, outs, counts, strict=True) if count]
    for name, out in changed:
        draft.write(name, out.read_bytes())
        out.unlink()
    draft.commit()
    return AppliedEdit(count=found, files=tuple(name for name, _ in changed), places=tuple(places))


def matching_files(root: Path, pattern: str) -> tuple[str, ...]:
    """Regular files of the tree that a name with `*` (within a folder) and `**` (any folders) fits, sorted."""
    if "*" not in pattern:
        path = root / pattern
        return (pattern,) if path.is_symlink() or path.is_file() else ()
    fits = glob_regex(pattern)
    return tuple(name for name in file_names(root) if fits.fullmatch(name))


def glob_regex(pattern: str) -> re.Pattern[str]:
    """`**/` is any number of folders, `*` any text without a slash; everything else stands for itself."""
    words = re.split(r"(\*\*/|\*+)", pattern)
    made = {"**/": r"(?:[^/]+/)*", "**": r".*"}
    return re.compile("".join(made.get(word, "[^/]*" if word.startswith("*") else re.escape(word)) for word in words))


def _matched(
    root: Path, edit: Edit, tools: EditTools, who: str, files: Sequence[tuple[str, Path]]
) -> tuple[list[int], list[Place]]:
    """Run the worker over (name, where to write the changed file). It answers in a file; it prints only tracebacks."""
    request, response = tools.scratch / "edit.json", tools.scratch / "edit-answer.json"
    request.write_text(
        json.dumps(
            {
                "pattern": edit.pattern,
                "replace": edit.replace,
                "files": [str(root / name) for name, _ in files],
                "outs": [str(out) for _, out in files],
                "seconds": tools.limit,
            }
        ),
        encoding="ascii",
    )
    done = tools.run(worker_command(request, response, tools.limit))
    if done.exit != 0 or not response.exists():
        raise EditTooSlow(edit, who, done.seconds, done.output)
    answer = json.loads(response.read_text(encoding="ascii"))
    response.unlink()
    if "error" in answer:
        raise EditReplacementBad(edit, who, answer["error"])
    return answer["counts"], [Place(files[index][0], line, text) for index, line, text in answer["matches"]]


def worker_command(request: Path, response: Path, limit: float) -> Command:
    """The worker as a command: an isolated Python without site packages and without environment."""
    script = Path(edit_worker.__file__)
    argv = (sys.executable, "-I", "-S", str(script), str(request), str(response))
    return Command(argv=argv, cwd=request.parent, timeout=limit)


def near_misses(root: Path, files: Iterable[str], pattern: str, limit: int = 3) -> tuple[Place, ...]:
    """Lines that look most like the pattern read as plain text, the most alike first."""
    wanted = plain_text(pattern)
    places: dict[str, Place] = {}
    for name in files:
        lines = (root / name).read_bytes().decode("utf-8", "surrogateescape").split("\n")
        for number, text in enumerate(lines, 1):
            if len(places) >= _LINES:
                break
            if text.strip():
                places.setdefault(text.strip()[:_WIDTH], Place(name, number, text))
    lines = [line for part in wanted.split("\n") if (line := part.strip()[:_WIDTH])]
    close = [near for line in lines[:3] for near in difflib.get_close_matches(line, places, n=limit, cutoff=0.5)]
    return tuple(places[text] for text in dict.fromkeys(close))[:limit]


def plain_text(pattern: str) -> str:
    r"""A regular expression as the text that it is most likely meant for: `foo\s*\(` -> `foo (`."""
    text = re.sub(r"\(\?(?:P?<\w+>|[:=!]|<[=!]|[aimsux-]+[:)])", "(", pattern)
    text = re.sub(r"\\[sS][*+?]?|(?<!\\)\.[*+]\??", " ", text)
    text = re.sub(r"\\[bBAZ]|(?<!\\)[()^$]|(?<=[^\\])[*+?](?![\w])", "", text)
    for code, example in (("\\n", "\n"), ("\\t", " "), ("\\d", "0"), ("\\w", "a")):
        text = text.replace(code, example)
    return re.sub(r"\\(\W)", r"\1", text)


def _listed(places: Sequence[Place], near: Sequence[Place], found: int) -> list[str]:
    lines = [str(place) for place in places[:_SHOWN]]
    if found > len(lines) and lines:
        lines.append(f"and {found - len(lines)} more")
    return lines + (["the nearest lines:", *(f"  {place}" for place in near)] if near else [])


def _advice(edit: Edit, found: int, near: Sequence[Place]) -> str:
    if found > edit.count:
        return f"make the pattern longer, or say `count: {found}` if all of them are meant"
    if found:
        return f"the source has changed: look at the lines above, then correct the pattern or say `count: {found}`"
    if near:
        return "the source has changed: compare the pattern with the nearest lines, and correct it"
    return "nothing in the file is like the pattern: perhaps upstream has solved it, and the edit can go"


def _printable(text: str) -> str:
    return text[:_WIDTH].encode("utf-8", "backslashreplace").decode("utf-8")
