"""The answer of `outdated`: a row for each name, as a table and as JSON values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Literal

from msgspec import Struct

from rearch.formats.printable import printable

FORMAT = 1

Kind = Literal["source", "base", "packages", "toolchain"]
State = Literal["newer", "moved", "gone", "unknown", "current"]
ORDER: tuple[State, ...] = ("newer", "moved", "gone", "unknown", "current")
KINDS: tuple[Kind, ...] = ("source", "base", "packages", "toolchain")


class Row(Struct, frozen=True, kw_only=True):
    """What is known of one name.

    `state`: newer (there is something newer), moved (the same tag or branch names something else now), gone (upstream
    has it no more), unknown (it could not be found out; `reason` says why), current. `current` and `newest` are
    versions, commits or digests as they are written; `newest` is empty where nothing is newer. `candidates`: all newer
    versions, the newest last. `needed_by`: components (`stack/name`), sorted. `where` is what was asked.
    """

    kind: Kind
    name: str
    state: State
    current: str = ""
    newest: str = ""
    candidates: tuple[str, ...] = ()
    reason: str = ""
    needed_by: tuple[str, ...] = ()
    where: str = ""

    @property
    def is_outdated(self) -> bool:
        """Whether somebody has something to do."""
        return self.state in ("newer", "moved", "gone")


def sorted_rows(rows: Iterable[Row]) -> tuple[Row, ...]:
    """By kind, then by name: the same order whoever answered first."""
    return tuple(sorted(rows, key=lambda row: (KINDS.index(row.kind), row.name, row.where, row.current)))


def document(rows: Iterable[Row]) -> dict[str, Any]:
    """For `--json`: every row, every field."""
    return {
        "format": FORMAT,
        "rows": [
            {
                "kind": row.kind,
                "name": row.name,
                "state": row.state,
                "current": row.current,
                "newest": row.newest,
                "candidates": list(row.candidates),
                "reason": row.reason,
                "needed_by": list(row.needed_by),
                "where": row.where,
            }
            for row in rows
        ],
    }


def table(rows: Iterable[Row], *, everything: bool) -> Iterator[str]:
    """Lines for people: what is not current, or `everything`. Upstream's text is made printable."""
    shown = [row for row in rows if everything or row.state != "current"]
    if not shown:
        return
    head = ("STATE", "KIND", "NAME", "CURRENT", "NEWEST", "REASON")
    cells = [head, *(_cells(row) for row in shown)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(head))]
    for line in cells:
        yield "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()


def summary(rows: Iterable[Row]) -> str:
    """One line: how many are in which state."""
    states = [row.state for row in rows]
    said = [f"{states.count(state)} {state}" for state in ORDER if state in states]
    return f"{len(states)} names looked at: {', '.join(said)}" if states else "nothing to look at"


def _cells(row: Row) -> tuple[str, ...]:
    texts = (row.state, row.kind, row.name, _short(row.current), _short(row.newest), row.reason)
    return tuple(printable(text) for text in texts)


def _short(text: str) -> str:
    """Digests and commits by their first digits, as people compare them."""
    if text.startswith("sha256:") and len(text) == 71:
        return text[:19]
    return text[:12] if len(text) in (40, 64) and set(text) <= set("0123456789abcdef") else text
