"""Which ref a recipe means."""

from __future__ import annotations

from rearch.host.sources.git_refs import Found, choose, nearest, parse_listing

A, B, C = "a" * 40, "b" * 40, "c" * 40

LISTING = parse_listing(
    f"{A}\tHEAD\n{A}\trefs/heads/main\n{B}\trefs/heads/v1\n{C}\trefs/tags/v1\n{A}\trefs/tags/v1^{{}}\n"
    f"{B}\trefs/tags/v0.3.8\n{C}\trefs/pull/7/head\nwarning: something\nzz\trefs/tags/broken\n"
)


def test_a_listing_holds_only_what_is_a_ref() -> None:
    assert len(LISTING) == 7
    assert LISTING["refs/tags/v1^{}"] == A


def test_a_tag_wins_over_a_branch_and_is_peeled() -> None:
    assert choose("v1", LISTING) == Found(name="refs/tags/v1", commit=A, branch=B)


def test_a_branch_and_a_full_name() -> None:
    assert choose("main", LISTING) == Found(name="refs/heads/main", commit=A)
    assert choose("refs/pull/7/head", LISTING) == Found(name="refs/pull/7/head", commit=C)
    assert choose("refs/heads/v1", LISTING) == Found(name="refs/heads/v1", commit=B)


def test_what_is_not_there_is_not_guessed() -> None:
    assert choose("v0.3", LISTING) is None
    assert choose("HEAD", LISTING) is None


def test_the_nearest_names_come_first() -> None:
    assert nearest("0.3.8", LISTING)[0] == "v0.3.8"
    assert nearest("v0.3.9", LISTING)[0] == "v0.3.8"
    assert nearest("mian", LISTING) == ("main",)
    assert nearest("zzzzzz", LISTING) == ()
