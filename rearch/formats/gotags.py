"""Build constraints of Go files: which files a platform compiles.

Rules of go/build: https://pkg.go.dev/cmd/go#hdr-Build_constraints. A `//go:build` line wins over `// +build` lines;
constraints stand before the package clause; `_test.go`, and `*_GOOS`, `*_GOARCH`, `*_GOOS_GOARCH` names count too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from rearch.model.platform import PLATFORMS, Platform

_NEW = re.compile(r"//go:build[ \t]+(.*)")
_OLD = re.compile(r"//[ \t]*\+build(?:[ \t]+(.*))?")
_WORD = re.compile(r"\s*(\|\||&&|!|\(|\)|[\w.]+)")
# The systems and the architectures that go/build knows by file name (internal/syslist), those of PLATFORMS aside.
_SYSTEMS = {"aix", "android", "darwin", "dragonfly", "freebsd", "hurd", "illumos", "ios", "js", "linux", "nacl"}
_SYSTEMS |= {"netbsd", "openbsd", "plan9", "solaris", "wasip1", "windows", "zos"}
_OTHER_CPUS = {"amd64p32", "armbe", "arm64be", "loong64", "mips", "mipsle", "mips64", "mips64le", "mips64p32"}
_OTHER_CPUS |= {"mips64p32le", "ppc", "ppc64", "riscv", "s390", "sparc", "sparc64", "wasm"}
_CPUS = _OTHER_CPUS | {platform.arch.goarch for platform in PLATFORMS}


class Constraint(Struct, frozen=True, kw_only=True):
    """One constraint line; `line` counts from 1. `old` is the `// +build` form, of which all lines must hold."""

    line: int
    text: str
    old: bool


def constraints(source: str) -> tuple[Constraint, ...]:
    """The constraint lines of a Go file, those above its package clause."""
    return tuple(_constraints(source))


def _constraints(source: str) -> Iterator[Constraint]:
    in_comment = False
    for number, line in enumerate(source.split("\n"), 1):
        text = line.strip()
        if in_comment:
            in_comment = "*/" not in text
        elif text.startswith("/*"):
            in_comment = "*/" not in text[2:]
        elif found := _NEW.fullmatch(text):
            yield Constraint(line=number, text=found[1], old=False)
        elif found := _OLD.fullmatch(text):
            yield Constraint(line=number, text=found[1] or "", old=True)
        elif text and not text.startswith("//"):
            return


def included(
    name: str, source: str, platform: Platform, tags: frozenset[str] = frozenset(), *, cgo: bool = False
) -> bool:
    """Whether a build for the platform with these tags compiles the file (`name` without folders; tests are not).

    Release tags (go1.N) count as set. A constraint that cannot be read counts as met: the compiler will say so.
    """
    if name.endswith("_test.go") or not _named_for(name, platform):
        return False
    known = tags | {platform.os, platform.arch.goarch, "gc", "unix"} | ({"cgo"} if cgo else set())
    lines = constraints(source)
    new = [item for item in lines if not item.old]
    if new:
        return _Expression(new[0].text, known).value()
    return all(_old_holds(item.text, known) for item in lines)


def _named_for(name: str, platform: Platform) -> bool:
    words = name.removesuffix(".go").split("_")[1:]
    if len(words) >= 2 and words[-2] in _SYSTEMS and words[-1] in _CPUS:
        return words[-2] == platform.os and words[-1] == platform.arch.goarch
    last = words[-1] if words else ""
    return not ((last in _SYSTEMS and last != platform.os) or (last in _CPUS and last != platform.arch.goarch))


def _holds(tag: str, known: frozenset[str]) -> bool:
    return tag in known or re.fullmatch(r"go1\.[0-9]+", tag) is not None


def _old_holds(text: str, known: frozenset[str]) -> bool:
    """Blank is OR, comma is AND, ! is NOT."""
    return any(
        all(not _holds(term[1:], known) if term.startswith("!") else _holds(term, known) for term in option.split(","))
        for option in text.split()
    )


class _Expression:
    """`//go:build` text, read and judged from left to right: || binds least, then &&, then !."""

    def __init__(self, text: str, known: frozenset[str]) -> None:
        found = [match[1] for match in _WORD.finditer(text)]
        self._words = found[::-1]
        self._known = known
        self._readable = "".join(found) == re.sub(r"\s+", "", text) and text.count("(") < 100 and text.count("!") < 100

    def value(self) -> bool:
        if not self._readable:
            return True
        result = self._any()
        return result if not self._words else True

    def _peek(self) -> str:
        return self._words[-1] if self._words else ""

    def _any(self) -> bool:
        result = self._all()
        while self._peek() == "||":
            self._words.pop()
            result = self._all() or result
        return result

    def _all(self) -> bool:
        result = self._one()
        while self._peek() == "&&":
            self._words.pop()
            result = self._one() and result
        return result

    def _one(self) -> bool:
        word = self._words.pop() if self._words else ""
        if word == "!":
            return not self._one()
        if word == "(":
            result = self._any()
            if self._peek() == ")":
                self._words.pop()
            return result
        return _holds(word, self._known)
