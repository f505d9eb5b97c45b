"""git's words become errors."""

from __future__ import annotations

from pathlib import Path

import pytest

from rearch.errors import ExitCode, RearchError
from rearch.host.sources.git_errors import GitFailed, GitHostile, GitRefused, GitUnreachable, GitUntrusted
from rearch.host.sources.git_run import GitRunner, GitSettings
from rearch.host.sources.git_streams import Ran
from rearch.host.sources.git_talk import Talker, refused_request
from rearch.host.sources.git_urls import remote

SECRET_URL = "https://me:hunter2@example.org/a"
TALKER = Talker(GitRunner(GitSettings(cache=Path("/nowhere"))), remote(SECRET_URL, {}))


def _failure(*said: str, late: bool = False) -> RearchError:
    return TALKER.failure(Ran(status=128, out=b"", said=said, late=late), "fetch", 60)


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("fatal: unable to access 'https://example.org/a/': Could not resolve host: example.org", GitUnreachable),
        (
            "fatal: unable to access 'x': Failed to connect to example.org port 443 after 3 ms: Couldn't connect",
            GitUnreachable,
        ),
        (
            "fatal: unable to access 'x': Operation too slow. Less than 1 bytes/sec transferred the last 30 s",
            GitUnreachable,
        ),
        ("fatal: unable to access 'x': Received HTTP code 403 from proxy after CONNECT tunnel failed", GitUnreachable),
        ("fatal: unable to access 'x': CONNECT tunnel failed, response 403", GitUnreachable),
        ("error: RPC failed; curl 56 GnuTLS recv error (-54)", GitUnreachable),
        ("fatal: unable to access 'x': The requested URL returned error: 503", GitUnreachable),
        ("ssh: connect to host example.org port 22: Connection timed out", GitUnreachable),
        ("ssh: Could not resolve hostname example.org: Name or service not known", GitUnreachable),
        ("fatal: could not read Username for 'https://github.com': terminal prompts disabled", GitRefused),
        ("remote: Repository not found.", GitRefused),
        ("fatal: repository 'https://example.org/a/' not found", GitRefused),
        ("fatal: Authentication failed for 'https://example.org/a/'", GitRefused),
        ("git@example.org: Permission denied (publickey).", GitRefused),
        ("fatal: '/srv/a' does not appear to be a git repository", GitRefused),
        ("fatal: unable to access 'x': The requested URL returned error: 403", GitRefused),
        (
            "fatal: unable to access 'x': server certificate verification failed. CAfile: none CRLfile: none",
            GitUntrusted,
        ),
        ("Host key verification failed.", GitUntrusted),
        ("error: object 1234abcd: hasDotgit: contains '.git'", GitHostile),
        ("fatal: fsck error in packed object", GitHostile),
        ("fatal: something that nobody has seen", GitFailed),
    ],
)
def test_words_of_git_libcurl_and_ssh(said: str, kind: type[RearchError]) -> None:
    assert type(_failure(said)) is kind


def test_a_time_limit_is_an_unreachable_server() -> None:
    error = _failure("remote: Enumerating objects: 5, done.", late=True)
    assert isinstance(error, GitUnreachable)
    assert "60 s" in error.details[0]


def test_an_unreachable_server_can_be_tried_later_and_has_a_way_round() -> None:
    error = _failure("fatal: unable to access 'x': Could not resolve host: example.org")
    assert error.exit_code is ExitCode.TEMPORARY
    assert error.retryable
    assert error.hint is not None
    assert "mirrors:" in error.hint


def test_no_secret_is_shown() -> None:
    for said in (
        f"fatal: unable to access '{SECRET_URL}/': Could not resolve host: example.org",
        f"fatal: Authentication failed for '{SECRET_URL}/'",
        f"fatal: nobody knows https://me:hunter2@other.example/?token=hunter2 of {SECRET_URL}",
    ):
        text = _failure(said).render()
        assert "hunter2" not in text
        assert "example.org" in text


@pytest.mark.parametrize(
    ("said", "refused"),
    [
        ("error: Server does not allow request for unadvertised object 1234", True),
        ("fatal: remote error: upload-pack: not our ref 1234", True),
        ("fatal: dumb http transport does not support shallow capabilities", True),
        ("fatal: couldn't find remote ref refs/tags/v1", True),
        ("fatal: early EOF", False),
    ],
)
def test_a_server_that_gives_less_is_asked_otherwise(said: str, refused: bool) -> None:
    assert refused_request(Ran(status=128, out=b"", said=(said,))) is refused
