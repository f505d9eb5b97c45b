"""Values as Dockerfile text, so that none of them can add an instruction, a flag or an expansion.

The rules are those of the Dockerfile reference ("Format", "Environment replacement") as BuildKit's parser and lexer
apply them: in double quotes a backslash escapes `"`, `$` and itself; an instruction ends at the end of its line.
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Mapping
from typing import Any

_BARE = re.compile(r"[A-Za-z0-9_./:@%+,=~-]+")
_KEY = re.compile(r"[A-Za-z0-9_./:@+-]+")
_SPECIAL = re.compile(r'(["$\\])')
_WILD = re.compile(r"([*?\[])")


class Unquotable(ValueError):
    """A text that a Dockerfile has no way to say at this place."""


def breaks_lines(text: str) -> bool:
    """Whether a text holds a line break or another control character, in any reader's opinion of what that is."""
    return any(unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") and letter != "\t" for letter in text)


def json_text(value: Any) -> str:
    """A text, or a list or mapping of texts, as JSON on one line: for ENTRYPOINT, CMD, VOLUME and COPY.

    Letters that cannot be printed are escaped, so that nobody takes one for the end of the line.
    """
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_string(key)}: {_string(item)}" for key, item in value.items()) + "}"
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, bool) or not hasattr(value, "__iter__"):
        raise TypeError("json wants a text, a list of texts or a mapping of texts")
    return "[" + ", ".join(map(_string, value)) + "]"


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"json wants texts, not a {type(value).__name__}")
    plain = json.dumps(value, ensure_ascii=False)
    return "".join(letter if letter.isprintable() else json.dumps(letter)[1:-1] for letter in plain)


def quote(value: Any) -> str:
    """A value of ENV or LABEL, always in double quotes. Errors: Unquotable."""
    text = _one_line(value)
    return '"' + _SPECIAL.sub(r"\\\1", text) + '"'


def word(value: Any) -> str:
    """One word of an instruction (a path, a user, a port): as it is where nothing in it is special, else quoted.

    Errors: Unquotable, also for what would be taken for a flag or for nothing.
    """
    text = _one_line(value)
    if not text or text.startswith("--"):
        raise Unquotable(f"{text!r} cannot be a word of an instruction")
    return text if _BARE.fullmatch(text) and not text.startswith("~") else quote(text)


def label_key(value: Any) -> str:
    """The name of a label. Errors: Unquotable for one with `=`, at which Dockerfiles end a name, quoted or not."""
    text = _one_line(value)
    if "=" in text or not text.strip():
        raise Unquotable(f"the label {text!r} cannot be written in a Dockerfile: its name has a `=`, or nothing")
    return text if _KEY.fullmatch(text) else quote(text)


def pattern(value: Any) -> str:
    """A source of COPY that means this very path: sources are patterns (Go's filepath.Match)."""
    return word(_WILD.sub(r"[\1]", _one_line(value)))


def duration(value: Any) -> str:
    """Seconds as Go's time.ParseDuration reads them (`1m30s` is `90s`); a fraction is rounded up to milliseconds."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e9:
        raise TypeError("duration wants seconds, from 0 to 1000000000")
    thousandths = math.ceil(round(value * 1000, 6))
    return f"{thousandths // 1000}s" if thousandths % 1000 == 0 else f"{thousandths}ms"


def _one_line(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"a text is wanted, not a {type(value).__name__}")
    if breaks_lines(value):
        raise Unquotable(f"{value[:60]!r} has a line break or a control character, which a Dockerfile cannot say here")
    return value
