"""A run as Markdown for a merge request: a short table, and the details folded (GitHub's and GitLab's dialects)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from rearch.reporting.again import since
from rearch.reporting.history import Line
from rearch.reporting.html import seen
from rearch.reporting.html import text as escaped
from rearch.reporting.links import upstream
from rearch.reporting.page_parts import SIGNS
from rearch.reporting.record import Reference, Run, StepRun, Version, Words
from rearch.reporting.view import Cell, Change, difference, failures, human, matrix, verdict

# As character references nothing of these has a meaning, and `@all` calls nobody.
_MARKUP = re.compile(r"[\\`*_{}\[\]()#+!|~@:$^&<>-]")
SPACES = re.compile(r"\s+")


def markdown(
    build: Run | None, publish: Run | None, changes: tuple[Change, ...] = (), again: tuple[Line, ...] = ()
) -> str:
    """The report of the last build and the last publish; empty sections are left out. `again`: the runs since the
    build that found nothing to do."""
    if build is None:
        return "### rearch\n\nno build yet\n"
    parts = [
        f"### rearch: {plain(verdict(build))}",
        plain(since(len(again), again[-1].time)) if again else "",
        _matrix(build),
        *(_failure(step) for step in failures(build)),
        *map(_error, build.errors),
        _folded("Warnings", (f"- {plain(text)}" for text in build.warnings)),
        _folded("Sizes", _sizes(changes)),
        _folded("Versions", _versions(build.versions)),
        _folded("Published", _published(publish)),
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def plain(text: str) -> str:
    """Text that shows as it is, in a table's cell too."""
    shown = SPACES.sub(" ", seen(text)).strip()
    return _MARKUP.sub(lambda found: f"&#{ord(found[0])};", shown)


def _matrix(run: Run) -> str:
    found = matrix(run)
    if not found.components:
        return ""
    rows = [
        (plain(name), *(_cell(found.cells.get((name, platform))) for platform in found.platforms))
        for name in found.components
    ]
    return "\n".join(_table(("Component", *map(plain, found.platforms)), rows))


def _cell(cell: Cell | None) -> str:
    if cell is None:
        return "\N{EN DASH}"
    return f"{SIGNS[cell.outcome]} **{cell.outcome}**<br>{plain(cell.reason)}"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _failure(step: StepRun) -> str:
    lines = [step.error.text] if step.error else []
    lines += ["", *step.excerpt] if step.excerpt else []
    return _pre(f"Failed: {step.id}", lines)


def _error(words: Words) -> str:
    return _pre(words.where or "The whole run", [words.text])


def _pre(title: str, lines: list[str]) -> str:
    """A blank line would end the block of HTML, and with it the escaping: it is written as a reference."""
    body = "\n".join(_calm(line) or "&#32;" for text in lines for line in text.split("\n"))
    return f"<details><summary>{_calm(title)}</summary>\n<pre>\n{body}\n</pre>\n</details>"


def _calm(line: str) -> str:
    """GitLab looks for @names and references in <pre>, too."""
    return escaped(line).replace("@", "&#64;").replace("\n", " ")


def _folded(title: str, lines: Iterable[str]) -> str:
    body = "\n".join(lines)
    return f"<details><summary>{title}</summary>\n\n{body}\n\n</details>" if body else ""


def _sizes(changes: tuple[Change, ...]) -> Iterator[str]:
    if changes:
        rows = (
            (
                plain(one.size.component),
                plain(one.size.platform),
                plain(f"{one.size.what} {one.size.name}"),
                plain(human(one.size.bytes)),
                plain(difference(one)),
            )
            for one in changes
        )
        yield from _table(("Component", "Platform", "What", "Size", "Change"), rows)


def _versions(versions: tuple[Version, ...]) -> Iterator[str]:
    if versions:
        rows = ((plain(one.component), plain(one.version), _identity(one)) for one in versions)
        yield from _table(("Component", "Version", "Identity"), rows)


def _identity(version: Version) -> str:
    short = plain(version.identity[:12] if version.kind != "debian" else version.identity)
    address = upstream(version.kind, version.url, version.identity)
    if address is None:
        return short
    return f'<a href="{escaped(address).replace("@", "%40").replace("|", "%7C")}">{short}</a>'


def _published(run: Run | None) -> Iterator[str]:
    references: tuple[Reference, ...] = run.references if run else ()
    if references:
        rows = ((plain(one.reference.partition("@")[0]), plain(one.digest), plain(one.change)) for one in references)
        yield from _table(("Reference", "Digest", "State"), rows)
    for words in run.errors if run else ():
        yield f"\n{plain(words.where)}: {plain(words.summary)}"
