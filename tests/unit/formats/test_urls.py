from __future__ import annotations

import pytest

from rearch.errors import ExitCode
from rearch.formats.urls import OfflineError, masked, masked_in, rewrite

MIRRORS = {
    "https://github.com/": "https://mirror.example.org/github",
    "https://github.com/rancher": "file:///srv/rancher/",
    "git@github.com:": "https://github.com/",
    "https://dl.example.org/x.tar.gz": "file:///srv/x.tar.gz",
}


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("https://github.com/a/b", "https://mirror.example.org/github/a/b"),
        ("https://github.com/rancher/agent.git", "file:///srv/rancher/agent.git"),
        ("https://github.com/rancher", "file:///srv/rancher/"),
        ("https://github.com/rancher.git", "file:///srv/rancher.git"),
        ("https://github.com/rancher-sandbox/x", "https://mirror.example.org/github/rancher-sandbox/x"),
        ("https://github.com.example.net/x", "https://github.com.example.net/x"),
        ("git@github.com:a/b.git", "https://github.com/a/b.git"),
        ("https://dl.example.org/x.tar.gz", "file:///srv/x.tar.gz"),
        ("https://dl.example.org/x.tar.gz.asc", "https://dl.example.org/x.tar.gz.asc"),
        ("http://github.com/a/b", "http://github.com/a/b"),
    ],
)
def test_the_longest_prefix_wins(url: str, wanted: str) -> None:
    assert rewrite(url, MIRRORS) == wanted
    assert rewrite(url, dict(reversed(MIRRORS.items()))) == wanted


def test_an_empty_prefix_is_none() -> None:
    assert rewrite("https://x/", {"": "file:///"}) == "https://x/"


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("https://user:pass@example.org/x?token=abc&y=2#z", "https://***@example.org/x?token=***&y=***"),
        ("https://ghp_token@example.org/x", "https://***@example.org/x"),
        ("https://example.org/a@b:c/d", "https://example.org/a@b:c/d"),
        ("https://user:p@ss@example.org?sig=abc", "https://***@example.org?sig=***"),
        ("ssh://git@example.org/x", "ssh://git@example.org/x"),
        ("ssh://git:secret@example.org/x", "ssh://***@example.org/x"),
        ("git@example.org:x.git", "git@example.org:x.git"),
        ("file:///srv/x", "file:///srv/x"),
    ],
)
def test_urls_are_shown_without_secrets(url: str, wanted: str) -> None:
    assert masked(url) == wanted


def test_offline_names_what_is_missing_and_where_it_is() -> None:
    error = OfflineError("x-1.0.tar.gz", "https://user:secret@example.org/x-1.0.tar.gz")
    assert error.exit_code is ExitCode.TEMPORARY
    text = error.render()
    assert "x-1.0.tar.gz" in text
    assert "--offline" in text
    assert "secret" not in text


def test_urls_in_a_text_of_somebody_else() -> None:
    text = "cannot get 'https://u:p@example.org/x?t=s' nor <http://a/>, sorry"
    assert masked_in(text) == "cannot get 'https://***@example.org/x?t=***' nor <http://a/>, sorry"
