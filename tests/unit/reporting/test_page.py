"""The page as text: well formed, escaped, the same for the same runs. How it looks: integration/test_report.py."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
from msgspec.structs import replace

from rearch.reporting.again import again_mark, page_again
from rearch.reporting.charts import Point, bounds, line_chart
from rearch.reporting.history import History
from rearch.reporting.html import VOID, el, link, text
from rearch.reporting.page import fine, page, style
from rearch.reporting.record import Words
from tests.support.runs import HOSTILE, again, failed, full_run, publish_run, run, step, story


class Reader(HTMLParser):
    """Checks that every element is closed in its turn; keeps tags, ids and what is referred to."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def read(html: bytes) -> Reader:
    reader = Reader()
    reader.feed(html.decode())
    reader.close()
    assert reader.open == []
    return reader


RUNS = (full_run(1), full_run(2), publish_run(2), full_run(3))


def test_every_element_is_closed_and_every_id_is_unique_and_found() -> None:
    tags = read(page(story(*RUNS))).tags
    ids = [attributes["id"] for _, attributes in tags if "id" in attributes]
    assert len(ids) == len({*ids})
    named = [name for _, attributes in tags for name in (attributes.get("aria-labelledby") or "").split()]
    anchors = [str(a["href"])[1:] for tag, a in tags if tag == "a" and str(a["href"]).startswith("#")]
    assert named
    assert {*named, *anchors} <= {*ids}


def test_nothing_is_asked_for_and_nothing_runs() -> None:
    html = page(story(*RUNS))
    tags = read(html).tags
    assert not {"script", "iframe", "img", "object", "embed", "base", "form"} & {tag for tag, _ in tags}
    assert not [name for _, attributes in tags for name in attributes if name.startswith("on") or name == "style"]
    assert [attributes["href"] for tag, attributes in tags if tag == "link"] == ["data:,"]
    digest = base64.b64encode(hashlib.sha256(style().encode()).digest()).decode()
    assert f"style-src &#x27;sha256-{digest}&#x27;" in html.decode()
    assert "<" not in style()
    assert "url(" not in style()


def test_hostile_text_stays_text_wherever_it_comes_from() -> None:
    bad = run(
        1,
        failed("compile", HOSTILE, HOSTILE, HOSTILE),
        warnings=(HOSTILE,),
        rearch=HOSTILE,
        versions=tuple(full_run(1, (f"demo/{HOSTILE}",)).versions),
        binaries=full_run(1, (f"demo/{HOSTILE}",)).binaries,
        images=full_run(1, (f"demo/{HOSTILE}",)).images,
    )
    html = page(story(full_run(0, (f"demo/{HOSTILE}",)), bad, told=(HOSTILE,)))
    tags = {tag for tag, _ in read(html).tags}
    assert not {"script", "img"} & tags
    assert "\x1b" not in html.decode()
    assert "\u202e" not in html.decode()
    assert html.count(b"&lt;script&gt;") > 10


def test_the_same_runs_give_the_same_bytes() -> None:
    assert page(story(*RUNS)) == page(story(*RUNS))


def test_tables_have_captions_and_scopes() -> None:
    tags = [(tag, a) for tag, a in read(page(story(*RUNS))).tags if tag in ("table", "caption", "th")]
    assert [tag for tag, _ in tags].count("table") == [tag for tag, _ in tags].count("caption") >= 6
    assert {a.get("scope") for tag, a in tags if tag == "th"} == {"col", "row"}


def test_runs_that_found_nothing_to_do_are_said_and_folded() -> None:
    bad, good = full_run(1, exit_code=1), full_run(2)
    plain = story(bad, good)
    since = again(good, 60, 3600, 86_400)
    whole = replace(plain, history=History(lines=(*plain.history.lines, *since.lines)))
    html = page(whole).decode()
    moments = "3 runs since then found nothing to do; the last was on 2026-11-21 11:06 UTC."
    assert html.count(moments) == 1
    assert "nothing to do, 3 times in a row; this is the last" in html
    assert "The last 3 runs, the newest first" in html
    chart = re.search("<desc[^>]*>([^<]*)", html)
    assert chart is not None
    assert chart[1].startswith("2 runs")


