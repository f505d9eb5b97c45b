"""Puts variables into texts, and takes quotes and escapes away, as a shell does with a word.

Dockerfile reference, "Environment replacement" and "Understand how ARG and FROM interact"; BuildKit's
frontend/dockerfile/shell/lex.go for quotes. Read are `$x`, `${x}`, `${x:-y}`, `${x-y}`, `${x:+y}`, `${x+y}`, `${x:?y}`
and `${x?y}`. Two departures from BuildKit: a variable that is not defined is a problem and not an empty text, unless it
stands with one of these; and what an ARG declares without a default is not defined until somebody gives it a value.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field

from rearch.oci.dockerfile.errors import Trouble, meant

_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_")
_NAME = _LETTERS | frozenset("0123456789")
# The shell's own: BuildKit takes them for variables too, and here they never have a value.
_SPECIAL = frozenset("@*#?-$!0123456789")


class Scope(Struct):
    """The variables of a stage, or of what stands before the first FROM. The later instruction wins, ARG or ENV.

    `empty`: arguments that were declared (at this line) but never got a value. `beyond`: names that are defined outside
    of the stage, and can be had by an ARG.
    """

    values: dict[str, str] = field(default_factory=dict)
    empty: dict[str, int] = field(default_factory=dict)
    beyond: Mapping[str, str] = field(default_factory=dict)

    def set(self, name: str, value: str) -> None:
        self.values[name] = value
        self.empty.pop(name, None)

    def declare(self, name: str, line: int) -> None:
        """An ARG without a value. It does not take away a value that is there already."""
        if name not in self.values:
            self.empty[name] = line

    def get(self, name: str) -> str | None:
        return self.values.get(name)

    def undefined(self, name: str) -> Trouble:
        """Why there is no value, and how there can be one."""
        if name in self.empty:
            text = f"argument {name} has no value: line {self.empty[name]} declares it without a default"
            return Trouble(text, f"give {name} under image.args, or a default: ARG {name}=...")
        if name in self.beyond:
            return Trouble(f"variable {name} is not defined in this stage", f"declare it there: ARG {name}")
        return Trouble(
            f"variable {name} is not defined{meant(name, self.values)}",
            "define it with ARG or ENV, write ${" + name + ":-} where it may be empty, or \\$ for the sign",
        )


def replaced(text: str, scope: Scope, escape: str) -> str:
    """A word with its variables put in, its quotes and escapes taken away. Errors: Trouble."""
    return _Lexer(text, scope, escape).run()


def replaced_raw(text: str, scope: Scope) -> str:
    r"""A here-document with its variables put in. Quotes stay; escapes are `\$` and `\\` (POSIX shell)."""
    return _Lexer(text, scope, "\\", raw=True).run()


class _Lexer:
    def __init__(self, text: str, scope: Scope, escape: str, *, raw: bool = False) -> None:
        self._text = text
        self._scope = scope
        self._escape = escape
        self._raw = raw
        self._at = 0

    def run(self) -> str:
        return self._until("", used=True)

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _until(self, stop: str, *, used: bool) -> str:
        """What stands before an unquoted `stop`; `used`: whether an undefined variable in it matters."""
        out = list[str]()
        while (char := self._peek()) and char != stop:
            self._at += 1
            if char == "$":
                out.append(self._variable(used=used))
            elif char == self._escape:
                out.append(self._escaped())
            elif char == "'" and not self._raw:
                out.append(self._single())
            elif char == '"' and not self._raw:
                out.append(self._double(used=used))
            else:
                out.append(char)
        return "".join(out)

    def _escaped(self) -> str:
        char = self._peek()
        if self._raw and char not in ("$", self._escape):
            return self._escape
        self._at += 1
        return char

    def _single(self) -> str:
        end = self._text.find("'", self._at)
        if end < 0:
            raise Trouble(f"a ' has no end in {self._text}")
        inside = self._text[self._at : end]
        self._at = end + 1
        return inside

    def _double(self, *, used: bool) -> str:
        out = list[str]()
        while char := self._peek():
            self._at += 1
            if char == '"':
                return "".join(out)
            if char == "$":
                out.append(self._variable(used=used))
            elif char == self._escape and self._peek() in ('"', "$", self._escape):
                out.append(self._peek())
                self._at += 1
            else:
                out.append(char)
        raise Trouble(f'a " has no end in {self._text}')

    def _variable(self, *, used: bool) -> str:
        """What stands for a `$` and what follows it."""
        if self._peek() == "{":
            self._at += 1
            return self._braced(used=used)
        name = self._name()
        return self._value(name, used=used) if name else "$"

    def _name(self) -> str:
        start = self._at
        if self._peek() in _SPECIAL:
            self._at += 1
        elif self._peek() in _LETTERS:
            while self._peek() in _NAME:
                self._at += 1
        return self._text[start : self._at]

    def _value(self, name: str, *, used: bool) -> str:
        value = self._scope.get(name)
        if value is None and used:
            raise self._scope.undefined(name)
        return value or ""

    def _braced(self, *, used: bool) -> str:
        name = self._name()
        if not name:
            raise Trouble(f"${{...}} without a name in {self._text}", "write \\$ for the sign itself")
        if self._peek() == "}":
            self._at += 1
            return self._value(name, used=used)
        colon = self._peek() == ":"
        self._at += colon
        sign = self._peek()
        self._at += 1
        value = self._scope.get(name)
        there = value is not None and (bool(value) or not colon)
        wanted = there if sign == "+" else not there
        word = self._until("}", used=used and wanted)
        if self._peek() != "}":
            raise Trouble(f"${{{name} has no end in {self._text}")
        self._at += 1
        return self._chosen(name, sign, value or "", word, there=there, used=used)

    def _chosen(self, name: str, sign: str, value: str, word: str, *, there: bool, used: bool) -> str:
        if sign == "-":
            return value if there else word
        if sign == "+":
            return word if there else ""
        if sign == "?":
            if used and not there:
                raise Trouble(f"{name}: {word or 'it has no value'}", f"give {name} a value with ARG or ENV")
            return value
        raise Trouble(f"${{{name}...}} with {sign!r} in {self._text}", "known are :- - :+ + :? ?")
