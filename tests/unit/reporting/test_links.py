"""Links to upstream: only what is a web address, never a login."""

from __future__ import annotations

import pytest

from rearch.reporting.links import upstream, web_address
from tests.support.runs import COMMIT


@pytest.mark.parametrize(
    ("kind", "url", "identity", "expected"),
    [
        (
            "git",
            "https://github.com/rancher/healthcheck",
            COMMIT,
            f"https://github.com/rancher/healthcheck/commit/{COMMIT}",
        ),
        ("git", "https://github.com/a/b.git", COMMIT, f"https://github.com/a/b/commit/{COMMIT}"),
        ("git", "https://gitlab.example.org/a/b.git", COMMIT, f"https://gitlab.example.org/a/b/-/commit/{COMMIT}"),
        ("git", "git@github.com:a/b.git", COMMIT, f"https://github.com/a/b/commit/{COMMIT}"),
        ("git", "https://me:secret@example.org/a", COMMIT, f"https://example.org/a/commit/{COMMIT}"),
        ("git", "https://example.org/a", "not-a-commit", "https://example.org/a"),
        ("git", "ssh://git@example.org/a", COMMIT, None),
        ("git", "file:///srv/git/a", COMMIT, None),
        ("git", "/srv/git/a", COMMIT, None),
        ("git", "javascript:alert(1)", COMMIT, "https://javascript/alert(1)/commit/" + COMMIT),
        ("archive", "javascript:alert(1)", "", None),
        ("archive", 'https://example.org/a b.tar.gz?x="y', "", "https://example.org/a%20b.tar.gz?x=%22y"),
        ("debian", "golang-1.19", "1.19.8-2", "https://tracker.debian.org/pkg/golang-1.19"),
        ("local", "src/tool", "ab", None),
        ("toolchain", "", "ab", None),
    ],
)
def test_upstream(kind: str, url: str, identity: str, expected: str | None) -> None:
    assert upstream(kind, url, identity) == expected


@pytest.mark.parametrize("url", ["https://[::1", "https://example.org:port/", "https:///x", "data:text/html,x", ""])
def test_what_is_no_web_address_is_no_link(url: str) -> None:
    assert web_address(url) is None


def test_ports_and_ipv6_stay() -> None:
    assert web_address("http://[::1]:8080/x") == "http://[::1]:8080/x"
