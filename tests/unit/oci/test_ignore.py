"""`.dockerignore`: the examples of Docker's documentation, and what its matcher does at the edges."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rearch.oci.ignore import BadIgnorePattern, read_ignore


def _ignored(text: str, *paths: str) -> list[str]:
    rules = read_ignore(text, ".dockerignore")
    return [path for path in paths if rules.ignored(path)]


def test_the_documentations_first_example() -> None:
    text = "# comment\n*/temp*\n*/*/temp*\ntemp?\n"
    paths = ("somedir/temporary.txt", "somedir/temp", "a/b/temporary.txt", "tempa", "temp", "tempab", "temporary.txt")
    assert _ignored(text, *paths) == ["somedir/temporary.txt", "somedir/temp", "a/b/temporary.txt", "tempa"]


def test_two_stars_match_any_number_of_folders() -> None:
    assert _ignored("**/*.go\n", "a.go", "b/a.go", "b/c/a.go", "a.goo") == ["a.go", "b/a.go", "b/c/a.go"]
    assert _ignored("a/**\n", "a", "a/b", "a/b/c", "b") == ["a/b", "a/b/c"]
    assert _ignored("**\n", "a", "a/b") == ["a", "a/b"]
    assert _ignored("a/**/z\n", "a/z", "a/b/z", "a/b/c/z", "az") == ["a/z", "a/b/z", "a/b/c/z"]


def test_exceptions_the_last_match_decides() -> None:
    paths = ("README.md", "README-secret.md", "OTHER.md")
    assert _ignored("*.md\n!README.md\n", *paths) == ["README-secret.md", "OTHER.md"]
    assert _ignored("*.md\n!README*.md\nREADME-secret.md\n", *paths) == ["README-secret.md", "OTHER.md"]
    assert _ignored("*.md\nREADME-secret.md\n!README*.md\n", *paths) == ["OTHER.md"]


def test_a_name_alone_matches_at_the_root_only_unlike_git() -> None:
    assert _ignored("temp\n", "temp", "a/temp", "temp/x/y") == ["temp", "temp/x/y"]


def test_spellings_are_cleaned() -> None:
    for spelling in ("/foo/bar", "foo/bar/", "./foo/./bar", " foo/x/../bar  ", "\ufefffoo/bar"):
        assert _ignored(f"{spelling}\n", "foo/bar", "foo") == ["foo/bar"]


def test_something_below_an_ignored_folder_can_come_back() -> None:
    assert _ignored("a\n!a/b/keep\n", "a/x", "a/b/keep", "a/b/keep/all", "a/b/other") == ["a/x", "a/b/other"]


def test_sets_escapes_and_signs_of_regular_expressions() -> None:
    assert _ignored("[a-c]x\n", "ax", "cx", "dx") == ["ax", "cx"]
    assert _ignored("[^a]x\n", "ax", "bx") == ["bx"]
    assert _ignored("a\\*b\n", "a*b", "axb") == ["a*b"]
    assert _ignored("a.b+(c)$\n", "a.b+(c)$", "axb+(c)$") == ["a.b+(c)$"]
    assert _ignored(" # no comment\n", "# no comment") == ["# no comment"]


def test_nothing_is_ignored_by_nothing() -> None:
    assert not _ignored("\n#x\n   \n/\n.\n", "a", ".dockerignore")


@pytest.mark.parametrize(("text", "why"), [("a\n!\n", "2"), ("[a\n", "no end"), ("a\\\n", "nothing follows")])
def test_what_is_no_pattern(text: str, why: str) -> None:
    with pytest.raises(BadIgnorePattern, match=why):
        read_ignore(text, ".dockerignore")


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.text(alphabet="ab*?[]^-\\!/.#\n ", max_size=20), st.text(alphabet="ab/", min_size=1, max_size=8))
def test_any_text_is_rules_or_refused(text: str, path: str) -> None:
    with suppress(BadIgnorePattern):  # and nothing else
        assert read_ignore(text + "\n**", "x").ignored(path)
