"""`# rearch: ignore=RULE reason`: on the line that is meant, or on a line of its own above it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from rearch.upkeep.lint_values import Finding, Place

_IGNORE = re.compile(r"(?:^|\s)(?:\{#-?\s*)?#\s*rearch:\s*ignore=([\w-]*)[ \t]*(.*?)\s*(?:-?#\})?\s*$")

# A toolchain that is kept for `new` to choose is used by one recipe today and by none tomorrow: its comment stays.
_STAYS = frozenset({"unused-toolchain"})


class Ignore(Struct, frozen=True, kw_only=True):
    """One comment; it is about `line`."""

    rule: str
    reason: str
    line: int
    place: Place


def ignores(file: str, text: str) -> Iterator[Ignore]:
    """The comments of a file. Inside a quoted text such words would be one too: nobody writes them there."""
    lines = text.splitlines()
    for number, line in enumerate(lines, 1):
        found = _IGNORE.search(line)
        if found is None:
            continue
        alone = not line[: found.start()].strip()
        place = Place(file, number, line.index("#") + 1)
        yield Ignore(rule=found[1], reason=found[2], line=_next(lines, number) if alone else number, place=place)


def _next(lines: Sequence[str], number: int) -> int:
    """The first line below that is no comment."""
    for later in range(number, len(lines)):
        if lines[later].strip() and not lines[later].lstrip().startswith(("#", "{#")):
            return later + 1
    return number


def apply_ignores(
    findings: Sequence[Finding], texts: Mapping[str, str], rules: frozenset[str], *, whole: bool
) -> tuple[tuple[Finding, ...], int]:
    """What is left, with what is wrong with the comments themselves; and how many findings were silenced."""
    comments = [one for file, text in sorted(texts.items()) for one in ignores(file, text)]
    good = {(one.place.file, one.line, one.rule): one for one in comments if one.reason and one.rule in rules}
    used = {key for each in findings if (key := (each.place.file, each.place.line, each.rule)) in good}
    kept = tuple(each for each in findings if (each.place.file, each.place.line, each.rule) not in good)
    unused = [one for key, one in good.items() if key not in used and one.rule not in _STAYS] if whole else []
    return (*kept, *_wrong(comments, rules), *map(_vain, unused)), len(findings) - len(kept)


def _wrong(comments: Sequence[Ignore], rules: frozenset[str]) -> Iterator[Finding]:
    for one in comments:
        if one.rule not in rules:
            hint = f"rules: {', '.join(sorted(rules))}"
            yield Finding(rule="bad-ignore", place=one.place, text=f"there is no rule {one.rule!r}", hint=hint)
        elif not one.reason:
            hint = f"# rearch: ignore={one.rule} why it is right here"
            yield Finding(
                rule="bad-ignore", place=one.place, text="a reason is missing, so it ignores nothing", hint=hint
            )


def _vain(one: Ignore) -> Finding:
    return Finding(rule="unused-ignore", place=one.place, text=f"{one.rule} is not found here", hint="remove it")
