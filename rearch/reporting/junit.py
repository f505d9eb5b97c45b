"""A run as JUnit XML: what Jenkins, GitLab and their like show as tests.

Nobody owns the format; what stands here is what the schemas in use share (Ant's, Jenkins' xunit plugin, pytest's
xunit2): a testsuite with name, tests, failures, errors, skipped, time, timestamp and hostname, its testcases with name,
classname and time. A check that found something is a `failure`, a step that could not be done an `error`.
"""

from __future__ import annotations

import re
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from rearch.reporting.record import Outcome, Run, StepRun, Words
from rearch.reporting.view import SHARED, iso, reason

CHECKS = frozenset(["verify", "smoke", "audit", "image-smoke"])
# What XML 1.0 allows is all but these (section 2.2): a log may hold any byte.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(run: Run) -> bytes:
    """One testsuite for each component on each platform; checks are testcases, and so is any other step that failed."""
    suites: dict[str, list[StepRun]] = {}
    for step in run.steps:
        if step.kind in CHECKS or step.outcome is Outcome.FAILED:
            suites.setdefault(f"{step.component} {step.platform or SHARED}", []).append(step)
    root = Element("testsuites", name="rearch", time=_time(run.seconds))
    for name, steps in suites.items():
        root.append(_suite(name, steps, run))
    if run.errors:
        root.append(_errors(run))
    for count in ("tests", "failures", "errors", "skipped"):
        root.set(count, str(sum(int(suite.get(count, "0")) for suite in root)))
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'.encode()


def _suite(name: str, steps: list[StepRun], run: Run) -> Element:
    suite = _head(name, run)
    for step in steps:
        _case(suite, step)
    _count(suite, sum(step.seconds or 0.0 for step in steps))
    return suite


def _head(name: str, run: Run) -> Element:
    """Ant writes localhost where it does not know the host; so do we, who do not tell it."""
    return Element("testsuite", name=_clean(name), hostname="localhost", timestamp=iso(run.time))


def _count(suite: Element, seconds: float) -> None:
    suite.set("tests", str(len(suite.findall("testcase"))))
    for attribute, path in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(attribute, str(len(suite.findall(f"testcase/{path}"))))
    suite.set("time", _time(seconds))


def _case(suite: Element, step: StepRun) -> None:
    classname = f"{step.component}.{step.platform or SHARED}".replace("/", ".")
    name = step.kind if step.subject == step.component else f"{step.kind} {step.subject}"
    case = SubElement(
        suite, "testcase", classname=_clean(classname), name=_clean(name), time=_time(step.seconds or 0.0)
    )
    match step.outcome:
        case Outcome.FAILED:
            words = step.error or Words(summary="it failed")
            _fault(case, "failure" if step.kind in CHECKS else "error", words, step.excerpt)
        case Outcome.NOT_STARTED | Outcome.NOT_RUN:
            SubElement(case, "skipped", message=_clean(reason(step)))
        case Outcome.MADE | Outcome.REUSED:
            if step.note:
                SubElement(case, "system-out").text = _clean(step.note)


def _errors(run: Run) -> Element:
    """What went wrong with no step."""
    suite = _head("run", run)
    for number, words in enumerate(run.errors, 1):
        name = words.where or f"error {number}"
        case = SubElement(suite, "testcase", classname="rearch", name=_clean(name), time="0.000")
        _fault(case, "error", words, ())
    _count(suite, 0.0)
    return suite


def _fault(case: Element, kind: str, words: Words, excerpt: tuple[str, ...]) -> None:
    fault = SubElement(case, kind, message=_clean(words.summary), type=f"exit code {words.exit_code}")
    fault.text = _clean("\n".join((words.text, *(("", *excerpt) if excerpt else ()))))


def _time(seconds: float) -> str:
    return f"{seconds:.3f}"


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text)
