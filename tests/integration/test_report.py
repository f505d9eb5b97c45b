"""The report of real runs, and report.html in a real browser."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from junitparser import JUnitXml
from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families

from rearch.errors import ExitCode
from rearch.reporting.page import page
from rearch.reporting.record import Outcome
from tests.support.browser import artifacts, chromium, opened
from tests.support.built_output import add_built, make_project
from tests.support.cli import Cli
from tests.support.disk import small_disk
from tests.support.go_project import change
from tests.support.runs import HOSTILE, failed, full_run, publish_run, step, story, untried
from tests.support.warm_cache import demo

if TYPE_CHECKING:
    from playwright.sync_api import Browser

BUILD = ("build", "--arch", "arm64")
CONTRAST = 4.5  # WCAG 2.2, success criterion 1.4.3 (AA)

# The lowest contrast of any text to what lies behind it (WCAG 2.2, "contrast ratio"), and whose it is.
LOWEST_CONTRAST = """() => {
  const parse = colour => (colour.match(/[\\d.]+/g) || [0, 0, 0, 0]).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = node => {
    for (; node; node = node.parentElement) {
      const found = parse(getComputedStyle(node).backgroundColor);
      if (found.length < 4 || found[3] > 0) return found;
    }
    return [255, 255, 255];
  };
  let worst = [99, ''];
  for (const node of document.querySelectorAll('body *')) {
    const own = [...node.childNodes].some(child => child.nodeType === 3 && child.data.trim());
    if (!own || ['title', 'desc'].includes(node.tagName)) continue;
    const style = getComputedStyle(node);
    const [a, b] = [light(parse(node.tagName === 'text' ? style.fill : style.color)), light(behind(node))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < worst[0]) worst = [ratio, node.outerHTML.slice(0, 80)];
  }
  return worst;
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with everything in it: nights, a failure, a check that did not run, a publish, hostile text."""
    nights = [full_run(number) for number in range(12)]
    last = full_run(12)
    steps = (
        *last.steps,
        failed("compile", "demo/three", text=f"{HOSTILE} {'x' * 300}"),
        untried("verify", "demo/three", "compile demo/three linux/arm64"),
        step("smoke", "demo/three", "linux/arm/v7", outcome=Outcome.NOT_RUN, note="no emulator here"),
    )
    last = replace(last, steps=steps, exit_code=1, warnings=(HOSTILE,))
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_bytes(page(story(*nights, publish_run(11), last)))
    return path


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_opens_offline_and_can_be_read_in_both_schemes(
    browser: Browser, made: Path, tmp_path: Path, scheme: str
) -> None:
    with opened(browser, made, scheme="dark" if scheme == "dark" else "light") as it:
        it.page.screenshot(path=artifacts(tmp_path) / f"report-{scheme}.png", full_page=True)
        back = it.page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
        assert (back == "rgb(255, 255, 255)") == (scheme == "light")
        ratio, where = it.page.evaluate(LOWEST_CONTRAST)
        assert ratio >= CONTRAST, where
        assert it.page.title().startswith("rearch: a step failed: 1 failed, 1 not started, 1 not run")
        assert (it.said, it.asked) == ([], [])
    assert (artifacts(tmp_path) / f"report-{scheme}.png").stat().st_size > 10_000


def test_the_page_says_what_there_is_to_say(browser: Browser, made: Path) -> None:
    with opened(browser, made) as it:
        cell = it.page.locator("#results tr", has_text="demo/three").locator("td").nth(1)
        assert cell.inner_text().startswith("\N{MULTIPLICATION X} failed")
        assert "no emulator here" in it.page.locator("#results").inner_text()
        rows = it.page.locator("#timeline-part tbody tr")
        assert rows.count() == 28
        verify = it.page.locator(
            "#timeline-part tr", has=it.page.get_by_role("rowheader", name="verify demo/one linux/arm64")
        )
        assert "compile demo/one linux/arm64 (until 0.8 s)" in verify.inner_text()
        assert "+10.0 kB (+0.9%)" in it.page.locator("#sizes-part").inner_text()
        assert it.page.locator("#versions-part a").first.get_attribute("href") == (
            "https://github.com/example/one/commit/0123456789abcdef0123456789abcdef01234567"
        )
        assert f"sha256:{'ab' * 32}" in it.page.locator("#published-part").inner_text()
        assert "firmware of a card" in it.page.locator("#audits-part").inner_text()
        assert it.page.locator("#history tbody tr").count() == 14


def test_hostile_text_is_shown_and_does_nothing(browser: Browser, made: Path) -> None:
    with opened(browser, made) as it:
        log = it.page.locator("#failures pre").inner_text()
        assert "<script>alert(1)</script>\"'&</td></pre><img src=x onerror=alert(2)>" in log
        assert it.page.locator("script, img").count() == 0
        assert (it.said, it.asked) == ([], [])


def test_a_script_in_the_page_would_not_run(browser: Browser, made: Path, tmp_path: Path) -> None:
    """The policy holds even if an escape were forgotten; and so the tests above would notice."""
    path = tmp_path / "broken.html"
    image = b"<img src='https://example.org/x' onerror='alert(2)'>"
    bad = b"<script>alert(1)</script>" + image + b"<p style='color:red'>x</p></body>"
    path.write_bytes(made.read_bytes().replace(b"</body>", bad))
    with opened(browser, path) as it:
        assert not [text for text in it.said if text.startswith("dialog")]
        assert len([text for text in it.said if "Content Security Policy" in text]) >= 3


@pytest.mark.parametrize("width", [320, 360, 1200])
def test_no_page_scrolls_sideways(browser: Browser, made: Path, width: int, tmp_path: Path) -> None:
    with opened(browser, made, width=width) as it:
        it.page.screenshot(path=artifacts(tmp_path) / f"report-{width}.png", full_page=True)
        assert it.page.evaluate("document.documentElement.scrollWidth") == width
        if width < 1200:
            wide = it.page.locator(".scroll").first
            assert wide.evaluate("node => node.scrollWidth > node.clientWidth")
            wide.focus()
            for _ in range(5):
                it.page.keyboard.press("ArrowRight")
            it.page.wait_for_function("document.querySelector('.scroll').scrollLeft > 0")
            name = it.page.locator("#results tbody th").first.bounding_box()
            box = wide.bounding_box()
            assert name is not None
            assert box is not None
            assert name["x"] >= box["x"], "the component's name stays in sight"


def test_the_keyboard_reaches_everything_in_order(browser: Browser, made: Path) -> None:
    with opened(browser, made) as it:
        it.page.keyboard.press("Tab")
        assert it.page.evaluate("document.activeElement.textContent") == "Skip to the results"
        assert it.page.evaluate("document.activeElement.getBoundingClientRect().left") >= 0
        seen = []
        wanted = it.page.locator("a, [tabindex='0'], summary").count()
        for _ in range(wanted):
            place = it.page.evaluate("[...document.querySelectorAll('*')].indexOf(document.activeElement)")
            assert it.page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
            seen.append(place)
            it.page.keyboard.press("Tab")
        assert seen == sorted(set(seen))
        assert len(seen) == wanted


def test_the_skip_link_leads_to_the_results(browser: Browser, made: Path) -> None:
    with opened(browser, made) as it:
        it.page.keyboard.press("Tab")
        it.page.keyboard.press("Enter")
        assert it.page.evaluate("document.activeElement.id") == "main"


def test_who_hears_the_page_finds_landmarks_headings_and_charts(browser: Browser, made: Path) -> None:
    with opened(browser, made) as it:
        for role in ("main", "navigation", "banner", "contentinfo"):
            assert it.page.get_by_role(role).count() == 1, role
        levels = it.page.evaluate("[...document.querySelectorAll('h1,h2,h3')].map(node => +node.tagName[1])")
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(after - before <= 1 for before, after in pairwise(levels))
        chart = it.page.get_by_role("img", name="linux/arm64: all binaries together, run by run")
        described = chart.locator("desc").text_content() or ""
        assert described.startswith("13 runs, from 11-18 11:06 to 11-30 11:06; first 2,000 kB, last 2,240 kB")
        assert it.page.get_by_role("region", name="Sources and toolchains").count() == 1


def test_it_prints_without_what_only_a_screen_needs(browser: Browser, made: Path, tmp_path: Path) -> None:
    with opened(browser, made) as it:
        it.page.emulate_media(media="print")
        it.page.set_viewport_size({"width": 718, "height": 1000})  # A4 between Chromium's own margins, in CSS pixels
        assert it.page.evaluate("document.documentElement.scrollWidth") == 718
        assert not it.page.locator("nav").is_visible()
        it.page.pdf(path=tmp_path / "report.pdf")
        assert it.page.locator(".scroll").first.evaluate("node => getComputedStyle(node).overflowX") == "visible"
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")


def age(*folders: Path) -> None:
    """Let every file be old enough for a note to trust it (engine/stamp.py)."""
    then = time.time() - 60
    for folder in folders:
        for path in (folder, *folder.rglob("*")):
            os.utime(path, (then, then), follow_symlinks=False)


def test_builds_leave_records_and_documents(tmp_path: Path) -> None:
    rearch = demo(tmp_path, "one", "two")
    rearch.run(*BUILD)
    recipe = rearch.project / "recipes/demo/two.yaml"
    change(recipe, 'greeting = "good day"', 'greeting = "good day" // or night')
    broken = rearch.project / "recipes/demo/one.yaml"
    change(broken, "pattern: 'greeting = \"hello\"'", "pattern: 'never there'")
    ran = rearch.run(*BUILD, "--keep-going", "--junit", tmp_path / "junit.xml", code=None)
    assert ran.code == ExitCode.FAILED
    lines = [json.loads(line) for line in (rearch.output / "history.jsonl").read_text().splitlines()]
    assert [line["exit_code"] for line in lines] == [0, 1]
    record = json.loads((rearch.output / f".rearch/runs/{lines[1]['run']}.json").read_bytes())
    steps = {each["id"]: each for each in record["steps"]}
    assert steps["patch demo/one"]["outcome"] == "failed"
    assert "never there" in json.dumps(steps["patch demo/one"]["error"])
    assert steps["patch demo/one"]["log"] == "logs/demo/one/patch.log"
    assert steps["compile demo/one linux/arm64"]["because"] == "patch demo/one"
    assert steps["patch demo/two"]["reason"].startswith("edit 1")
    assert steps["fetch demo/two"]["outcome"] == "reused"
    suites = {
        suite.name: (suite.tests, suite.errors, suite.skipped)
        for suite in JUnitXml.fromfile(str(tmp_path / "junit.xml"))
    }
    assert suites["demo/one all platforms"] == (1, 1, 0)
    assert suites["demo/one linux/arm64"][2] == suites["demo/one linux/arm64"][0]
    assert b"never there" in (rearch.output / "report.html").read_bytes()


def test_the_task_writes_what_is_asked_for(tmp_path: Path) -> None:
    rearch = Cli(make_project(tmp_path), tmp_path / "cache")
    assert "holds no record of a run" in rearch.run("report", code=ExitCode.USAGE).err
    digest = add_built(rearch.project, "agent")
    done = rearch.run("publish", "--to", f"oci:{tmp_path / 'mirror'}", "--tag", "v1")
    (rearch.output / "report.html").unlink()
    metrics = tmp_path / "rearch.prom"
    ran = rearch.run(
        "report", "--out", tmp_path / "page.html", "--prometheus", metrics, "--markdown", tmp_path / "mr.md"
    )
    assert ran.out.splitlines() == [str(tmp_path / name) for name in ("page.html", "rearch.prom", "mr.md")]
    assert done.out.strip().partition("@")[2].encode() in (tmp_path / "page.html").read_bytes()
    families = {family.name for family in text_string_to_metric_families(metrics.read_text())}
    assert {"rearch_last_run_exit_code", "rearch_published_tags"} <= families
    assert metrics.stat().st_mode & 0o777 == 0o644
    both = json.loads(rearch.run("report", "--json").out)
    assert both["build"] is None
    assert both["publish"]["references"][0]["digest"] == str(digest)
    assert rearch.run("report", "--markdown", "-").out.startswith("### rearch")
    assert "both want stdout" in rearch.run("report", "--markdown", "-", "--json", code=ExitCode.USAGE).err
    assert "cannot be written" in rearch.run("report", "--junit", tmp_path / "no/such/x.xml", code=ExitCode.USAGE).err
    other = rearch.run("report", "--prometheus", tmp_path / "rearch.txt")
    assert other.err == f"warning: {tmp_path / 'rearch.txt'}: node_exporter reads only files that end in .prom\n"
    assert "stdout is for --markdown alone" in rearch.run("report", "--prometheus", "-", code=ExitCode.USAGE).err


def test_a_report_that_cannot_be_written_does_not_fail_the_build(tmp_path: Path) -> None:
    rearch = demo(tmp_path)
    (rearch.output / "report.html").mkdir(parents=True)
    early = rearch.run(*BUILD, "--junit", tmp_path / "no/such/x.xml", code=ExitCode.USAGE)
    assert early.started == ()
    ran = rearch.run(*BUILD)
    assert "warning: the report of this run could not be written" in ran.err
    assert ran.out.strip().endswith("linux/arm64/hello")


def test_a_build_that_is_answered_by_its_note_is_a_run_in_history_and_page(tmp_path: Path) -> None:
    rearch = demo(tmp_path)
    rearch.run(*BUILD)
    age(rearch.project)
    rearch.run(*BUILD)
    notes = tuple((rearch.cache / "stamps").iterdir())
    assert len(notes) == 1, "the second build leaves a note"
    records = {*(rearch.output / ".rearch/runs").iterdir()}
    for _ in range(2):
        assert rearch.run(*BUILD).out.strip().endswith("linux/arm64/hello")
    lines = [json.loads(line) for line in (rearch.output / "history.jsonl").read_text().splitlines()]
    settled = lines[1]["run"]
    assert [(line["exit_code"], line.get("again", "")) for line in lines[1:]] == [(0, ""), (0, settled), (0, settled)]
    assert {*(rearch.output / ".rearch/runs").iterdir()} == records
    assert b"2 runs since then found nothing to do" in (rearch.output / "report.html").read_bytes()
    found = json.loads(rearch.run("report", "--json").out)
    assert (found["build"]["id"], len(found["again"])) == (settled, 2)

    rearch.run(*BUILD, "--only", "nosuch", code=ExitCode.USAGE)
    assert b"nosuch" in (rearch.output / "report.html").read_bytes()
    rearch.run(*BUILD)
    html = (rearch.output / "report.html").read_bytes()
    assert b"nosuch" not in html
    assert b"1 run since then found nothing to do" in html
    (rearch.output / "report.html").unlink()
    rearch.run(*BUILD)
    assert b"2 runs since then found nothing to do" in (rearch.output / "report.html").read_bytes()
    next(path for path in records if path.stem == settled).unlink()
    rearch.run(*BUILD)
    assert len({*(rearch.output / ".rearch/runs").iterdir()} - records) == 2, "of the failed run, and of a new plan"


def test_a_full_disk_costs_the_report_and_not_the_build(tmp_path: Path) -> None:
    rearch = demo(tmp_path)
    rearch.run(*BUILD)
    before = (rearch.output / "history.jsonl").read_bytes()
    with small_disk(tmp_path / "disk", "16m") as disk:
        output = disk / "output"
        env = {"REARCH_OUTPUT": str(output)}
        rearch.run(*BUILD, env=env)
        age(rearch.project, output)
        rearch.run(*BUILD, env=env)
        with (disk / "filler").open("wb", buffering=0) as file, suppress(OSError):
            while file.write(bytes(4096)):
                pass
        kept = (output / "history.jsonl").read_bytes()
        ran = rearch.run(*BUILD, env=env)
        assert "warning: the report of this run could not be written" in ran.err
        assert "No space left" in ran.err
        assert (output / "history.jsonl").read_bytes().startswith(kept)
        ran = rearch.run(*BUILD, "--junit", disk / "junit.xml", env=env, code=ExitCode.USAGE)
        assert "junit.xml cannot be written" in ran.err
        assert ran.out.strip().endswith("linux/arm64/hello")
        change(rearch.project / "recipes/demo/hello.yaml", "pattern: 'greeting = \"hello\"'", "pattern: 'never there'")
        ran = rearch.run(*BUILD, "--junit", disk / "junit.xml", env=env, code=ExitCode.FAILED)
        assert "junit.xml cannot be written: No space left on device" in ran.err
        assert "FAILED  patch demo/hello" in ran.err
        assert not (disk / "junit.xml").exists()
        assert not tuple(output.glob(".report.html.*"))
    assert (rearch.output / "history.jsonl").read_bytes() == before


def test_a_torn_history_is_told_and_a_broken_recipe_is_a_run_too(tmp_path: Path) -> None:
    rearch = demo(tmp_path)
    rearch.run(*BUILD)
    history = rearch.output / "history.jsonl"
    history.write_bytes(history.read_bytes()[:50])
    change(rearch.project / "recipes/demo/hello.yaml", "summary:", "sumary:")
    ran = rearch.run(*BUILD, code=ExitCode.USAGE)
    assert "history.jsonl: line 1 is torn" in ran.err
    again = rearch.run("report", "--json")
    assert "warning: history.jsonl: line 1 is torn" in again.err
    record = json.loads(again.out)["build"]
    assert record["exit_code"] == 2
    assert "sumary" in json.dumps(record["errors"])
