"""Which variables of a Go package `-ldflags -X` can set.

The linker drops `-X` of a name that does not exist without a word, and a constant or a variable
that a call initialises keeps its own value, so a version stamp is checked here before compiling.
The rule is cmd/link's ("-X importpath.name=value ... only effective if the variable is declared in the source
code either uninitialized or initialized to a constant string expression"). Lexical rules:
https://go.dev/ref/spec#Lexical_elements. Build constraints are read by gotags.py.

Nothing here raises: text that is no Go gives fewer declarations, never an error; the compiler will say what is wrong.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum

from msgspec import Struct


class Stampable(StrEnum):
    """Whether `-X` works. UNKNOWN: the value comes from another package, which may be a constant or not."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class Variable(Struct, frozen=True, kw_only=True):
    """A package-level name. `line` counts from 1; `why` says what stands in the way of `-X` (empty for YES)."""

    name: str
    file: str
    line: int
    stampable: Stampable
    why: str = ""


class Token(Struct, frozen=True):
    """`kind` is word, text (a string literal), other (number, rune, operator) or end (a semicolon, maybe implied)."""

    kind: str
    text: str
    line: int


_LEX = re.compile(
    r"""(?P<space>[ \t\r]+)
      | (?P<newline>\n)
      | (?P<comment>//[^\n]*)
      | (?P<block>/\*)
      | (?P<raw>`)
      | (?P<text>"(?:[^"\\\n]|\\.)*+"?)
      | (?P<rune>'(?:[^'\\\n]|\\.)*+'?)
      | (?P<word>[^\W\d]\w*)
      | (?P<number>\d[\w.]*)
      | (?P<twin>\+\+|--)
      | (?P<other>.)""",
    re.VERBOSE,
)
_CLOSERS = {")", "]", "}", "++", "--"}
_OPEN, _CLOSE = "([{", ")]}"
_NO_END_AFTER = {"case", "chan", "const", "default", "defer", "else", "for", "func", "go", "goto", "if", "import"}
_NO_END_AFTER |= {"interface", "map", "package", "range", "select", "struct", "switch", "type", "var"}
_NO_TEXT = {"iota", "true", "false", "nil"}


def tokens(source: str) -> Iterator[Token]:
    """The tokens of a Go file, with the semicolons that the language implies at line ends."""
    line, at, ends = 1, 0, False
    while found := _LEX.match(source, at):
        kind, text = found.lastgroup or "other", found.group()
        if kind in ("block", "raw"):
            text = _long(source, at, "*/" if kind == "block" else "`", len(text))
        at += len(text)
        broken = kind == "newline" or (kind == "block" and "\n" in text)
        if broken and ends:
            yield Token("end", ";", line)
            ends = False
        if kind not in ("space", "newline", "comment", "block"):
            token = _token(kind, text, line)
            ends = _may_end(token)
            yield token
        line += text.count("\n")
    if ends:
        yield Token("end", ";", line)


def _long(source: str, start: int, closer: str, skip: int) -> str:
    """A comment or raw string, up to its end or the file's."""
    end = source.find(closer, start + skip)
    return source[start:] if end < 0 else source[start : end + len(closer)]


def _token(kind: str, text: str, line: int) -> Token:
    if kind in ("raw", "text"):
        return Token("text", text, line)
    if kind == "word":
        return Token("word", text, line)
    return Token("end" if text == ";" else "other", text, line)


def _may_end(token: Token) -> bool:
    """https://go.dev/ref/spec#Semicolons, rule 1."""
    match token.kind:
        case "word":
            return token.text not in _NO_END_AFTER
        case "text":
            return True
        case "other":
            return token.text in _CLOSERS or token.text[0] == "'" or token.text[0].isdigit()
    return False


class _Declared(Struct, frozen=True, kw_only=True):
    """One name of a var or const: its type's and its value's tokens (None: it has none of its own)."""

    keyword: str
    name: str
    file: str
    line: int
    type: tuple[Token, ...]
    value: tuple[Token, ...] | None
    shared: bool


def string_variables(sources: Mapping[str, str]) -> tuple[Variable, ...]:
    """The package-level variables and constants of one package, with whether `-X` can set them.

    `sources` is file name -> text, all of one package; `_test.go` files are left out. Files that the platform
    excludes should not be in it (see gotags.included). Sorted by file and line.
    """
    declared = [
        item
        for file, text in sorted(sources.items())
        if not file.endswith("_test.go")
        for item in _declarations(file, tuple(tokens(text)))
    ]
    package = {item.name: item for item in reversed(declared)}
    return tuple(_judged(item, package) for item in declared if item.name != "_")


def nearest(name: str, variables: Sequence[Variable], limit: int = 3) -> tuple[str, ...]:
    """Names that `-X` can set and that look like `name`, the most alike first; letter case counts least."""
    fit = {item.name.lower(): item.name for item in variables if item.stampable is not Stampable.NO}
    close = difflib.get_close_matches(name.lower(), tuple(fit), n=limit, cutoff=0.5)
    return tuple(fit[word] for word in close)


def package_name(source: str) -> str | None:
    """The word after `package`, None where the text has no package clause."""
    words = tokens(source)
    first, second = next(words, None), next(words, None)
    if first is None or second is None or first.text != "package" or second.kind != "word":
        return None
    return second.text


