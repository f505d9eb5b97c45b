"""report.html: one page that needs nothing but itself. No script at all; the style sheet is allowed by its hash."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path

from msgspec import Struct

from rearch.reporting.charts import Point, line_chart
from rearch.reporting.history import BINARY, History, Line
from rearch.reporting.html import Html, el, row, table
from rearch.reporting.page_parts import (
    audits_part,
    failures_part,
    matrix_part,
    published_part,
    sizes_table,
    versions_part,
)
from rearch.reporting.page_time import timeline_part
from rearch.reporting.record import Run
from rearch.reporting.view import changes, human, length, moment, totals, verdict

PLOTTED = 60


class Story(Struct, frozen=True, kw_only=True):
    """What a report tells: the last build (None: there was none), the last publish, and the runs before."""

    build: Run | None
    publish: Run | None = None
    history: History = History()

    @property
    def last(self) -> Run | None:
        """The later of the two, by the history."""
        both = [run for run in (self.build, self.publish) if run is not None]
        places = {line.run: place for place, line in enumerate(self.history.lines)}
        return max(both, key=lambda run: places.get(run.id, -1), default=None)


def page(story: Story) -> bytes:
    """The page, UTF-8."""
    run = story.build or Run(id="", command="build", time=0, seconds=0.0, exit_code=0)
    title = f"rearch: {verdict(run)}" if story.build else "rearch: no build yet"
    parts = tuple(_parts(story, run))
    items = [el("li", el("a", name, href=f"#{anchor}")) for anchor, name, _ in parts]
    sections = [
        el("section", el("h2", name, id=f"{anchor}-title"), body, id=anchor, aria_labelledby=f"{anchor}-title")
        for anchor, name, body in parts
    ]
    body = el(
        "body",
        el("a", "Skip to the results", href="#main", class_="skip"),
        el("header", el("h1", "Build report"), _heads(story)),
        el("nav", el("ul", items), aria_label="Parts of this report"),
        el("main", sections, id="main", tabindex="-1"),
        el("footer", el("p", f"Made by rearch {run.rearch}. This page opens offline and asks nobody for anything.")),
    )
    return ("<!DOCTYPE html>\n" + el("html", _head(title), body, lang="en") + "\n").encode("utf-8", "replace")


def _parts(story: Story, run: Run) -> Iterator[tuple[str, str, Html]]:
    yield "results", "Results", matrix_part(run)
    yield "failures", "Failures and warnings", failures_part(run)
    yield "timeline-part", "Timeline", timeline_part(run)
    yield "sizes-part", "Sizes", Html(sizes_table(changes(run, story.history)) + _plots(story.history))
    yield "versions-part", "Versions", versions_part(run)
    yield "published-part", "Published", published_part(story.publish)
    yield "audits-part", "Audits", audits_part(run)
    yield "history", "History", _history(story.history)


def _head(title: str) -> Html:
    css = style()
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
    return el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", http_equiv="Content-Security-Policy", content=policy),
        el("meta", name_="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name_="color-scheme", content="light dark"),
        el("title", title),
        el("link", rel="icon", href="data:,"),
        el("style", Html(css)),
    )


@cache
def style() -> str:
    """The style sheet: it holds no `<`, so it needs no escaping."""
    return (Path(__file__).parent / "report.css").read_text(encoding="utf-8")


def _heads(story: Story) -> Html:
    """What became of the last build and the last publish, a line each."""
    both = (run for run in (story.build, story.publish) if run is not None)
    lines = [
        el(
            "p",
            el(
                "span", el("strong", run.command), f" of {moment(run.time)}: {verdict(run)} (exit code {run.exit_code})"
            ),
            class_=f"verdict {'failed' if run.exit_code else 'made'}",
        )
        for run in both
    ]
    return Html("".join(lines) or el("p", "No run has left a record here yet."))


def _plots(history: History) -> Html:
    """A plot for each platform: nothing has to be told apart by its colour."""
    return Html(
        "".join(
            _figure(f"plot-{number}", f"{platform}: all binaries together, run by run", points)
            for number, (platform, points) in enumerate(totals(history).items())
        )
    )


def _figure(name: str, title: str, points: tuple[tuple[int, int], ...]) -> Html:
    shown = points[-PLOTTED:]
    if len(shown) < 2:
        return Html("")
    chart = line_chart(
        name,
        title,
        [Point(label=moment(time)[5:16], value=size) for time, size in shown],
        fine(size for _, size in shown),
    )
    return el("figure", el("figcaption", title), chart)


def fine(sizes: Iterable[int]) -> Callable[[float], str]:
    """Bytes in words, fine enough to tell apart what lies between the least and the most of `sizes`."""
    known = tuple(sizes)
    spread = max(known) - min(known)
    if spread and spread < 2_000_000:
        return lambda value: f"{value / 1e3:,.0f} kB" if spread >= 2000 else f"{value:,.0f} B"
    return lambda value: human(round(value))


def _history(history: History) -> Html:
    lines = tuple(reversed(history.lines[-PLOTTED:]))
    told = [el("p", text, class_="warning") for text in history.told]
    if not lines:
        return Html("".join((*told, el("p", "This is the first run."))))
    rows = [
        row(
            moment(line.time),
            line.command,
            str(line.exit_code),
            el("td", length(line.seconds), class_="number"),
            ", ".join(f"{count} {name}" for name, count in (*line.counts.items(), *line.tags.items())),
            el("td", _binaries(line), class_="number"),
        )
        for line in lines
    ]
    head = ("Began", "Command", "Exit code", "Length", "Steps and tags", "Binaries")
    return Html("".join((*told, table("history", f"The last {len(rows)} runs, the newest first", head, rows))))


def _binaries(line: Line) -> str:
    """Bytes of all programs; a publish and a failed build may have none."""
    sizes = [size.bytes for size in line.sizes if size.what == BINARY]
    return human(sum(sizes)) if sizes else "none"
