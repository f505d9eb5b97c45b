"""JUnit XML, Prometheus text and Markdown, each read by somebody else's reader."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from junitparser import JUnitXml
from markdown_it import MarkdownIt
from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families

from rearch.reporting.history import History, line_of
from rearch.reporting.junit import junit
from rearch.reporting.markdown import markdown, plain
from rearch.reporting.prometheus import prometheus
from rearch.reporting.record import Outcome, Words
from rearch.reporting.view import changes
from tests.support.runs import (
    BEGAN,
    HOSTILE,
    again,
    failed,
    full_run,
    publish_run,
    reused,
    run,
    step,
    story,
    untried,
)  # fmt: skip

MIXED = run(
    1,
    step("fetch", "demo/one", None),
    step("verify", "demo/one", note="a doubt"),
    step("smoke", "demo/one", outcome=Outcome.NOT_RUN, note="no emulator"),
    failed("compile", "demo/two"),
    untried("verify", "demo/two", "compile demo/two linux/arm64"),
    failed("audit", "demo/three", "linux/arm/v7", HOSTILE),
    reused("image-smoke", "demo/three", "linux/arm/v7"),
    errors=(Words(summary="no lock", where="", exit_code=2),),
)


def test_junit_has_a_suite_for_each_component_and_platform() -> None:
    found = JUnitXml.fromstring(junit(MIXED))
    suites = {suite.name: (suite.tests, suite.failures, suite.errors, suite.skipped) for suite in found}
    assert suites == {
        "demo/one linux/arm64": (2, 0, 0, 1),
        "demo/two linux/arm64": (2, 0, 1, 1),
        "demo/three linux/arm/v7": (2, 1, 0, 0),
        "run": (1, 0, 1, 0),
    }
    assert (found.tests, found.failures, found.errors, found.skipped) == (7, 1, 2, 2)


def test_junit_keeps_to_what_the_schemas_share() -> None:
    root = ElementTree.fromstring(junit(MIXED))
    assert root.tag == "testsuites"
    for suite in root:
        assert suite.tag == "testsuite"
        wanted = {"name", "tests", "failures", "errors", "skipped", "time", "timestamp", "hostname"}
        assert suite.attrib.keys() == wanted
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", suite.attrib["timestamp"])
        for case in suite:
            assert case.tag == "testcase"
            assert {*case.attrib} == {"classname", "name", "time"}
            assert [child.tag for child in case] in ([], ["failure"], ["error"], ["skipped"], ["system-out"])
            assert all(
                {"message", "type"} == child.attrib.keys() for child in case if child.tag in ("failure", "error")
            )


def test_junit_tells_the_failure_with_its_log_and_only_what_xml_can_hold() -> None:
    case = next(case for case in ElementTree.fromstring(junit(MIXED)).iter("failure"))
    assert case.text is not None
    assert "last line" in case.text
    assert "hint: mend it" in case.text
    assert "<script>alert(1)</script>" in case.text
    assert "\x1b" not in case.text
    assert "\N{REPLACEMENT CHARACTER}[31m" in case.text


def test_prometheus_text_is_read_by_the_parser_of_its_makers() -> None:
    build = full_run(2, ("demo/one",))
    text = prometheus(build, publish_run(1), story(build).history).decode()
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert all(family.type == "gauge" and family.documentation for family in families.values())
    values = {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in families.values()
        for sample in family.samples
    }
    command = ("command", "build")
    assert values["rearch_last_run_timestamp_seconds", command] == BEGAN + 2 * 86_400
    assert values["rearch_last_run_exit_code", command] == 0
    assert values["rearch_last_success_timestamp_seconds", command] == BEGAN + 2 * 86_400
    assert values["rearch_steps", ("result", "made")] == 13
    assert values["rearch_steps", ("result", "failed")] == 0
    place = (("component", "demo/one"), ("name", "one"), ("platform", "linux/arm64"))
    assert values["rearch_binary_size_bytes", *place] == 1_020_000
    image = (("component", "demo/one"), ("platform", "linux/arm64"), ("repository", "one"))
    assert values["rearch_image_size_bytes", *image] == 5_002_000
    assert values["rearch_audit_warnings", *image] == 1
    assert values["rearch_published_tags", ("change", "moved")] == 1


def test_the_last_success_is_older_than_a_failed_run() -> None:
    bad = run(5, failed("compile", "demo/one"))
    text = prometheus(bad, None, story(full_run(3), bad).history).decode()
    assert f'rearch_last_success_timestamp_seconds{{command="build"}} {BEGAN + 3 * 86_400}' in text
    assert 'rearch_last_run_exit_code{command="build"} 1' in text


def test_a_run_that_found_nothing_to_do_is_a_success_of_now() -> None:
    build = full_run(3)
    since = again(build, 60, 86_400)
    text = prometheus(build, None, History(lines=(line_of(build), *since.lines))).decode()
    for name in ("run", "success"):
        assert f'rearch_last_{name}_timestamp_seconds{{command="build"}} {BEGAN + 4 * 86_400}\n' in text
    assert 'rearch_last_run_duration_seconds{command="build"} 0.1\n' in text
    shown = markdown(build, None, again=since.lines).splitlines()
    assert shown[2].startswith("2 runs since then found nothing to do; the last was on 2026")


@pytest.mark.parametrize(
    "name", ["x ]]> </script>", "a\rb\x85c\u2028d", "a|b`c`\\|d<br>**x**", "<!-- x --!> <details>"]
)
def test_each_document_of_a_hostile_name_is_read_by_its_own_reader(name: str) -> None:
    bad = full_run(1, (f"demo/{name}",), errors=(Words(summary=name, where=name),), warnings=(name,))
    bad = replace(bad, steps=(failed("compile", f"demo/{name}", text=name), step("smoke", f"demo/{name}", note=name)))
    found = text_string_to_metric_families(prometheus(bad, None, story(bad).history).decode())
    sizes = next(family for family in found if family.name == "rearch_binary_size_bytes")
    assert {sample.labels["component"] for sample in sizes.samples} == {f"demo/{name}"}
    (suite, _) = JUnitXml.fromstring(junit(bad))
    assert suite.name.startswith("demo/")
    html = MarkdownIt("gfm-like", {"linkify": False}).render(markdown(bad, publish_run(1)))
    assert {*re.findall(r"<(/?\w+)", html)} == {
        f"{end}{tag}"
        for tag in (
            "h3",
            "table",
            "thead",
            "tbody",
            "tr",
            "th",
            "td",
            "strong",
            "details",
            "summary",
            "pre",
            "ul",
            "li",
            "a",
        )
        for end in ("", "/")
    } | {"br"}
    assert html.count("<br>") == 1
    assert html.count("<li>") == 1


def test_labels_of_prometheus_are_escaped() -> None:
    build = full_run(1, ('demo/a\\b"c\nd',))
    found = text_string_to_metric_families(prometheus(build, None, story(build).history).decode())
    sizes = next(family for family in found if family.name == "rearch_binary_size_bytes")
    assert {sample.labels["component"] for sample in sizes.samples} == {'demo/a\\b"c\nd'}


def test_markdown_is_short_with_the_rest_folded() -> None:
    before, now = full_run(1), full_run(2)
    text = markdown(now, publish_run(1), changes(now, story(before, now).history))
    lines = text.splitlines()
    assert lines[0].startswith("### rearch: done")
    table = [line for line in lines[:8] if line.startswith("|")]
    assert len(table) == 4
    assert len({line.count("|") for line in table}) == 1
    assert text.count("<details>") == text.count("</details>") == 3
    assert "&#43;10.0 kB" in text
    assert "https://github.com/example/one/commit/" in text


def test_markdown_passes_no_markup_on() -> None:
    bad = run(1, failed("compile", HOSTILE, text=f"{HOSTILE}\n\n# a title"), warnings=(HOSTILE,))
    text = markdown(bad, None)
    assert "<script" not in text
    assert "<img" not in text
    assert "@all" not in text
    assert "\x1b" not in text
    assert "\n\n# a title" not in text
    assert all(line.count("|") == 3 for line in text.splitlines() if line.startswith("|"))
    assert plain("a *b* [c](d) <e> & f|g\nh") == ("a &#42;b&#42; &#91;c&#93;&#40;d&#41; &#60;e&#62; &#38; f&#124;g h")


def test_a_report_without_a_build_says_so() -> None:
    assert "no build yet" in markdown(None, publish_run(1))
    assert prometheus(None, None, story().history) == b""
