"""report.html: one page that needs nothing but itself. No script at all; the style sheet is allowed by its hash."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path

from msgspec import Struct

from rearch.reporting.again import again_mark
from rearch.reporting.charts import Point, line_chart
from rearch.reporting.history import BINARY, History, Line
from rearch.reporting.html import Html, el, number_head, row, table
from rearch.reporting.night import night_part
from rearch.reporting.night_record import Night
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
    """What a report tells: the last build (None: there was none), the last publish, the last night (None: there was
    none), and the runs before."""

    build: Run | None
    publish: Run | None = None
    night: Night | None = None
    history: History = History()

    @property
    def last(self) -> Run | None:
        """The later of the two, by the history."""
        both = [run for run in (self.build, self.publish) if run is not None]
        places = {line.again or line.run: place for place, line in enumerate(self.history.lines)}
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
    if story.night is not None:
        yield "night", "Last night", night_part(story.night)
    yield "failures", "Failures and warnings", failures_part(run, story.publish)
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
    lines = [_verdict(story.build), _again(story.build, story.history)] if story.build else []
    lines += [_verdict(story.publish)] if story.publish else []
    return Html("".join(lines) or el("p", "No run has left a record here yet."))


def _verdict(run: Run) -> Html:
    said = f" of {moment(run.time)}: {verdict(run)} (exit code {run.exit_code})"
    whole = el("span", el("strong", run.command), said)
    return el("p", whole, class_=f"verdict {'failed' if run.exit_code else 'made'}")


def _again(run: Run, history: History) -> Html:
    """Where later runs that find nothing to do are counted without making the page again."""
    lines = history.again(run.id)
    return Html(again_mark(run.id, len(lines), lines[-1].time if lines else 0))


def _plots(history: History) -> Html:
    """A plot for each platform: nothing has to be told apart by its colour."""
    plots = [
        _figure(f"plot-{number}", f"{platform}: all binaries together, run by run", points)
        for number, (platform, points) in enumerate(totals(history).items())
    ]
    return el("div", plots, class_="plots")


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
    lines = tuple(reversed(_folded(history.lines)))[:PLOTTED]
    told = [el("p", text, class_="warning") for text in history.told]
    if not lines:
        return Html("".join((*told, el("p", "This is the first run."))))
    rows = [
        row(
            moment(line.time),
            line.command,
            str(line.exit_code),
            el("td", length(line.seconds), class_="number"),
            _did(line, times),
            el("td", _binaries(line), class_="number"),
        )
        for line, times in lines
    ]
    head = ("Began", "Command", "Exit code", number_head("Length"), "Steps and tags", number_head("Binaries"))
    caption = "The last run" if len(rows) == 1 else f"The last {len(rows)} runs, the newest first"
    return Html("".join((*told, table("history", caption, head, rows))))


def _folded(lines: tuple[Line, ...]) -> list[tuple[Line, int]]:
    """Each line and how often it came; of runs in a row that found nothing to do the last stands for all."""
    found: list[tuple[Line, int]] = []
    for line in lines:
        if found and line.again and found[-1][0].again == line.again:
            found[-1] = line, found[-1][1] + 1
        else:
            found.append((line, 1))
    return found


def _did(line: Line, times: int) -> str:
    if line.again:
        return "nothing to do" if times == 1 else f"nothing to do, {times} times in a row; this is the last"
    return ", ".join(f"{count} {name}" for name, count in (*line.counts.items(), *line.tags.items()))


def _binaries(line: Line) -> str:
    """Bytes of all programs; a publish and a failed build may have none."""
    if line.again:
        return "as before"
    sizes = [size.bytes for size in line.sizes if size.what == BINARY]
    return human(sum(sizes)) if sizes else "none"
