"""The last night as the report tells it: what output/nightly.json says of updates, problems and what was removed.

A build is recorded after what broke it was taken back, so that only the night knows why a version was not taken.
"""

from __future__ import annotations

from collections.abc import Iterator

from rearch.model.typed import Undecodable, decode_json
from rearch.reporting.html import Html, breakable, el, row, table
from rearch.reporting.night_record import Night

MEANING = {
    0: "nothing failed",
    3: "something is not what it is labelled as",
    4: "something failed, the rest is published",
    75: "something was away; the next night tries again",
}


def read_night(data: bytes) -> Night | None:
    """The night of a file; None for one that is torn: the next night writes it anew."""
    try:
        return decode_json(data, Night)
    except (Undecodable, RecursionError):
        return None


def night_part(night: Night) -> Html:
    """What went wrong first, then what was updated and removed."""
    meaning = MEANING.get(night.exit_code, "something failed")
    said = el("p", "Night of ", el("strong", night.date), f": {meaning} (exit code {night.exit_code}).")
    return Html("".join(map(str, (said, *_problems(night), *_updates(night), *_removed(night), *_told(night)))))


def _problems(night: Night) -> Iterator[Html]:
    for one in night.problems:
        details = el("ul", [el("li", line) for line in one.details]) if one.details else ""
        hint = el("p", el("strong", "Hint: "), one.hint) if one.hint else ""
        where = el("h3", f"{one.stage}: {one.component or 'the whole night'}")
        yield el("section", where, el("p", one.summary, class_="failed"), details, hint)


def _updates(night: Night) -> Iterator[Html]:
    if night.updates:
        head = ("What", "Before", "After", "Needed by", "Files edited", "Taken back")
        rows = [
            row(
                breakable(one.name),
                el("code", one.before),
                el("code", one.after),
                ", ".join(one.needed_by),
                ", ".join(one.files) or "none",
                one.held or "no",
            )
            for one in night.updates
        ]
        yield table("night-updates", "Versions and entries of rearch.lock that changed", head, rows)


def _removed(night: Night) -> Iterator[Html]:
    if night.removed:
        caption = "Old dated tags that were removed" if night.prune_applied else "Old dated tags that would be removed"
        rows = [row(el("code", breakable(one.reference)), el("code", one.digest)) for one in night.removed]
        yield table("night-removed", caption, ("Reference", "Digest"), rows)


def _told(night: Night) -> Iterator[Html]:
    if night.told:
        yield el("section", el("h3", "Also"), el("ul", [el("li", line) for line in night.told]))
