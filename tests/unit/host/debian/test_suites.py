"""The host's archives with another release's name in place."""

from __future__ import annotations

import pytest

from rearch.host.debian.entries import ArchiveEntry, known_suites
from rearch.host.debian.suites import UnknownSuite, archive_entries, is_merged, suite_entries

KNOWN = known_suites("VERSION_CODENAME=bookworm\n", ["version,codename,series\n13,Trixie,trixie\n10,Buster,buster\n"])


def entry(*suites: str, uri: str = "http://example.org/debian") -> ArchiveEntry:
    return ArchiveEntry(
        uris=(uri,), suites=suites, components=("main",), options=(("signed-by", "/k.gpg"),), place="x:1"
    )


HOST = (
    entry("bookworm", "bookworm-updates", "bookworm-backports"),
    entry("bookworm-security", uri="http://example.org/security"),
)


@pytest.mark.parametrize(
    ("suite", "wanted"),
    [
        ("trixie", [("trixie", "trixie-updates"), ("trixie-security",)]),
        ("bookworm", [("bookworm", "bookworm-updates"), ("bookworm-security",)]),
        ("buster", [("buster", "buster-updates"), ("buster/updates",)]),
        ("sid", [("sid",)]),
    ],
)
def test_another_release_has_its_own_updates_and_security(suite: str, wanted: list[tuple[str, ...]]) -> None:
    assert [found.suites for found in suite_entries(HOST, suite, KNOWN)] == wanted


def test_what_signs_the_archive_and_where_it_is_stays() -> None:
    main, security = suite_entries(HOST, "trixie", KNOWN)
    assert (main.uris, security.uris) == (HOST[0].uris, HOST[1].uris)
    assert main.options == HOST[0].options


def test_the_hosts_own_name_of_a_release_does_not_matter() -> None:
    found = suite_entries((entry("stable", "stable-updates"), entry("buster/updates")), "trixie", KNOWN)
    assert [each.suites for each in found] == [("trixie", "trixie-updates"), ("trixie-security",)]


def test_an_archive_with_backports_alone_is_left_out() -> None:
    assert suite_entries((entry("bookworm-backports"),), "trixie", KNOWN) == ()


def test_where_no_release_is_known_the_hosts_words_are_taken_for_releases() -> None:
    found = suite_entries((entry("crimson", "crimson-security"),), "byzantium", frozenset())
    assert [each.suites for each in found] == [("byzantium", "byzantium-security")]


def test_further_archives_are_signed_as_the_hosts_own() -> None:
    (found,) = archive_entries(["http://example.org/old"], HOST, "buster")
    assert (found.uris, found.suites, found.components) == (("http://example.org/old",), ("buster",), ("main",))
    assert found.options == (("signed-by", "/k.gpg"),)
    (alone,) = archive_entries(["http://example.org/old"], (), "buster")
    assert (alone.components, alone.options) == (("main",), ())


def test_which_releases_are_merged() -> None:
    assert [is_merged(suite) for suite in ("buster", "bullseye", "bookworm", "trixie", "noble", "")] == [
        False,
        True,
        True,
        True,
        True,
        True,
    ]


def test_a_suite_that_is_nowhere_is_named_with_its_neighbours() -> None:
    error = UnknownSuite("bokworm", ["http://example.org bokworm"], KNOWN)
    assert error.near[0] == "bookworm"
    assert error.render() == (
        "error: no archive has a suite 'bokworm'\n"
        "  looked in http://example.org bokworm\n"
        "hint: write bookworm; or name an archive that has it under `debian_archives:` in rearch.yaml "
        "(old releases move to the distribution's archive of old releases)"
    )
    assert "hint: name an archive" in UnknownSuite("buster", [], KNOWN).render()
