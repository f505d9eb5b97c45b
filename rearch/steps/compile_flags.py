"""Linker flags as go reads them: one text, split at spaces, with quotes and without escapes.

The rule is that of cmd/internal/quoted: a field that begins with ' or " goes up to the next such quote.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from rearch.model.go_flags import split_fields
from rearch.steps.compile_errors import BadBuild, UnwritableFlag

_SPACE = " \t\n\r"


class Stamp(Struct, frozen=True):
    """`-X package.name=text`. `written` is how the recipe names the variable."""

    package: str
    name: str
    text: str
    written: str

    @property
    def variable(self) -> str:
        return f"{self.package}.{self.name}"


class UnterminatedQuote(BadBuild):
    """A linker flag that opens a quote and does not close it."""

    def __init__(self, text: str) -> None:
        self.text = text
        super().__init__(f"build.go.ldflags: a quote is not closed: {text!r}")


class BadStamp(BadBuild):
    """A stamp that is not written as a variable."""

    def __init__(self, text: str) -> None:
        self.text = text
        super().__init__(
            f"not a variable that can be stamped: {text!r}",
            hint="write it as main.VERSION, or as import/path.Variable",
        )


def split_flags(text: str) -> tuple[str, ...]:
    """The fields of a flag text. Errors: UnterminatedQuote."""
    fields = split_fields(text)
    if fields is None:
        raise UnterminatedQuote(text)
    return fields


def join_flags(fields: Iterable[str]) -> str:
    """One text that go splits into these fields. Errors: UnwritableFlag."""
    return " ".join(map(_quoted, fields))


def _quoted(field: str) -> str:
    if field and field[0] not in "'\"" and not any(letter in _SPACE for letter in field):
        return field
    for quote in "'\"":
        if quote not in field:
            return f"{quote}{field}{quote}"
    raise UnwritableFlag(field)


def stamps_in(fields: tuple[str, ...]) -> tuple[Stamp, ...]:
    """Every `-X` among linker flags: `-X a.B=text`, `-X=a.B=text`, also with two dashes. Errors: BadStamp."""
    found: list[Stamp] = []
    index = 0
    while index < len(fields):
        flag = fields[index]
        if flag in ("-X", "--X") and index + 1 < len(fields):
            index += 1
            found.append(read_stamp(*_halves(fields[index])))
        elif flag.startswith(("-X=", "--X=")):
            found.append(read_stamp(*_halves(flag.partition("=")[2])))
        index += 1
    return tuple(found)


def _halves(text: str) -> tuple[str, str]:
    variable, equals, value = text.partition("=")
    if not equals:
        raise BadStamp(text)
    return variable, value


def read_stamp(variable: str, text: str) -> Stamp:
    """A stamp from `import/path.Name` and its text: the name comes after the last dot. Errors: BadStamp."""
    package, dot, name = variable.rpartition(".")
    if not dot or not package or not name.isidentifier() or any(letter in package for letter in " \t\"'="):
        raise BadStamp(variable)
    return Stamp(package, name, text, variable)
