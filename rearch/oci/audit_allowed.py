"""Which findings a recipe allows: patterns of paths, each with a reason, and each has to be of use."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from rearch.oci.audit_report import Excused, Finding

_STARS = re.compile(r"\*\*/|\*\*|\*")


def pattern_expression(pattern: str) -> re.Pattern[str]:
    """`*` stands for anything within a name, `**` for anything, `**/` for any folders or none; the rest for itself."""
    words = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*"}
    parts, at = [], 0
    for star in _STARS.finditer(pattern):
        parts += [re.escape(pattern[at : star.start()]), words[star[0]]]
        at = star.end()
    return re.compile("".join((*parts, re.escape(pattern[at:]))), re.DOTALL)


def excuse(findings: Iterable[Finding], allowed: Mapping[str, str]) -> tuple[tuple[Finding, ...], tuple[Excused, ...]]:
    """Findings that stay, and those that are allowed. A pattern that matches none is a finding, too.

    A pattern is compared with the path of the file, and, for what is inside of an archive, with that of the archive as
    well. A file with several names is allowed when all of them are: else a link would carry it to another place.
    """
    patterns = [(pattern, pattern_expression(pattern)) for pattern in allowed]
    kept, excused, used = list[Finding](), list[Excused](), set[str]()
    for finding in findings:
        matching = _matching(finding, patterns) if finding.layer is not None else None
        if matching:
            used.update(matching)
            excused.append(Excused(finding=finding, pattern=matching[0], reason=allowed[matching[0]]))
        else:
            kept.append(finding)
    return (*kept, *_unused(allowed, used)), tuple(excused)


def _matching(finding: Finding, patterns: list[tuple[str, re.Pattern[str]]]) -> list[str]:
    """The patterns that allow it, one for each name; empty where one name is not allowed."""
    inside = finding.path.partition("!")[1:]
    found = []
    for name in finding.names or (finding.path.partition("!")[0],):
        texts = (name, name + "".join(inside)) if inside[0] else (name,)
        match = next((text for text, form in patterns if any(map(form.fullmatch, texts))), None)
        if match is None:
            return []
        found.append(match)
    return found


def _unused(allowed: Mapping[str, str], used: set[str]) -> Iterator[Finding]:
    for pattern in sorted(set(allowed) - used):
        yield Finding(
            severity="warning",
            kind="allowed",
            path=pattern,
            what="",
            why=("the recipe allows it, and there is nothing to allow: remove it from `image.audit`",),
        )