def _declarations(file: str, all_tokens: Sequence[Token]) -> Iterator[_Declared]:
    for statement in _statements(all_tokens):
        keyword = statement[0].text
        if statement[0].kind != "word" or keyword not in ("var", "const") or len(statement) < 2:
            continue
        body = statement[1:]
        specs = _statements(body[1:-1]) if body[0].text == "(" else (body,)
        for spec in specs:
            yield from _spec(keyword, file, spec)


def _statements(all_tokens: Sequence[Token]) -> Iterator[Sequence[Token]]:
    """Pieces between semicolons that stand in no bracket."""
    depth, start = 0, 0
    for index, token in enumerate(all_tokens):
        depth = _deeper(depth, token)
        if token.kind == "end" and depth == 0:
            if index > start:
                yield all_tokens[start:index]
            start = index + 1
    if start < len(all_tokens):
        yield all_tokens[start:]


def _deeper(depth: int, token: Token) -> int:
    if token.kind != "other" or len(token.text) != 1:
        return depth
    if token.text in _OPEN:
        return depth + 1
    return max(0, depth - 1) if token.text in _CLOSE else depth


def _split(all_tokens: Sequence[Token], mark: str) -> list[tuple[Token, ...]]:
    """Pieces between marks that stand in no bracket; always one at least."""
    pieces: list[tuple[Token, ...]] = []
    depth, start = 0, 0
    for index, token in enumerate(all_tokens):
        depth = _deeper(depth, token)
        if depth == 0 and token.kind == "other" and token.text == mark:
            pieces.append(tuple(all_tokens[start:index]))
            start = index + 1
    pieces.append(tuple(all_tokens[start:]))
    return pieces


def _spec(keyword: str, file: str, spec: Sequence[Token]) -> Iterator[_Declared]:
    """`A, B T = x, y`: each name with its type and value."""
    count = 0
    while count < len(spec) and spec[count].kind == "word" and (count == 0 or spec[count - 1].text == ","):
        count += 2 if count + 1 < len(spec) and spec[count + 1].text == "," else 1
    names = [token for token in spec[:count] if token.kind == "word"]
    kind, *rest = _split(spec[count:], "=")
    values = _split(rest[0], ",") if rest else []
    for index, name in enumerate(names):
        yield _Declared(
            keyword=keyword,
            name=name.text,
            file=file,
            line=name.line,
            type=kind,
            value=values[min(index, len(values) - 1)] if values else None,
            shared=bool(values) and len(values) != len(names),
        )


def _judged(item: _Declared, package: Mapping[str, _Declared]) -> Variable:
    verdict, why = _verdict(item, package)
    return Variable(name=item.name, file=item.file, line=item.line, stampable=verdict, why=why)


def _verdict(item: _Declared, package: Mapping[str, _Declared]) -> tuple[Stampable, str]:
    if item.keyword == "const":
        return Stampable.NO, "a constant"
    if item.type and [token.text for token in item.type] != ["string"]:
        return Stampable.NO, "of type " + "".join(token.text for token in item.type)[:60]
    if item.value is None:
        return Stampable.YES, ""
    if item.shared:
        return Stampable.NO, "initialised by a call"
    return _constant(item.value, package, ())


def _constant(value: Sequence[Token], package: Mapping[str, _Declared], seen: tuple[str, ...]) -> tuple[Stampable, str]:
    """Whether an expression is a constant string: literals and constants, joined by +, in brackets, as string(...)."""
    verdict: tuple[Stampable, str] = (Stampable.YES, "")
    for index, token in enumerate(value):
        before = value[index - 1].text if index else ""
        after = value[index + 1].text if index + 1 < len(value) else ""
        if token.kind == "text" or token.text in ("+", "(", ")", "."):
            continue
        if token.kind != "word":
            return Stampable.NO, "not initialised with a text"
        if after == "." or before == ".":
            if _called(value, index):
                return Stampable.NO, "initialised by a call"
            verdict = Stampable.UNKNOWN, "initialised from another package"
        elif after == "(":
            if token.text != "string":
                return Stampable.NO, "initialised by a call"
        else:
            one = _named(token.text, package, seen)
            if one[0] is Stampable.NO:
                return one
            verdict = one if one[0] is Stampable.UNKNOWN else verdict
    return verdict if value else (Stampable.NO, "not initialised with a text")


def _called(value: Sequence[Token], index: int) -> bool:
    return any(token.text == "(" for token in value[index + 1 : index + 4])


def _named(name: str, package: Mapping[str, _Declared], seen: tuple[str, ...]) -> tuple[Stampable, str]:
    item = package.get(name)
    if item is None and name in _NO_TEXT:
        return Stampable.NO, "not initialised with a text"
    if item is None or name in seen or len(seen) > 20:
        return Stampable.UNKNOWN, f"initialised from {name}, which is not declared here"
    if item.keyword == "var":
        return Stampable.NO, f"initialised from the variable {name}"
    if item.value is None or (item.type and [token.text for token in item.type] != ["string"]):
        return Stampable.NO, "not initialised with a text"
    return _constant(item.value, package, (*seen, name))
