"""Which URLs and refs reach git."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rearch.errors import ExitCode
from rearch.host.sources.git_errors import GitRefInvalid, GitUrlRefused
from rearch.host.sources.git_urls import Remote, check_ref, relative_url, remote

BOUNDED = settings(max_examples=200, deadline=None, derandomize=True)


@pytest.mark.parametrize(
    ("url", "protocol", "reach"),
    [
        ("https://github.com/rancher/healthcheck", "https", "https://github.com/rancher/healthcheck"),
        ("https://example.org:8443/a/b.git", "https", "https://example.org:8443/a/b.git"),
        ("https://me:secret@example.org/a", "https", "https://me:secret@example.org/a"),
        ("ssh://git@example.org:2222/a/b.git", "ssh", "ssh://git@example.org:2222/a/b.git"),
        ("ssh://git@[2001:db8::1]/a", "ssh", "ssh://git@[2001:db8::1]/a"),
        ("git@example.org:a/b.git", "ssh", "git@example.org:a/b.git"),
        ("example.org:a", "ssh", "example.org:a"),
        ("file:///srv/git/a.git", "file", "file:///srv/git/a.git"),
        ("/srv/git/a.git", "file", "file:///srv/git/a.git"),
    ],
)
def test_urls_that_are_taken(url: str, protocol: str, reach: str) -> None:
    assert remote(url, {}) == Remote(url=url, reach=reach, protocol=protocol)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "option"),
        ("--upload-pack=touch /tmp/x", "option"),
        ("-u", "option"),
        ("ext::sh -c touch% /tmp/x", "remote helpers"),
        ("ext::sh", "remote helpers"),
        ("fd::17", "remote helpers"),
        ("::https://example.org/a", "remote helpers"),
        ("http://example.org/a", "read and changed"),
        ("git://example.org/a", "'git' is not allowed"),
        ("ftp://example.org/a", "'ftp' is not allowed"),
        ("ssh://-oProxyCommand=id/a", "not the name of a host"),
        ("ssh://%2doProxyCommand=id/a", "not the name of a host"),
        ("ssh://-l@example.org/a", "not the name of a user"),
        ("ssh://git@example.org/-x", "option"),
        ("ssh://git@example.org", "empty"),
        ("-oProxyCommand=id:a", "option"),
        ("git@-oProxyCommand=id:a", "not the name of a host"),
        ("git@example.org:-x", "option"),
        ("https:///a", "not the name of a host"),
        ("https://exa$mple.org/a", "not the name of a host"),
        ("https://example.org:99999/a", "Port"),
        ("https://example.org/a b", "white space"),
        ("https://example.org/a\nb", "white space"),
        ("https://example.org/a%0ab", "white space"),
        ("https://example.org\\@other.example/a", "backslash"),
        ("file://host/srv/a", "file:///"),
        ("../sibling", "neither a URL"),
        ("sibling", "neither a URL"),
    ],
)
def test_urls_that_are_refused(url: str, reason: str) -> None:
    with pytest.raises(GitUrlRefused, match="git URL refused") as caught:
        remote(url, {})
    assert reason in caught.value.reason
    assert caught.value.exit_code is ExitCode.USAGE
    assert caught.value.hint


def test_what_a_mirror_names_is_chosen_by_the_user() -> None:
    mirrors = {"https://github.com/": "http://cache.example/github/", "http://lan.example/": "http://lan.example/"}
    assert remote("https://github.com/a/b", mirrors).protocol == "http"
    assert remote("http://lan.example/a", mirrors).reach == "http://lan.example/a"
    with pytest.raises(GitUrlRefused):
        remote("http://other.example/a", mirrors)


def test_a_mirror_may_be_a_folder() -> None:
    found = remote("https://github.com/a/b", {"https://github.com/": "/srv/git/"})
    assert (found.url, found.reach, found.protocol) == ("https://github.com/a/b", "file:///srv/git/a/b", "file")


def test_a_mirror_is_checked_like_any_url() -> None:
    with pytest.raises(GitUrlRefused):
        remote("https://github.com/a", {"https://github.com/": "ext::sh -c /"})


def test_a_repository_from_the_network_names_no_local_folder() -> None:
    far, near = remote("https://example.org/a", {}), remote("file:///srv/a", {})
    with pytest.raises(GitUrlRefused, match="git URL refused") as caught:
        remote("file:///root/secret.git", {}, parent=far)
    assert "local folder" in caught.value.reason
    assert remote("file:///srv/b", {}, parent=near).protocol == "file"
    assert remote("https://example.org/b", {"https://example.org/": "file:///srv/"}, parent=far).protocol == "file"


def test_the_folder_of_a_mirror_is_readable_and_holds_no_secret() -> None:
    plain = remote("https://example.org/group/Repo", {}).folder
    assert re.fullmatch(r"example\.org-group-Repo-[0-9a-f]{16}\.git", plain)
    assert remote("https://token@example.org/group/Repo", {}).folder == plain
    assert remote("https://example.org/group/Repo/", {}).folder == plain
    assert remote("https://example.org/group-Repo", {}).folder != plain


@pytest.mark.parametrize(
    ("base", "url", "found"),
    [
        ("https://example.org/a/b.git", "../c.git", "https://example.org/a/c.git"),
        ("https://example.org/a/b", "./c", "https://example.org/a/b/c"),
        ("https://example.org/a/b/", "../../c/d", "https://example.org/c/d"),
        ("https://example.org/a", "../../../x", None),
        ("git@example.org:a/b", "../c", "git@example.org:a/c"),
        ("git@example.org:b", "../c", "git@example.org:c"),
        ("git@example.org:b", "../../c", None),
        ("file:///srv/a", "../b", "file:///srv/b"),
        ("/srv/a", "../b", "/srv/b"),
        ("https://example.org/a", "https://other.example/b", "https://other.example/b"),
        ("https://example.org/a/b", "..", "https://example.org/a"),
    ],
)
def test_relative_urls(base: str, url: str, found: str | None) -> None:
    assert relative_url(base, url) == found


@pytest.mark.parametrize(
    "ref", ["v1.0", "main", "feature/x", "release-1.6", "refs/tags/v1", "20170101", "a@b", "ünïcode"]
)
def test_refs_that_are_taken(ref: str) -> None:
    assert check_ref(ref) == ref


@pytest.mark.parametrize(
    "ref",
    ["", "@", "-x", "--upload-pack=x", "a b", "a\nb", "a..b", "a~1", "a^{}", "a:b", "*", "a?", "[a", "a\\b", "a@{1}"],
)
def test_refs_that_git_forbids(ref: str) -> None:
    with pytest.raises(GitRefInvalid) as caught:
        check_ref(ref)
    assert caught.value.ref == ref


@pytest.mark.parametrize(
    "ref",
    ["/a", "a/", "a//b", "a.", ".a", "a/.b", "a.lock", "a.lock/b", "\x7f"],
)
def test_refs_of_wrong_parts(ref: str) -> None:
    with pytest.raises(GitRefInvalid) as caught:
        check_ref(ref)
    assert caught.value.ref == ref


@BOUNDED
@given(st.text(max_size=60), st.sampled_from(["", "https://", "ssh://", "file://", "git@", "ext::", "-"]))
def test_whatever_is_taken_cannot_be_an_option_or_a_helper(text: str, start: str) -> None:
    try:
        found = remote(start + text, {})
    except GitUrlRefused:
        return
    assert not found.reach.startswith("-")
    assert not re.match(r"[A-Za-z0-9+.-]*::", found.reach)
    assert not re.search(r"[\x00-\x20\x7f]", found.reach)
    assert re.fullmatch(r"[A-Za-z0-9.-]+\.git", found.folder)
    assert not found.folder.startswith((".", "-"))
