"""Splitting the text behind an instruction: flags, words, name=value, the JSON form.

Here quotes only hold words together; they are taken away when variables are put in (variables.py).
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from msgspec import Struct

from rearch.oci.dockerfile.errors import Trouble

_BLANKS = " \t\v\f\r"


class Flag(Struct, frozen=True):
    """`--name=value`; `value` is None without `=`. `at`: offset of the value in the statement's text."""

    name: str
    value: str | None
    at: int


def split_flags(text: str, start: int, escape: str) -> tuple[tuple[Flag, ...], int]:
    """The flags that begin at an offset, and where the rest begins. A lone `--` ends them."""
    flags = list[Flag]()
    at = skip_blanks(text, start)
    while text.startswith("--", at):
        end = word_end(text, at, escape)
        word = text[at:end]
        if word == "--":
            return tuple(flags), skip_blanks(text, end)
        name, equals, value = word[2:].partition("=")
        plain = _unquoted(value, escape) if equals else None
        flags.append(Flag(name, plain, at + 2 + len(name) + len(equals)))
        at = skip_blanks(text, end)
    return tuple(flags), at


def skip_blanks(text: str, at: int) -> int:
    """The offset of the next character that is no blank."""
    while at < len(text) and text[at] in _BLANKS:
        at += 1
    return at


def word_end(text: str, at: int, escape: str) -> int:
    """Where a word ends: at a blank that is neither quoted nor escaped."""
    quote = ""
    while at < len(text):
        char = text[at]
        if not quote and char in _BLANKS:
            return at
        if char == escape and quote != "'":
            at += 1
        elif quote:
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
        at += 1
    return min(at, len(text))


def split_words(text: str, escape: str) -> tuple[str, ...]:
    """The words of a text, their quotes and escapes left in."""
    words, at = list[str](), skip_blanks(text, 0)
    while at < len(text):
        end = word_end(text, at, escape)
        words.append(text[at:end])
        at = skip_blanks(text, end)
    return tuple(words)


def _unquoted(text: str, escape: str) -> str:
    """A flag's value: quotes and escapes taken away, variables left alone."""
    plain, quote, at = "", "", 0
    while at < len(text):
        char = text[at]
        if char == escape and quote != "'" and text[at + 1 : at + 2] in ('"', "'", escape):
            at += 1
            plain += text[at : at + 1]
        elif quote and char == quote:
            quote = ""
        elif not quote and char in "'\"":
            quote = char
        else:
            plain += char
        at += 1
    return plain


def split_pairs(text: str, escape: str, kind: str) -> tuple[tuple[str, str], ...]:
    """`a=b c="d e"`, or the old form `a b c` (one name, and the rest is its value). Errors: Trouble."""
    words = split_words(text, escape)
    if not words:
        raise Trouble(f"{kind} without a name", f"write {kind} NAME=value")
    if "=" not in words[0]:
        value = text.lstrip(_BLANKS)[len(words[0]) :].strip(_BLANKS)
        if not value:
            raise Trouble(f"{kind} {words[0]} has no value", f"write {kind} {words[0]}=value")
        return ((words[0], value),)
    pairs = [word.partition("=") for word in words]
    for word, (name, equals, _value) in zip(words, pairs, strict=True):
        if not equals:
            raise Trouble(f"{kind}: {word!r} is no NAME=value", "put quotes around a value with blanks")
        if not name:
            raise Trouble(f"{kind}: {word!r} has no name", f"write {kind} NAME=value")
    return tuple((name, value) for name, _equals, value in pairs)


def json_words(text: str) -> tuple[str, ...] | None:
    """The words of a JSON array; None where it is no JSON array. Errors: Trouble where it holds other than strings."""
    if not text.lstrip().startswith("["):
        return None
    try:
        value = json.loads(text)
    except ValueError:
        return None
    if not isinstance(value, list):
        return None
    if not all(isinstance(word, str) for word in value):
        raise Trouble(f"{text} holds other things than strings", "put every word between double quotes")
    return tuple(value)


def list_of(text: str, escape: str) -> tuple[str, ...]:
    """Words, in JSON or split at blanks. Errors: Trouble."""
    words = json_words(text)
    return split_words(text, escape) if words is None else words


def joined(words: Sequence[str]) -> str:
    """A list for people: `a, b and c`."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
