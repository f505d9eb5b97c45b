"""Versions: read by scheme, ordered by it, and never an error."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rearch.model.watch import Scheme
from rearch.upkeep.versions import guess_scheme, parse_version

ORDERS: tuple[tuple[Scheme, tuple[str, ...]], ...] = (
    # semver.org, item 11, word for word; then the liberties: two numbers, one number.
    (
        "semver",
        (
            *("1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11"),
            *("1.0.0-rc.1", "1.0.0", "1.0.1", "1.1", "1.10.0", "2", "10.0.0"),
        ),
    ),
    ("pep440", ("1.0.dev1", "1.0a1", "1.0b2", "1.0rc1", "1.0", "1.0.post1", "1.1", "1.10", "2!0.1")),
    ("debian", ("1.0~rc1-1", "1.0-1", "1.0-1+deb12u1", "1.0-2", "1.0+ds1-1", "1.10-1", "1:0.1-1")),
    ("date", ("2023.12", "2024-01-02", "20240517", "2024-05-17.1", "2024-05-17.10", "2024-06-01")),
    ("any", ("1.0-beta2", "1.0-rc1", "1.0", "1.0a", "1.0.1", "1.2.3.4", "1.2.3.10")),
)


@pytest.mark.parametrize(("scheme", "texts"), ORDERS, ids=[scheme for scheme, _ in ORDERS])
def test_versions_are_ordered_as_their_scheme_says(scheme: Scheme, texts: tuple[str, ...]) -> None:
    versions = [parse_version(scheme, text) for text in texts]
    assert None not in versions
    assert [str(each) for each in sorted(filter(None, reversed(versions)))] == list(texts)


@pytest.mark.parametrize(
    ("scheme", "text"),
    [
        ("semver", ""),
        ("semver", "1.2.3.4"),
        ("semver", "v1.2.3"),
        ("semver", "1.2.3-"),
        ("semver", "\u0661.2.3"),
        ("pep440", "1.0-gold-edition"),
        ("debian", "beta"),
        ("date", "1.2.3"),
        ("date", "2024-13-01"),
        ("date", "20241301"),
        ("any", "latest"),
        ("any", "9" * 201),
    ],
)
def test_what_a_scheme_cannot_read_is_none(scheme: Scheme, text: str) -> None:
    assert parse_version(scheme, text) is None


@pytest.mark.parametrize(
    ("scheme", "text", "pre"),
    [
        ("semver", "1.0.0-rc1", True),
        ("semver", "1.0.0+build-7", False),
        ("pep440", "1.0.dev1", True),
        ("debian", "1.0~beta1-1", True),
        ("any", "1.2.3.4-rc2", True),
        ("any", "1.2.3.4-rancher2", False),
    ],
)
def test_pre_releases_are_known(scheme: Scheme, text: str, pre: bool) -> None:
    found = parse_version(scheme, text)
    assert found is not None
    assert found.pre is pre


def test_the_scheme_is_the_strictest_that_reads_the_version() -> None:
    assert [guess_scheme(text) for text in ("1.2.3", "1.2.3-rc1", "1.2.3.4", "1.0.post1", "1.2-x_y")] == [
        *("semver", "semver", "pep440", "pep440", "any")
    ]


def test_numbers_are_those_at_the_front() -> None:
    found = [parse_version("debian", text) for text in ("1:1.27.3+ds1-2", "2")]
    assert [each.numbers for each in found if each] == [(1, 27, 3), (2,)]


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.sampled_from(["semver", "pep440", "debian", "date", "any"]), st.lists(st.text("019.-+~:abrc v", max_size=12)))
def test_any_text_is_read_or_not_and_the_order_is_total(scheme: Scheme, texts: list[str]) -> None:
    found = [version for text in texts if (version := parse_version(scheme, text))]
    ordered = sorted(found)
    assert all(not later < earlier for earlier, later in pairwise(ordered))
    assert all((a == b) == (not a < b and not b < a) for a in found for b in found)
