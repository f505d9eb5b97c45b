"""Which hosts a service may get, and whether its image is for them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rearch.errors import UsageError
from rearch.model.application import Application, Host, HostsFile, Service
from rearch.model.platform import parse_platform
from rearch.placing.check import Fit, ImageFacts, ServiceCheck, check_placement, fit
from rearch.placing.check_show import check_document, check_lines
from rearch.placing.rules import admits, candidates
from tests.support.placing import application, hosts

HOSTS = hosts(
    """\
pi2: {arch: arm/v7, labels: {type: pi}}
pi1: {arch: arm64, labels: {type: pi, disk: ssd}}
vm1: {arch: amd64, labels: {type: vm}}
"""
)
AMD64, ARM64, ARM = "linux/amd64", "linux/arm64", "linux/arm/v7"


def check(keys: str, *platforms: str, faults: tuple[str, ...] = ()) -> ServiceCheck:
    facts = ImageFacts(platforms=platforms, faults=faults)
    (found,) = check_placement(application(f"web: {{{keys}}}"), HOSTS, {"x/y:1": facts})
    return found


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("", ["pi1", "pi2", "vm1"]),
        ("on: {type: pi}", ["pi1", "pi2"]),
        ("on: {type: pi, disk: ssd}", ["pi1"]),
        ("not_on: {type: vm}", ["pi1", "pi2"]),
        ("not_on: {disk: ssd}", ["pi2", "vm1"]),
        ("arch: [amd64, arm/v7]", ["pi2", "vm1"]),
        ("prefer: {type: vm}", ["vm1", "pi1", "pi2"]),
        ("prefer_not: {disk: ssd}", ["pi2", "vm1", "pi1"]),
        ("arch: s390x", []),
    ],
)
def test_who_is_admitted_best_liked_first(keys: str, expected: list[str]) -> None:
    assert list(candidates(application(f"web: {{{keys}}}").services["web"], HOSTS)) == expected


_LABELS = st.dictionaries(st.sampled_from("ab"), st.sampled_from("xy"), max_size=2)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(_LABELS, _LABELS, _LABELS)
def test_rules_hold_together(on: dict[str, str], not_on: dict[str, str], labels: dict[str, str]) -> None:
    not_on = {key: value for key, value in not_on.items() if on.get(key) != value}
    service = Service.model_validate({"image": "x/y", "on": on, "not_on": not_on})
    host = Host.model_validate({"arch": "arm64", "labels": labels})
    assert admits(service, host) is (on.items() <= labels.items() and not (not_on.items() & labels.items()))


@pytest.mark.parametrize(
    ("host", "image", "expected"),
    [
        ("arm64", (AMD64, ARM64), Fit.RUNS),
        ("arm64", (AMD64,), Fit.CANNOT),
        ("arm64", (ARM,), Fit.MAYBE),
        ("arm/v7", ("linux/arm/v6",), Fit.MAYBE),
        ("arm/v6", (ARM,), Fit.CANNOT),
        ("amd64", ("linux/386",), Fit.MAYBE),
        ("386", (AMD64,), Fit.CANNOT),
        ("amd64", ("windows/amd64",), Fit.CANNOT),
        ("amd64", (), Fit.CANNOT),
    ],
)
def test_what_a_host_runs(host: str, image: tuple[str, ...], expected: Fit) -> None:
    assert fit(parse_platform(host), image) is expected


def test_the_x86_image_that_would_go_to_a_pi() -> None:
    found = check("on: {disk: ssd}", AMD64)
    assert found.problems == ("pi1 is linux/arm64, and x/y:1 is for linux/amd64",)
    assert [(each.host, each.fit) for each in found.hosts] == [("pi1", Fit.CANNOT)]


def test_every_host_that_may_be_chosen_counts() -> None:
    assert check("", AMD64, ARM64, ARM).problems == ()
    assert len(check("", AMD64, ARM64).problems) == 1
    assert check("on: {type: vm}", AMD64).problems == ()


def test_a_service_that_nobody_takes() -> None:
    found = check("on: {type: vm}, not_on: {a: b}, arch: [arm64, arm/v7]", ARM64)
    assert found.problems == ("no host fits its rules: type=vm, not a=b, linux/arm/v7 or linux/arm64",)


def test_what_may_run_is_a_doubt_and_no_problem() -> None:
    found = check("on: {disk: ssd}", ARM)
    assert found.problems == ()
    assert found.doubts[0].startswith("pi1 is linux/arm64, and the image is for linux/arm/v7: most such hosts run it")


def test_faults_of_the_image_are_problems() -> None:
    assert check("on: {disk: ssd}", ARM64, faults=("labelled wrongly",)).problems == ("labelled wrongly",)


def several() -> tuple[Application, HostsFile, dict[str, ImageFacts]]:
    both = application("web: {image: 'x/web:1', on: {type: pi}}\ndb: {image: 'x/db:1', on: {disk: none}}")
    gone = UsageError("x/db:1 is not in the registry")
    return both, HOSTS, {"x/web:1": ImageFacts(platforms=(ARM64, AMD64)), "x/db:1": ImageFacts(error=gone)}


def test_the_table() -> None:
    assert [*check_lines(check_placement(*several()))] == [
        "SERVICE  IMAGE    FOR                       HOSTS",
        "web      x/web:1  linux/arm64, linux/amd64  pi1, pi2 (CANNOT)",
        "db       x/db:1   ?                         -",
        "WRONG   web: pi2 is linux/arm/v7, and x/web:1 is for linux/arm64, linux/amd64",
        "WRONG   db: no host fits its rules: disk=none",
    ]


def test_an_image_that_is_not_known_has_no_verdict() -> None:
    both, known, images = several()
    images["x/web:1"] = ImageFacts(error=UsageError("not there"))
    web = check_placement(both, known, images)[0]
    assert web.problems == ()
    assert [each.fit for each in web.hosts] == [None, None]
    assert [*check_lines((web,))][1].endswith("pi1 (?), pi2 (?)")


def test_json() -> None:
    first, second = check_document(check_placement(*several()))["services"]
    assert first["hosts"] == [
        {"host": "pi1", "platform": "linux/arm64", "fit": "runs"},
        {"host": "pi2", "platform": "linux/arm/v7", "fit": "cannot"},
    ]
    assert (first["error"], second["error"]) == (None, "x/db:1 is not in the registry")
    assert second["problems"] == ["no host fits its rules: disk=none"]
