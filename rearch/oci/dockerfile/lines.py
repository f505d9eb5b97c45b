"""Lines -> statements: directives, comments, continuation lines, heredocs.

Dockerfile reference, "Format", "Parser directives" and "Here-documents". Empty lines and comments inside of a continued
statement are left out, as every builder has always done.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct, field

from rearch.oci.dockerfile.errors import Problem

_DIRECTIVE = re.compile(r"^#\s*([A-Za-z][A-Za-z0-9]*)\s*=\s*(.+?)\s*$")
_DIRECTIVES = ("escape", "syntax", "check")
_SYNTAX = re.compile(r"(?:docker\.io/)?docker/dockerfile(?:-upstream)?(?::[\w.-]+)?(?:@sha256:[0-9a-f]{64})?\Z")
_HEREDOC = re.compile(r"(?:^|(?<=\s))\d*<<(-?)(?:\"(\w[\w.-]*)\"|'(\w[\w.-]*)'|(\w[\w.-]*))(?=\s|\Z)")
# Instructions that can have heredocs.
_WITH_HEREDOC = ("add", "copy", "run")


class Heredoc(Struct, frozen=True, kw_only=True):
    """The text behind `<<NAME`. `expand`: NAME is not quoted, so variables are put in. `token`: the word."""

    name: str
    token: str
    text: str
    expand: bool


class Statement(Struct, frozen=True, kw_only=True):
    """One instruction's text, with its continuation lines joined.

    `first` and `last` are its lines, counted from 1, heredocs included. `marks` say where in the file the text is:
    (offset in the text, line, column from 0), one for each line that it was joined from.
    """

    first: int
    last: int
    text: str
    marks: tuple[tuple[int, int, int], ...]
    heredocs: tuple[Heredoc, ...] = ()

    def where(self, offset: int) -> tuple[int, int]:
        """Line and column of a place in the text."""
        start, line, column = max(mark for mark in self.marks if mark[0] <= offset)
        return line, column + offset - start


class Read(Struct, frozen=True, kw_only=True):
    """A Dockerfile as statements; `escape` is the character that escapes and continues."""

    statements: tuple[Statement, ...]
    escape: str
    problems: tuple[Problem, ...]


class _Reader(Struct):
    lines: list[str]
    escape: str = "\\"
    at: int = 0
    problems: list[Problem] = field(default_factory=list)

    def directives(self) -> None:
        """Directives stand at the top; the first line that is none ends them."""
        seen: set[str] = set()
        while self.at < len(self.lines) and (found := _DIRECTIVE.match(self.lines[self.at])):
            name = found[1].lower()
            if name not in _DIRECTIVES:
                return
            self.at += 1
            if name in seen:
                self.problems.append(Problem(self.at, f"the directive {name} is there twice"))
            seen.add(name)
            self._directive(name, found[2])

    def _directive(self, name: str, value: str) -> None:
        if name == "escape":
            if value in ("\\", "`"):
                self.escape = value
            else:
                self.problems.append(Problem(self.at, f"escape is {value!r}; it can be \\ or `"))
        elif name == "syntax" and not _SYNTAX.match(value):
            text = f"syntax {value!r} names another language than docker/dockerfile"
            self.problems.append(Problem(self.at, text, "write a Dockerfile, or use `builder: docker`"))

    def statements(self) -> Iterator[Statement]:
        ends = re.escape(self.escape)
        goes_on = re.compile(rf"(?:^|(?<=[^{ends}])){ends}[ \t]*$")
        while self.at < len(self.lines):
            line = self.lines[self.at]
            if not line.strip() or line.lstrip().startswith("#"):
                self.at += 1
                continue
            statement = self._statement(goes_on)
            if statement.text:  # a lone escape character continues nothing
                yield statement

    def _statement(self, goes_on: re.Pattern[str]) -> Statement:
        first, text, marks = self.at + 1, "", list[tuple[int, int, int]]()
        open_end = True
        while open_end and self.at < len(self.lines):
            line = self.lines[self.at]
            self.at += 1
            left_out = not line.strip() or line.lstrip().startswith("#")
            if left_out:
                continue
            start = 0 if marks else len(line) - len(line.lstrip())
            end = goes_on.search(line)
            open_end = end is not None
            marks.append((len(text), self.at, start))
            text += line[start : end.start() if end else None]
        text = text.rstrip()
        heredocs = tuple(self._heredocs(text, first)) if text else ()
        return Statement(first=first, last=self.at, text=text, marks=tuple(marks), heredocs=heredocs)

    def _heredocs(self, text: str, first: int) -> Iterator[Heredoc]:
        if "<<" not in text or text.split(None, 1)[0].lower() not in _WITH_HEREDOC:
            return
        for found in _HEREDOC.finditer(text):
            name = found[2] or found[3] or found[4]
            body = self._body(name, bool(found[1]), first)
            yield Heredoc(name=name, token=found[0], text=body, expand=found[4] is not None)

    def _body(self, name: str, chomp: bool, first: int) -> str:
        body = ""
        while self.at < len(self.lines):
            line = self.lines[self.at]
            self.at += 1
            line = line.lstrip("\t") if chomp else line
            if line == name:
                return body
            body += line + "\n"
        self.problems.append(Problem(first, f"the here-document <<{name} has no end: a line with {name} alone"))
        return body


def read_statements(text: str) -> Read:
    """Split a Dockerfile into statements. Errors: none; what is wrong is in `problems`."""
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n")
    if lines[-1] == "":
        lines.pop()
    reader = _Reader(lines)
    reader.directives()
    statements = tuple(reader.statements())
    return Read(statements=statements, escape=reader.escape, problems=tuple(reader.problems))
