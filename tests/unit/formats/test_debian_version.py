"""The order of Debian versions (deb-version(7))."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rearch.formats.debian_version import DebianVersion

ASCENDING = [
    "0~~",
    "0~",
    "0",
    "0.1",
    "1.0~beta1~svn1245",
    "1.0~beta1",
    "1.0",
    "1.0-0+deb1",
    "1.0-1",
    "1.0-1+b2",
    "1.0-1.1",
    "1.0-2",
    "1.0-10",
    "1.0a-1",
    "1.0+dfsg-1",
    "1.0.1-1",
    "1.9-1",
    "1.10-1",
    "1:0.1",
    "2:0",
]
DESCENDING = ASCENDING[::-1]


def test_the_order_is_dpkgs() -> None:
    assert sorted(DESCENDING, key=DebianVersion) == ASCENDING
    for lower, higher in pairwise(ASCENDING):
        assert DebianVersion(lower) < DebianVersion(higher)
        assert not DebianVersion(higher) < DebianVersion(lower)


@pytest.mark.parametrize(("one", "other"), [("1.0", "1.0-0"), ("1.0", "0:1.0"), ("1.01-1", "1.1-1"), ("1.a-0", "1.a")])
def test_equal_under_other_spellings(one: str, other: str) -> None:
    assert DebianVersion(one) == DebianVersion(other)
    assert hash(DebianVersion(one)) == hash(DebianVersion(other))


_VERSIONS = st.text("019.+~:-ab", max_size=8).map(DebianVersion)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(_VERSIONS, _VERSIONS, _VERSIONS)
def test_it_is_an_order(one: DebianVersion, two: DebianVersion, three: DebianVersion) -> None:
    assert (one < two) + (two < one) + (one == two) == 1
    if one <= two <= three:
        assert one <= three