def test_a_page_that_is_there_is_renewed_in_place_as_it_would_be_made() -> None:
    runs = story(full_run(1), full_run(2))
    html: bytes | None = page(runs)
    times = (60, 3600)
    for number, after in enumerate(times, 1):
        assert html is not None
        html = page_again(html, full_run(2).id, full_run(2).time + after)
        lines = again(full_run(2), *times[:number]).lines
        made = page(replace(runs, history=History(lines=(*runs.history.lines, *lines))))
        assert html is not None
        assert html[: html.index(b"<nav")] == made[: made.index(b"<nav")]
    assert page_again(page(runs), full_run(1).id, 0) is None
    assert page_again(b"", full_run(1).id, 0) is None
    assert page_again(page(story()), full_run(1).id, 0) is None


def test_a_mark_in_foreign_text_is_no_mark() -> None:
    one = full_run(1, warnings=(again_mark(full_run(2).id, 1, 0),))
    assert page_again(page(story(one)), full_run(2).id, 0) is None


def test_of_many_steps_the_longest_and_the_failed_are_in_sight() -> None:
    many = tuple(step("verify", f"demo/n{number}", seconds=0.1, start=1.0 * number) for number in range(90))
    long = tuple(step("compile", f"demo/n{number}", seconds=9.0, start=1.0) for number in range(30))
    bad = replace(failed("fetch", "demo/bad", None), seconds=0.0)
    html = page(story(run(1, *many, bad, *long))).decode()
    first, _, short = html.partition("<summary>81 shorter steps</summary>")
    assert "Of 121 steps that ran the 40 longest" in first
    timeline = first[first.index('id="timeline-part"') :]
    assert "fetch demo/<wbr>bad" in timeline
    assert timeline.count("compile demo/<wbr>n") == 30
    assert short.count('<th scope="row">verify demo/') == 81


def test_what_was_not_published_is_a_failure_too() -> None:
    bad = publish_run(2, exit_code=4, errors=(Words(summary="it answered 503", where="demo/one", exit_code=75),))
    html = page(story(full_run(1), bad)).decode()
    failures = html[html.index('id="failures"') : html.index('id="timeline-part"')]
    assert "publish: demo/one" in failures
    assert "it answered 503" in failures
    assert "1 error: this is not all that was to be published." in html


def test_a_page_without_any_run_says_so() -> None:
    assert b"No run has left a record here yet." in page(story())


def test_a_chart_is_described_and_has_no_colour_of_its_own() -> None:
    points = [Point(label=f"night {number}", value=1000.0 + number) for number in range(5)]
    root = ElementTree.fromstring(line_chart("plot", "Sizes <of> all", points, lambda value: f"{value:.0f} B"))
    assert root.attrib["aria-labelledby"] == "plot-title plot-desc"
    assert root.findtext("title") == "Sizes <of> all"
    assert root.findtext("desc") == (
        "5 runs, from night 0 to night 4; first 1000 B, last 1004 B, least 1000 B, most 1004 B."
    )
    labels = [each.text for each in root.iter("text")]
    assert {"night 0", "night 2", "night 4", "1000 B"} <= {*labels}
    assert {each.get("fill") for each in root.iter()} == {None, "none"}
    assert not [each for each in root.iter() if each.get("font-family") or each.get("stroke")]


@pytest.mark.parametrize("count", [2, 3, 4, 7, 60])
def test_a_chart_of_any_number_of_runs_names_the_first_and_the_last(count: int) -> None:
    points = [Point(label=f"n{number}", value=5.0) for number in range(count)]
    root = ElementTree.fromstring(line_chart("plot", "t", points, str))
    labels = [each.text for each in root.iter("text")]
    assert {"n0", f"n{count - 1}"} <= {*labels}
    path = next(root.iter("path")).get("d") or ""
    assert len(re.findall("[ML]", path)) == count


def test_bounds_are_never_empty_nor_negative() -> None:
    assert bounds([0, 0]) == (0.0, 1.0)
    assert bounds([5, 5]) == (4.5, 5.5)
    assert bounds([0, 100]) == (0.0, 110.0)


def test_axes_tell_small_changes_apart() -> None:
    assert fine([2_000_000, 2_010_000])(2_004_000) == "2,004 kB"
    assert fine([2_000_000, 2_000_100])(2_000_050) == "2,000,050 B"
    assert fine([2_000_000, 9_000_000])(3_000_000) == "3.0 MB"


def test_elements_escape_what_is_not_html() -> None:
    assert el("p", "<b>", el("br"), None, ["a", el("i", "&")], class_='"x"', hidden=True, title=None) == (
        '<p class="&quot;x&quot;" hidden>&lt;b&gt;<br>a<i>&amp;</i></p>'
    )
    assert text("a\tb\nc\x00") == "a\tb\nc\N{REPLACEMENT CHARACTER}"
    assert link("x<y", None) == "x&lt;y"
