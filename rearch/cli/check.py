"""The task that lints recipes: check."""

from __future__ import annotations

import json as json_format
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from invoke import Context, task

from rearch.cli.build import HELP, Given, make_request
from rearch.cli.door import answer, guarded, say

if TYPE_CHECKING:
    from rearch.upkeep.lint import Checked


@task(
    auto_shortflags=False,
    help={"strict": "warnings are errors, too", "json": "print JSON"}
    | {"stack": "stacks to look at; default: all"}
    | {name: HELP[name] for name in ("project",)},
)
@guarded
def check(context: Context, stack: Given = None, strict: bool = False, json: bool = False, project: str = "") -> int:
    """Lint the recipes: unpinned, unused, unreachable, shadowed, emulated, doubtful. Exit 1 when there are errors."""
    from rearch.app.check import check as run
    from rearch.upkeep.lint_values import Severity

    found = run(make_request(context, project, None, None, stack, None))
    errors, warnings = found.count(Severity.ERROR), found.count(Severity.WARNING)
    if json:
        answer(json_format.dumps(_document(found), indent=1))
    else:
        for line in _lines(found):
            answer(line)
        silenced = f", {found.silenced} silenced" if found.silenced else ""
        say(f"{_count(errors, 'error')}, {_count(warnings, 'warning')}{silenced}")
    return 1 if errors or (strict and warnings) else 0


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'s' * (number != 1)}"


def _lines(found: Checked) -> Iterator[str]:
    from rearch.upkeep.lint import RULES

    for one in found.findings:
        rule = RULES[one.rule]
        yield f"{one.place}: {rule.severity}: {one.text} [{one.rule}]"
        yield f"    why: {rule.why}"
        yield f"    do: {one.hint}"


def _document(found: Checked) -> dict[str, Any]:
    """What machines read: docs/check.md describes it."""
    from rearch.upkeep.lint import RULES

    findings = [
        {
            "rule": one.rule,
            "severity": str(RULES[one.rule].severity),
            "file": one.place.file,
            "line": one.place.line,
            "column": one.place.column,
            "text": one.text,
            "why": RULES[one.rule].why,
            "do": one.hint,
        }
        for one in found.findings
    ]
    return {"findings": findings, "silenced": found.silenced}
