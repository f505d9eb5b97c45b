"""What a recipe's values refuse by themselves; tests/unit/config has the places of it."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from rearch.model.recipe import ArchiveSource, Edit


def edit(pattern: str, replace: str) -> Edit:
    return Edit(file="a.go", pattern=pattern, replace=replace, why="x")


@pytest.mark.parametrize(
    ("pattern", "replace"),
    [
        ("(a)(?P<n>b)", r"\2\g<n>\g<0>\g<1>"),
        ("(a)(?P<n>b)", "plain $1 {2}"),
        ("(?i)^(a)$", r"\1\n\\2"),
        (r"(?:|){40}(x)", r"\1"),  # would take for ever, even on an empty text
        (r"(?P<q>['\"])(a)(?P=q)", r"\2\g<q>"),
    ],
)
def test_replacements(pattern: str, replace: str) -> None:
    assert edit(pattern, replace).replace == replace


@pytest.mark.parametrize("replace", [r"\2", r"\g<m>", r"\q", r"\g<", r"\g<2>"])
def test_replacements_that_do_not_fit(replace: str) -> None:
    with pytest.raises(ValidationError, match=r"the pattern has \\1, \\g<n>"):
        edit("(?P<n>a)", replace)


def test_a_pattern_without_groups() -> None:
    with pytest.raises(ValidationError, match="the pattern has no groups"):
        edit("a", r"\1")


@pytest.mark.parametrize("url", ["https://example.org/a.zip", "http://example.org/a.zip", "file:///a.zip"])
def test_urls(url: str) -> None:
    assert ArchiveSource(archive=url, sha256="0" * 64).archive == url


@pytest.mark.parametrize(
    "url", ["ftp://example.org/a", "example.org/a", "/a.zip", "https:a", "httpss://a", " https://a", "https://a b"]
)
def test_urls_that_are_refused(url: str) -> None:
    with pytest.raises(ValidationError, match="begins with https://, http:// or file:///"):
        ArchiveSource(archive=url, sha256="0" * 64)
