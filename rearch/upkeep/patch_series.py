"""A quilt series as commits and back: names, headers, and the lines of `series`. Pure.

A commit's first line is the patch's name, the rest of its message the patch's header to the byte.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from rearch.errors import UsageError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~-]{0,150}\.(?:patch|diff)")
_DIFF = re.compile(rb"^(?:diff -|Index: |--- [^\n]*\n\+\+\+ )", re.MULTILINE)
_COMMENT = re.compile(r"(?:^|\s)#.*")


class BadPatchName(UsageError):
    """No name for a file of a series."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f"{name!r} is no name of a patch", hint="letters, digits, . - _ and .patch at the end: `fix.patch`"
        )


class PatchTwice(UsageError):
    """Two commits would become one file."""

    def __init__(self, name: str, commits: Sequence[str]) -> None:
        self.name = name
        super().__init__(
            f"{name} is the name of {len(commits)} commits",
            [commit[:12] for commit in commits],
            "change the first line of one commit's message, or join them: `git rebase -i`",
        )


class Made(Struct, frozen=True, kw_only=True):
    """A patch of the new series. `kept`: its file has the bytes that it had, and its line of `series` too."""

    name: str
    data: bytes
    kept: bool


def header_of(data: bytes) -> bytes:
    """What stands before the first file of a patch. `--- ` counts only where `+++ ` follows: mails have `---` too."""
    found = _DIFF.search(data)
    return data[: found.start()] if found else data


def message_of(name: str, header: bytes) -> bytes:
    """The commit's message for a patch."""
    return name.encode() + b"\n\n" + header


def told(message: bytes) -> tuple[str, bytes]:
    """(name, header) of a commit: a first line that is no patch's name becomes one, and stays in the header."""
    first, _, rest = message.partition(b"\n")
    line = first.decode("utf-8", "replace").strip()
    if line.endswith((".patch", ".diff")) and " " not in line:
        return line, rest.removeprefix(b"\n")
    return slug(line), message if message.endswith(b"\n") else message + b"\n"


def slug(subject: str) -> str:
    """`Fix: the loop!` -> `fix-the-loop.patch`."""
    words = re.sub(r"[^a-z0-9]+", "-", subject.lower()).strip("-")[:60].strip("-")
    return f"{words or 'change'}.patch"


def check_name(name: str) -> None:
    """Errors: BadPatchName."""
    if not _NAME.fullmatch(name):
        raise BadPatchName(name)


def joined(header: bytes, diff: bytes) -> bytes:
    """A patch file. The header ends with a line end, so that the diff begins a line."""
    text = header if not header or header.endswith(b"\n") else header + b"\n"
    return text + diff


def signature(header: bytes, diff: bytes) -> str:
    """By what a commit is known to be untouched. Blank lines around a message do not count: editors take them away."""
    return hashlib.sha256(header.strip() + b"\0" + diff).hexdigest()


def series_text(old: str, made: Iterable[Made], default_strip: int) -> str:
    """`series` with just these patches in this order; comments stay, lines of kept patches stay to the byte.

    Comments that stand right above a patch move with it, and go with it.
    """
    blocks, tail = _blocks(old)
    made = tuple(made)
    names = [patch.name for patch in made]
    lines: list[str] = [*_heads(blocks, names)]
    for patch in made:
        before, line = blocks.get(patch.name, ((), ""))
        lines += before if patch.name in blocks else ()
        lines.append(line if patch.kept and line else _line(patch.name, default_strip))
    lines += tail
    return "".join(line if line.endswith("\n") else line + "\n" for line in lines)


def _line(name: str, default_strip: int) -> str:
    """What we write is -p1; it is only said where the recipe says something else."""
    return f"{name}\n" if default_strip == 1 else f"{name} -p1\n"


def _blocks(text: str) -> tuple[dict[str, tuple[tuple[str, ...], str]], list[str]]:
    """Name -> (the lines before it, its line), and the lines after the last."""
    found: dict[str, tuple[tuple[str, ...], str]] = {}
    before: list[str] = []
    for line in text.splitlines(keepends=True):
        words = _COMMENT.sub("", line).split()
        if not words:
            before.append(line)
            continue
        found[words[0]] = (tuple(before), line)
        before = []
    return found, before


def _heads(blocks: Mapping[str, tuple[tuple[str, ...], str]], names: Sequence[str]) -> list[str]:
    """Comments of dropped patches that do not belong to them: those above a blank line, and the file's first."""
    kept: list[str] = []
    for number, (name, (before, _)) in enumerate(blocks.items()):
        if name in names:
            continue
        blanks = [index for index, line in enumerate(before) if not line.strip()]
        kept += before if number == 0 else before[: blanks[-1] + 1] if blanks else ()
    return kept
