"""What needs no server: where a redirection may lead, and how errors of TLS are read."""

from __future__ import annotations

from pathlib import Path

import pytest
import requests

from rearch.errors import ExitCode, RearchError
from rearch.host.http import download
from rearch.host.http_errors import Refused, Unreachable


def answer(status: int, location: str) -> requests.Response:
    response = requests.Response()
    response.status_code = status
    response.headers["Location"] = location
    response.raw = None
    return response


def failure(monkeypatch: pytest.MonkeyPatch, into: Path, reply: requests.Response | Exception) -> RearchError:
    """The error of an https download whose every request has this answer."""

    def get(*_args: object, **_more: object) -> requests.Response:
        if isinstance(reply, Exception):
            raise reply
        return reply

    monkeypatch.setattr(requests.Session, "get", get)
    monkeypatch.setattr(requests.Response, "close", lambda _self: None)
    with pytest.raises(RearchError) as caught:
        download("https://example.org/x?key=hunter2", into, sha256=None, limit=1, attempts=2, pause=lambda _: None)
    assert "hunter2" not in caught.value.render()
    return caught.value


def test_no_way_leads_from_https_to_http(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    error = failure(monkeypatch, tmp_path / "x", answer(302, "http://example.org/x?key=hunter2"))
    assert isinstance(error, Refused)
    assert "from https to http://example.org/x?key=***" in error.summary


def test_a_certificate_that_is_not_trusted_is_no_matter_of_time(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    error = failure(monkeypatch, tmp_path / "x", requests.exceptions.SSLError("[SSL: CERTIFICATE_VERIFY_FAILED] self"))
    assert isinstance(error, Refused)
    assert "REQUESTS_CA_BUNDLE" in str(error.hint)


def test_another_failure_of_tls_may_pass(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    error = failure(monkeypatch, tmp_path / "x", requests.exceptions.SSLError("UNEXPECTED_EOF /x?key=hunter2"))
    assert isinstance(error, Unreachable)
    assert error.exit_code is ExitCode.TEMPORARY


def test_a_proxy_that_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    error = failure(monkeypatch, tmp_path / "x", requests.exceptions.ProxyError("https://u:hunter2@proxy"))
    assert isinstance(error, Unreachable)
