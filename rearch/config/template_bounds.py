"""What texts, numbers and loops of a template may cost, and what its filters do with values.

A text that holds a line break is marked (Raw) when it comes in, so that it cannot be printed as it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import ContextVar
from typing import Any, NoReturn

from jinja2 import Undefined
from jinja2.exceptions import SecurityError, TemplateRuntimeError
from jinja2.filters import FILTERS as JINJA
from msgspec import Struct

from rearch.config import template_text
from rearch.config.template_text import breaks_lines

LONGEST_TEXT = 256 * 1024
LONGEST_OUTPUT = 1024 * 1024
LONGEST_LIST = 10_000
MOST_WORK = 200_000
LARGEST_NUMBER = 2**64
# Jinja's own filters that are harmless: they give no text, or one that is no longer than what they got.
_JINJA = (
    *("default", "d", "first", "last", "length", "count", "list", "map", "select", "reject", "selectattr"),
    *("rejectattr", "sort", "unique", "reverse", "items", "dictsort"),
)


class Failed(TemplateRuntimeError):
    """`fail(...)` in a template."""


class Raw(str):
    """A text of the values with a line break or the like: it must not go into a Dockerfile as it is."""

    __slots__ = ()


class Work(Struct):
    """What one rendering has used up."""

    spent: int = 0

    def spend(self, amount: int = 1) -> None:
        self.spent += amount
        if self.spent > MOST_WORK:
            raise SecurityError(f"more than {MOST_WORK} turns of loops and calls")


WORK: ContextVar[Work] = ContextVar("WORK")


def short_range(*bounds: int) -> range:
    """`range(...)` of templates."""
    found = range(*bounds)
    short(len(found))
    return found


def fail(text: str) -> NoReturn:
    """`fail(...)` of templates: what a recipe has to change."""
    raise Failed(str(text))


def short(length: int) -> None:
    """Refuses a list that is too long."""
    if length > LONGEST_LIST:
        raise SecurityError(f"a list of more than {LONGEST_LIST} items")


def number(value: Any) -> Any:
    """The number, if it is not too large."""
    if not math.isfinite(value) or abs(value) > LARGEST_NUMBER:
        raise SecurityError(f"a number over {LARGEST_NUMBER}")
    return value


def _bounded(text: str) -> str:
    if len(text) > LONGEST_TEXT:
        raise SecurityError(f"a text of more than {LONGEST_TEXT} characters")
    return text


def counted(values: Any) -> Iterator[Any]:
    """What a loop goes through, each turn paid for."""
    work = WORK.get()
    for value in values:
        work.spend()
        yield value


def _collected(parts: Iterable[str], limit: int) -> str:
    found, length = [], 0
    for part in parts:
        found.append(part)
        length += len(part)
        if length > limit:
            raise SecurityError(f"a text of more than {limit} characters")
    return "".join(found)


def concat(parts: Iterable[str]) -> str:
    """What a macro, a block or an include has printed."""
    return _collected(parts, LONGEST_OUTPUT)


def joined(values: Iterable[Any], between: str = "") -> str:
    """Texts and numbers as one text: the filter `join`, and the operators `~` and `+`."""
    pieces: list[str] = []
    for value in counted(values):
        pieces += [between, printable(value)] if pieces and between else [printable(value)]
    return _collected(pieces, LONGEST_TEXT)


def replaced(text: Any, old: Any, new: Any) -> str:
    """The filter and the method `replace`; how long the result is, is known before it is made."""
    text, old, new = str(text), str(old), str(new)
    if len(text) + text.count(old) * max(0, len(new) - len(old)) > LONGEST_TEXT:
        raise SecurityError(f"a text of more than {LONGEST_TEXT} characters")
    return str(text).replace(old, new)


def _whole(value: Any) -> int:
    """More digits than that are refused by `number` anyway, and take time."""
    return int(str(value)[:40])


_TEXTS: Mapping[str, Callable[..., Any]] = {
    "json": template_text.json_text,
    "quote": template_text.quote,
    "word": template_text.word,
    "label_key": template_text.label_key,
    "pattern": template_text.pattern,
    "duration": template_text.duration,
    "replace": replaced,
    "join": joined,
    "int": _whole,
    **{name: JINJA[name] for name in ("lower", "upper", "trim")},
}


def _guarded(function: Callable[..., Any]) -> Callable[..., Any]:
    def guarded(value: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(value, Undefined):
            str(value)  # raises, with the name
        result = function(value, *args, **kwargs)
        return remarked(_bounded(result), value, *args) if isinstance(result, str) else result

    return guarded


FILTERS: Mapping[str, Callable[..., Any]] = {
    **{name: JINJA[name] for name in _JINJA},
    **{name: _guarded(function) for name, function in _TEXTS.items()},
}
GUARDS: Mapping[str, Callable[..., Any]] = {"counted": counted, "joined": joined}


def remarked(result: Any, *given: Any) -> Any:
    """A text made of a raw one is raw where the line break is still in it."""
    if isinstance(result, str) and any(isinstance(one, Raw) for one in given) and breaks_lines(result):
        return Raw(result)
    return result


def printable(value: Any) -> str:
    """What `{{ ... }}` may print: texts and numbers. The rest would print as Python writes it."""
    if isinstance(value, Undefined):
        return str(value)  # raises, with the name
    if isinstance(value, Raw):
        raise SecurityError("a value with a line break cannot be printed as it is: write it with `| json`")
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value:g}" if isinstance(value, float) else str(value)
    kind = {type(None): "nothing (none)", bool: "true or false"}.get(type(value), f"a {type(value).__name__}")
    raise TypeError(f"this is {kind}, not a text: a list is written with `| json`, a condition with `if`")


def prepared(value: Any) -> Any:
    """Values as templates get them: plain mappings, tuples, texts and numbers, none of which anyone else holds."""
    if isinstance(value, Mapping):
        return {str(key): prepared(item) for key, item in value.items()}
    if isinstance(value, str):
        return Raw(value) if breaks_lines(value) else str(value)
    if isinstance(value, list | tuple):
        return tuple(map(prepared, value))
    if value is None or isinstance(value, bool | int | float):
        return value
    raise TypeError(f"a template cannot be given a {type(value).__name__}")
