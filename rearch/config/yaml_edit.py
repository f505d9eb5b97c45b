"""Changes single scalars of a YAML text and nothing else: comments, order, quotes and line ends stay to the byte.

No YAML is written anew, so no odd style is restyled: the characters of one scalar are replaced at the place that the
composer gives for it. Then the text is read again, and is only taken when it says what it should.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from rearch.config.files import KeyPath
from rearch.config.layers import at
from rearch.config.problems import key_path, shown
from rearch.config.yaml_tree import Data, Span, find, places, read_yaml
from rearch.errors import UsageError


class CannotEdit(UsageError):
    """A scalar that cannot be changed by itself: an alias stands there, or nothing does."""

    def __init__(self, file: str, line: int, path: KeyPath, new: str) -> None:
        self.file = file
        self.line = line
        self.path = path
        super().__init__(
            f"{file}:{line}: {key_path(path)} cannot be changed without changing something else",
            [f"wanted: {shown(new)}"],
            hint="an anchor (&) or an alias (*) may stand there: edit this line by hand, then run `invoke lock`",
        )


def line_of(text: str, path: KeyPath) -> int:
    """The line, from 1, where the value at a path begins."""
    return find(places(text), path)[0].value.line


def replace_scalar(file: str, text: str, path: KeyPath, new: str) -> str:
    """The text of `file` with the scalar at `path` replaced. Quotes stay where they can. Errors: CannotEdit."""
    data, _ = read_yaml(text)
    old = at(data, path)
    spot, depth = find(places(text), path)
    if depth != len(path) or not isinstance(old, str):
        raise CannotEdit(file, spot.value.line, path, new)
    if old == new:
        return text
    wanted = _with(data, path, new)
    for candidate in _candidates(text, spot.value, old, new):
        if read_yaml(candidate) == (wanted, ()):
            return candidate
    raise CannotEdit(file, spot.value.line, path, new)


def _candidates(text: str, span: Span, old: str, new: str) -> Iterator[str]:
    """As it is written, then in quotes: the plain way first, for a diff of one word."""
    raw = text[span.start : span.end]
    before, after = text[: span.start], text[span.end :]
    at_ = raw.rfind(old)  # the last: an anchor may have the same name
    if at_ >= 0:
        yield f"{before}{raw[:at_]}{new}{raw[at_ + len(old) :]}{after}"
    end = "\n" if raw.endswith("\n") else ""  # a block's last line belongs to it
    yield f"{before}{json.dumps(new, ensure_ascii=False)}{end}{after}"


def _with(data: Data, path: Sequence[str | int], new: str) -> Data:
    if not path:
        return new
    first, *rest = path
    if isinstance(data, Mapping) and isinstance(first, str):
        return {**data, first: _with(data[first], rest, new)}
    if isinstance(data, list) and isinstance(first, int):
        return [*data[:first], _with(data[first], rest, new), *data[first + 1 :]]
    raise KeyError(first)
