"""What is wrong in the configuration, all of it at once, each with its place."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from msgspec import Struct

from rearch.errors import UsageError

_WIDEST = 110
_PASSWORD = re.compile(r"(?<=//)[^/@\s]+(?=@)")
# `user:password@` before the name of an image; what follows the @ of a digest is none, and a scheme is for the above.
_LOGIN = re.compile(r"""(?<![^\s"'{\[(,=])[^\s"'@/{}\[\](),=]*:(?!//)[^\s"']*(?=@(?!(?:sha256|sha512):))""")


class Problem(Struct, frozen=True, kw_only=True):
    """One thing to correct.

    `file` is relative to the project, or names a flag or a variable; it may be empty. `line` and `column`
    count from 1; 0 where there is no such place. `source` is the line itself, `width` how many characters
    of it are meant.
    """

    file: str
    line: int
    column: int
    text: str
    hint: str | None = None
    source: str = ""
    width: int = 1

    @property
    def place(self) -> str:
        """`file:line:column`, as editors and terminals link it."""
        file = shown(self.file, 4096)
        return f"{file}:{self.line}:{self.column}" if self.line else file

    def render(self) -> str:
        """The place and the text, then the line with a mark under what is meant."""
        head = f"{self.place}: {self.text}" if self.place else self.text
        head = f"{head}; {self.hint}" if self.hint else head
        return "\n".join([head, *self._picture()])

    def _picture(self) -> list[str]:
        """Two lines, cut around the place; none where the place is outside the line."""
        at = self.column - 1
        if not self.line or not self.source.strip() or at >= len(self.source):
            return []
        first = max(0, at - _WIDEST // 2) if len(self.source) > _WIDEST else 0
        line = _visible(masked(self.source)[first : first + _WIDEST])
        blank = "".join("\t" if letter == "\t" else " " for letter in line[: at - first])
        width = max(1, min(self.width, len(line) - (at - first)))
        return [f"    {line}", f"    {blank}{'^' * width}"]


class ConfigProblems(UsageError):
    """Everything that is wrong in flags, environment and YAML, found in one run."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(dict.fromkeys(problems), key=lambda one: (one.file, one.line, one.column)))
        files = {problem.file for problem in self.problems if problem.line}
        count = len(self.problems)
        things = "1 problem" if count == 1 else f"{count} problems"
        where = f" in {next(iter(files))}" if len(files) == 1 else f" in {len(files)} files" if files else ""
        super().__init__(
            f"the configuration has {things}{where}",
            [problem.render() for problem in self.problems],
            hint="docs/reference.md describes every key" if files else None,
        )


def _visible(text: str) -> str:
    """The text without letters that a terminal would obey, as U+202E does; as long as before."""
    return "".join(letter if letter.isprintable() or letter == "\t" else "\N{REPLACEMENT CHARACTER}" for letter in text)


def masked(text: str) -> str:
    """The text with stars for the user and the password of a URL or an image's name; as long as before."""
    return _LOGIN.sub(_stars, _PASSWORD.sub(_stars, text))


def _stars(found: re.Match[str]) -> str:
    return "*" * len(found[0])


def shown(text: str, limit: int = 60) -> str:
    """Text from a file as it can be printed: no control characters, no passwords, not endless."""
    text = masked(text)  # before it is cut: the @ by which a password is known may stand behind
    cut = text if len(text) <= limit else text[: limit - 3] + "..."
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in cut)


def key_path(path: Sequence[str | int]) -> str:
    """`build.go.binaries`, `edits[0].file`, `stamps."main.VERSION"`."""
    words = ""
    for step in path:
        if isinstance(step, int):
            words += f"[{step}]"
        else:
            plain = step.isidentifier() or step.replace("-", "_").isidentifier()
            words += ("." if words else "") + (shown(step) if plain else f'"{shown(step)}"')
    return words


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that was probably meant."""
    import difflib

    names = list(known)
    lowered = {name.lower(): name for name in names}
    found = difflib.get_close_matches(word.lower()[:200], lowered, n=1, cutoff=0.6)
    return lowered[found[0]] if found else None


def suggestion(word: str, known: Iterable[str]) -> str | None:
    """A hint for an unknown word: the nearest known one, else what is known (when that is a readable list)."""
    names = sorted(set(known))
    near = nearest(word, names)
    if near:
        return f"did you mean {near}?"
    if not names:
        return None
    return f"known: {', '.join(names[:20])}" + (", ..." if len(names) > 20 else "")
