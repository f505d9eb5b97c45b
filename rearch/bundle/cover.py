"""Which program an ELF file of a bundle is: by a rule, by Go's path of its main package, by its name."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from msgspec import Struct

from rearch.bundle.chooser import platform_of_suffix
from rearch.bundle.values import Program, Replace, Rules
from rearch.formats.elf import ElfFacts


class Cover(Struct, frozen=True, kw_only=True):
    """`program` with the reason (`why`) for it; no program, and why not: nothing fits, or too much."""

    program: Program | None
    why: str


def cover(path: str, facts: ElfFacts | None, programs: Sequence[Program], rules: Rules) -> Cover:
    """The program that an ELF file is. `path` is the whole one.

    A rule goes first. The path of the main package tells next, where the file has one and a program of that path is
    known; if several are made of it, the name has to tell them apart. Then a name that only one program has.
    """
    for rule in rules.replace:
        if _matches(path, rule.path):
            return _by_rule(rule, programs)
    name = _plain(path.rpartition("/")[2])
    package = facts.go.path if facts is not None and facts.go is not None else ""
    alike = [program for program in programs if package and program.package == package]
    if len(alike) == 1:
        return Cover(program=alike[0], why=f"main package {package}")
    named = [program for program in alike or programs if program.binary == name]
    if len(named) == 1:
        return Cover(program=named[0], why=f"main package {package}, name" if alike else "name")
    if named or alike:
        return Cover(program=None, why=f"several could be meant: {', '.join(map(str, named or alike))}")
    return Cover(program=None, why="no program of that package or name")


def _plain(name: str) -> str:
    """`agent` for `agent.aarch64`, which is what a refit calls it."""
    plain, _, last = name.rpartition(".")
    return plain if platform_of_suffix(last) else name


def is_allowed(path: str, rules: Rules) -> bool:
    """Whether its ELF file may stay as it is. `*` in a pattern stands for slashes too."""
    return any(_matches(path, pattern) for pattern in rules.allow)


def _matches(path: str, pattern: str) -> bool:
    """With the root folder, whose name may be another each time, or without it."""
    return fnmatchcase(path, pattern) or fnmatchcase(path.partition("/")[2], pattern)


def _by_rule(rule: Replace, programs: Sequence[Program]) -> Cover:
    found = [
        program
        for program in programs
        if program.binary == rule.binary and rule.component in (program.component, program.component.rpartition("/")[2])
    ]
    if len(found) == 1:
        return Cover(program=found[0], why=f"rule for {rule.path}")
    text = f"the rule for {rule.path} names {rule.component} {rule.binary}, "
    return Cover(program=None, why=text + ("which several stacks have" if found else "which is not there"))
