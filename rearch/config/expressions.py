"""`${{ ... }}` in the texts of recipes.

Plain names (`version`, `vars.flavour`) are looked up here; anything more goes to the sandbox, which is
imported only then, because Jinja costs more start-up time than everything else that a small build does.

Some names are known only after locking, or differ by platform: *open* names. They stay in the text,
spelled `${{ name }}`, and planning/expand.py fills them in. So that nothing else is taken for one,
a text in which a literal `${{ word }}` would stand beside them is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from msgspec import Struct

from rearch.config.problems import shown, suggestion

OPEN_NAMES: Mapping[str, str] = {
    "commit": "commit of the git source",
    "short_commit": "its first seven digits",
    "date": "time of the source, as in 2024-05-17T09:30:00Z",
    "timestamp": "the same in seconds since 1970",
    "platform": "platform, as in linux/arm/v7",
    "os": "linux",
    "arch": "architecture as OCI names it: arm64, arm, 386",
    "variant": "variant: v7, or empty",
}
KNOWN_NAMES: Mapping[str, str] = {
    "name": "name of the component",
    "stack": "name of the stack",
    "version": "version of the recipe; under build, verify, smoke and image also of a debian source that leaves it out",
    "vars": "the recipe's own names: `vars.NAME`",
}
LONGEST = 500

MARK = "${{"
_PLAIN = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?:\.([A-Za-z_][A-Za-z0-9_]*))?\Z", re.ASCII)
_TOKEN = re.compile(r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|[{}]""", re.DOTALL)
_LEFT_OPEN = re.compile(r"\$\{\{\s*[a-z_]+\s*\}\}")


class Scope(Struct, frozen=True, kw_only=True):
    """What the texts of a place may refer to.

    `open_names` are known later; `may_wait` says whether this place allows them.
    """

    values: Mapping[str, str]
    variables: Mapping[str, str]
    open_names: frozenset[str]
    may_wait: bool

    @property
    def names(self) -> tuple[str, ...]:
        """Every name that may be written here."""
        return (*self.values, *(["vars"] if self.variables else []), *(self.open_names if self.may_wait else ()))


class ExpressionFault(Exception):
    """What is wrong with one expression. `mark` counts the `${{` of the text, `word` is what is meant inside it."""

    def __init__(self, text: str, hint: str | None = None, *, word: str = MARK) -> None:
        super().__init__(text)
        self.text = text
        self.hint = hint
        self.word = word
        self.mark = 0


def render(text: str, scope: Scope) -> tuple[str, tuple[ExpressionFault, ...]]:
    """The text with its expressions replaced, and what is wrong with them (then the text is not to be used)."""
    parts: list[str] = []
    faults: list[ExpressionFault] = []
    waiting = 0
    for piece in _pieces(text):
        if isinstance(piece, str):
            parts.append(piece)
            continue
        waiting += piece.text in scope.open_names
        try:
            parts.append(_value(piece, scope))
        except ExpressionFault as fault:
            fault.mark = text.count(MARK, 0, piece.start)
            faults.append(fault)
    whole = "".join(parts)
    if not faults and scope.may_wait and len(_LEFT_OPEN.findall(whole)) > waiting:
        faults.append(ExpressionFault("a literal `${{ word }}` cannot stand here: it would be taken for an expression"))
    return whole, tuple(faults)


class _Expression(Struct, frozen=True):
    """What stands between `${{` at `start` and its `}}`, stripped; None where there is no `}}`."""

    text: str | None
    start: int


def _pieces(text: str) -> Iterator[str | _Expression]:
    """Literal text (`$${{` already unescaped) and expressions, in their order."""
    at = 0
    while (start := text.find(MARK, at)) >= 0:
        if start > at and text[start - 1] == "$":
            yield text[at : start - 1] + MARK
            at = start + len(MARK)
            continue
        yield text[at:start]
        end = _end(text, start + len(MARK))
        if end is None:
            yield _Expression(None, start)
            return
        yield _Expression(text[start + len(MARK) : end].strip(), start)
        at = end + 2
    yield text[at:]


def _end(text: str, start: int) -> int | None:
    """Where the `}}` of an expression is: not inside quotes, nor one that closes braces of its own."""
    depth = 0
    for token in _TOKEN.finditer(text, start, start + LONGEST + 2):
        if token[0] == "{":
            depth += 1
        elif token[0] == "}" and depth:
            depth -= 1
        elif token[0] == "}" and text.startswith("}}", token.start()):
            return token.start()
    return None


def _value(expression: _Expression, scope: Scope) -> str:
    if expression.text is None:
        text = f"`{MARK}` is not closed with `}}}}` within {LONGEST} characters"
        raise ExpressionFault(text, "write `$${{` for the text `${{` itself")
    if not expression.text:
        raise ExpressionFault("the expression is empty")
    plain = _PLAIN.match(expression.text)
    if plain:
        return look_up(plain[1], plain[2], scope)
    from rearch.config.sandbox import evaluate

    return evaluate(expression.text, scope)


def look_up(name: str, attribute: str | None, scope: Scope) -> str:
    """The text of a plain name. Errors: ExpressionFault."""
    if name == "vars":
        if attribute is None:
            raise ExpressionFault("vars holds several texts", "write vars.NAME", word=name)
        if attribute not in scope.variables:
            hint = suggestion(attribute, scope.variables) or "write it under `vars` first"
            raise ExpressionFault(f"vars.{attribute} is not defined", hint, word=f"vars.{attribute}")
        return scope.variables[attribute]
    if name in scope.open_names:
        return _open(name, attribute, scope)
    if name not in scope.values:
        raise ExpressionFault(f"{shown(name)} is not defined", suggestion(name, scope.names), word=name)
    if attribute is not None:
        raise ExpressionFault(f"{name} is a text: it has no {shown(attribute)}", word=f"{name}.{attribute}")
    return scope.values[name]


def _open(name: str, attribute: str | None, scope: Scope) -> str:
    if not scope.may_wait:
        raise ExpressionFault(
            f"{name} is known only later", "it can stand under build, verify, smoke and image", word=name
        )
    if attribute is not None:
        raise ExpressionFault(f"{name} is a text: it has no {shown(attribute)}", word=f"{name}.{attribute}")
    return f"{MARK} {name} }}}}"
