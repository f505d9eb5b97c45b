"""Wildcards as Go's filepath.Match has them (the examples of its own tests that say something about paths)."""

from __future__ import annotations

import pytest

from rearch.oci.dockerfile.errors import Trouble
from rearch.oci.embedded.glob import compiled, has_wildcard


@pytest.mark.parametrize(
    ("pattern", "path", "wanted"),
    [
        ("abc", "abc", True),
        ("*", "abc", True),
        ("*c", "abc", True),
        ("a*", "ab/c", False),
        ("a*/b", "abc/b", True),
        ("a*/b", "a/c/b", False),
        ("*", ".hidden", True),
        ("ab[c]", "abc", True),
        ("ab[e-g]", "abc", False),
        ("ab[^c]", "abc", False),
        ("ab[^e-g]", "abc", True),
        ("a[^b]c", "a/c", False),
        ("a\\*b", "a*b", True),
        ("a\\*b", "ab", False),
        ("a?b", "axb", True),
        ("a?b", "a/b", False),
        ("[\\]a]", "]", True),
        ("[\\-x]", "-", True),
        ("a.b", "axb", False),
        ("**", "a/b", False),
    ],
)
def test_matches(pattern: str, path: str, wanted: bool) -> None:
    assert (compiled(pattern).match(path) is not None) is wanted


@pytest.mark.parametrize("pattern", ["[", "[a", "[a-", "[]a]", "[-]", "[x-]", "[b-a]", "a\\", "[^"])
def test_what_is_no_pattern(pattern: str) -> None:
    with pytest.raises(Trouble, match="no pattern"):
        compiled(pattern)


def test_escaped_signs_are_no_wildcards() -> None:
    assert has_wildcard("a*")
    assert not has_wildcard("a\\*\\[")
