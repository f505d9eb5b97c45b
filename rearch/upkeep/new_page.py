"""YAML with comments, written line by line: every value in the style of the project's own recipes."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence

_WIDTH = 118
# As config/yaml_write.py: a text stands without quotes only where no reader can take it for anything else.
_SENTENCE = re.compile(r"[A-Za-z](?:[\w ,.()/'-]|:(?! ))*[\w.)]")
_PLAIN = re.compile(r"(?:--?[A-Za-z]|[A-Za-z_/.])(?:[A-Za-z0-9_./@=+-]|:(?=[A-Za-z0-9_/]))*")
_NUMBER_LIKE = re.compile(r"[.+-]?[0-9.]+|\.inf|\.nan|\.", re.IGNORECASE)
_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf", "infinity"})


def scalar(text: str) -> str:
    """A text as YAML. JSON's strings are YAML's double-quoted ones (yaml.org/spec/1.2.2, 1.3)."""
    if (_PLAIN.fullmatch(text) and text.lower() not in _WORDS and not _NUMBER_LIKE.fullmatch(text)) or text == ".":
        return text
    return json.dumps(text, ensure_ascii=not text.isprintable())


def sentence(text: str) -> str:
    """A text behind a key of a block, where a comma and a blank need no quotes."""
    return text if _SENTENCE.fullmatch(text) and text.lower() not in _WORDS else scalar(text)


def sequence(values: Sequence[str]) -> str:
    """`[a, b]`."""
    return f"[{', '.join(map(scalar, values))}]"


def mapping(values: Mapping[str, str]) -> str:
    """`{a: b}`; values are written already."""
    return "{" + ", ".join(f"{scalar(key)}: {value}" for key, value in values.items()) + "}"


class Page:
    """Lines of one YAML file."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def note(self, text: str, depth: int = 0) -> None:
        """A comment, wrapped. It cannot become data: what would end its line is escaped."""
        plain = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)
        pad = "  " * depth + "# "
        self._lines += textwrap.wrap(
            plain, _WIDTH, initial_indent=pad, subsequent_indent=pad, break_long_words=False, break_on_hyphens=False
        )

    def notes(self, texts: Iterable[str], depth: int = 0) -> None:
        for text in texts:
            self.note(text, depth)

    def put(self, key: str, value: str = "", depth: int = 0) -> None:
        """`key: value`, where value is YAML already; without one a mapping follows, one step further in."""
        self._lines.append(f"{'  ' * depth}{scalar(key)}:{' ' + value if value else ''}")

    def item(self, value: str, depth: int = 0) -> None:
        """`- value`."""
        self._lines.append(f"{'  ' * depth}- {value}")

    def block(self, key: str, lines: Sequence[str], depth: int = 0) -> None:
        """`key: |-` and the lines of a text as they stand. None of them begins with a blank."""
        self._lines.append(f"{'  ' * depth}{scalar(key)}: |-")
        self._lines += [f"{'  ' * (depth + 1)}{line}" if line else "" for line in lines]

    def long(self, key: str, values: Sequence[str], depth: int = 0) -> None:
        """A list of words, broken over lines where it is too long for one."""
        line = f"{'  ' * depth}{key}: {sequence(values)}"
        if len(line) <= _WIDTH:
            self._lines.append(line)
            return
        pad = "  " * (depth + 1)
        self._lines.append(f"{'  ' * depth}{key}:")
        self._lines += textwrap.wrap(
            sequence(values), _WIDTH, initial_indent=pad, subsequent_indent=f"{pad} ", break_on_hyphens=False
        )

    def text(self) -> str:
        return "\n".join(self._lines) + "\n"
