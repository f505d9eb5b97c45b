"""Downloads from a real server on this machine, with the manners that servers have."""

from __future__ import annotations

import contextlib
import email.utils
import hashlib
import random
import re
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from rearch.errors import ExitCode, RearchError
from rearch.formats.urls import OfflineError
from rearch.host import http_errors as errors
from rearch.host.http import download
from tests.support.web import QuietHandler, serve

DATA = random.Random(1).randbytes(300_000)
SHA256 = hashlib.sha256(DATA).hexdigest()
LIMIT = 1 << 20


@dataclass
class Manners:
    """How the server behaves. `statuses`: answered one after the other before anything else; `drops`: after how many
    bytes of the body the connection ends, one for each answer."""

    data: bytes = DATA
    etag: str | None = '"v1"'
    modified: str | None = None
    ranges: bool = True
    wrong_range: bool = False
    length: bool = True
    statuses: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    drops: list[int] = field(default_factory=list)
    stall: float = 0.0
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    redirects: dict[str, str] = field(default_factory=dict)

    @property
    def ranges_asked(self) -> list[str | None]:
        return [headers.get("range") for _, headers in self.requests]


class Handler(QuietHandler):
    """Serves `manners.data` at every path."""

    manners: Manners

    def do_GET(self) -> None:  # noqa: N802 - http.server's name
        manners = self.manners
        manners.requests.append((self.path, {key.lower(): value for key, value in self.headers.items()}))
        if manners.statuses:
            status, headers = manners.statuses.pop(0)
            return self._answer(status, b"<html>an error</html>", headers)
        if self.path in manners.redirects:
            return self._answer(302, b"", {"Location": manners.redirects[self.path]})
        time.sleep(manners.stall)
        return self._content(manners)

    def _content(self, manners: Manners) -> None:
        start = self._start(manners)
        total = len(manners.data)
        headers = {}
        if manners.etag:
            headers["ETag"] = manners.etag
        if manners.modified:
            headers["Last-Modified"] = manners.modified
        if start is None:
            return self._answer(200, manners.data, headers)
        if start >= total:
            return self._answer(416, b"", {"Content-Range": f"bytes */{total}"})
        stated = start + 5 if manners.wrong_range else start
        return self._answer(
            206, manners.data[start:], {**headers, "Content-Range": f"bytes {stated}-{total - 1}/{total}"}
        )

    def _start(self, manners: Manners) -> int | None:
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if asked is None or not manners.ranges:
            return None
        condition = self.headers.get("If-Range")
        return int(asked[1]) if condition in (None, manners.etag, manners.modified) else None

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        if self.manners.length:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.manners.drops and status in (200, 206):
            body = body[: self.manners.drops.pop(0)]
            self.close_connection = True
        with contextlib.suppress(ConnectionError):  # who has seen enough hangs up
            self.wfile.write(body)


@pytest.fixture
def manners(monkeypatch: pytest.MonkeyPatch) -> Manners:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    found = Manners()
    monkeypatch.setattr(Handler, "manners", found, raising=False)
    return found


@pytest.fixture
def address(manners: Manners, tmp_path: Path) -> Iterator[str]:
    with serve(tmp_path, handler=Handler) as found:
        yield found


class Pauses:
    """Instead of waiting."""

    def __init__(self) -> None:
        self.asked: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.asked.append(seconds)


def get(url: str, into: Path, *, sha256: str | None = SHA256, pause: Pauses | None = None, **more: object) -> str:
    settings: dict[str, object] = {"limit": LIMIT, "timeout": 5.0, **more}
    return download(url, into, sha256=sha256, pause=pause or Pauses(), **settings)  # type: ignore[arg-type]


def failure(url: str, into: Path, **more: object) -> RearchError:
    """The error of a download that must not leave a file with the final name."""
    with pytest.raises(RearchError) as caught:
        get(url, into, **more)  # type: ignore[arg-type]
    assert not into.exists()
    assert caught.value.hint
    return caught.value


@pytest.fixture
def into(tmp_path: Path) -> Path:
    return tmp_path / "cache/file"


def left(into: Path) -> set[str]:
    return {path.name for path in into.parent.glob("*")}


def test_one_request_and_nothing_but_the_file_is_left(address: str, manners: Manners, into: Path) -> None:
    seen: list[tuple[int, int]] = []
    assert get(f"{address}/x", into, progress=lambda *step: seen.append(step)) == SHA256
    assert into.read_bytes() == DATA
    assert left(into) == {"file"}
    assert len(manners.requests) == 1
    assert manners.requests[0][1]["accept-encoding"] == "identity"
    assert seen[-1] == (len(DATA), len(DATA))


def test_without_a_hash_or_a_length(address: str, manners: Manners, into: Path) -> None:
    manners.length = False
    assert get(f"{address}/x", into, sha256=None) == SHA256


@pytest.mark.parametrize("validator", ["etag", "date", "none"])
def test_a_dropped_connection_is_resumed(address: str, manners: Manners, into: Path, validator: str) -> None:
    date = email.utils.formatdate(1_500_000_000, usegmt=True)
    manners.etag = '"v1"' if validator == "etag" else None
    manners.modified = date if validator == "date" else None
    manners.drops = [100_000, 50_000]
    pause = Pauses()
    assert get(f"{address}/x", into, pause=pause) == SHA256
    assert manners.ranges_asked == [None, "bytes=100000-", "bytes=150000-"]
    wanted = {"etag": '"v1"', "date": date, "none": None}[validator]
    assert manners.requests[1][1].get("if-range") == wanted
    assert len(pause.asked) == 2


def test_a_later_run_goes_on_where_the_first_was_stopped(address: str, manners: Manners, into: Path) -> None:
    manners.drops = [100_000]
    error = failure(f"{address}/x", into, attempts=1)
    assert isinstance(error, errors.Unreachable)
    assert error.kept == 100_000
    assert get(f"{address}/x", into) == SHA256
    assert manners.ranges_asked == [None, "bytes=100000-"]
    assert left(into) == {"file"}


def test_another_url_does_not_go_on_with_these_bytes(address: str, manners: Manners, into: Path) -> None:
    manners.drops = [100_000]
    failure(f"{address}/x", into, attempts=1)
    get(f"{address}/y", into)
    assert manners.ranges_asked == [None, None]


def test_no_hash_and_no_validator_begins_anew(address: str, manners: Manners, into: Path) -> None:
    manners.etag = None
    manners.drops = [100_000]
    assert get(f"{address}/x", into, sha256=None) == SHA256
    assert manners.ranges_asked == [None, None]


def test_a_file_that_changed_is_fetched_whole(address: str, manners: Manners, into: Path) -> None:
    manners.drops = [100_000]
    failure(f"{address}/x", into, attempts=1)
    manners.data, manners.etag = DATA[::-1], '"v2"'
    wanted = hashlib.sha256(manners.data).hexdigest()
    assert get(f"{address}/x", into, sha256=wanted) == wanted


def test_a_server_without_ranges(address: str, manners: Manners, into: Path) -> None:
    manners.ranges = False
    manners.drops = [100_000]
    assert get(f"{address}/x", into) == SHA256


def test_a_server_that_sends_another_range(address: str, manners: Manners, into: Path) -> None:
    manners.wrong_range = True
    manners.drops = [100_000]
    assert get(f"{address}/x", into) == SHA256
    assert manners.ranges_asked == [None, "bytes=100000-", None]


def test_a_resumption_that_gives_a_wrong_hash_is_fetched_once_whole(address: str, manners: Manners, into: Path) -> None:
    manners.drops = [100_000]
    failure(f"{address}/x", into, attempts=1)
    part = into.with_name("file.part")
    part.write_bytes(b"rotten" + part.read_bytes()[6:])
    assert get(f"{address}/x", into) == SHA256
    assert manners.ranges_asked == [None, "bytes=100000-", None]


def test_all_bytes_were_there_already(address: str, manners: Manners, into: Path) -> None:
    manners.drops = [100_000]
    failure(f"{address}/x", into, attempts=1)
    into.with_name("file.part").write_bytes(DATA)
    assert get(f"{address}/x", into) == SHA256
    assert manners.ranges_asked == [None, f"bytes={len(DATA)}-"]


def test_more_bytes_than_there_are(address: str, manners: Manners, into: Path) -> None:
    manners.drops = [100_000]
    failure(f"{address}/x", into, attempts=1)
    into.with_name("file.part").write_bytes(DATA + b"more")
    assert get(f"{address}/x", into) == SHA256


def test_a_note_that_cannot_be_read_begins_anew(address: str, manners: Manners, into: Path) -> None:
    manners.drops = [100_000]
    failure(f"{address}/x", into, attempts=1)
    into.with_name("file.part.json").write_text("{torn")
    assert get(f"{address}/x", into) == SHA256
    assert manners.ranges_asked == [None, None]


# --- hashes


def test_a_wrong_hash_shows_both_and_leaves_nothing(address: str, into: Path) -> None:
    error = failure(f"{address}/x", into, sha256="0" * 64)
    assert isinstance(error, errors.WrongHash)
    assert error.exit_code is ExitCode.VERIFICATION
    assert "0" * 64 in error.render()
    assert SHA256 in error.render()
    assert left(into) == set()


def test_a_web_page_instead_of_an_archive(address: str, manners: Manners, into: Path) -> None:
    manners.data = b"\n<!DOCTYPE html><title>Sign in</title>"
    error = failure(f"{address}/x", into)
    assert isinstance(error, errors.WrongHash)
    assert "web page" in str(error.hint)


# --- answers


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504, 408])
def test_what_may_pass_is_tried_again(address: str, manners: Manners, into: Path, status: int) -> None:
    manners.statuses = [(status, {}), (status, {})]
    pause = Pauses()
    assert get(f"{address}/x", into, pause=pause) == SHA256
    assert len(pause.asked) == 2
    assert 0.5 <= pause.asked[0] <= 1.5
    assert 1.0 <= pause.asked[1] <= 3.0


def test_retry_after_is_obeyed(address: str, manners: Manners, into: Path) -> None:
    date = email.utils.formatdate(time.time() + 20, usegmt=True)
    manners.statuses = [(503, {"Retry-After": "7"}), (429, {"Retry-After": date}), (429, {"Retry-After": "soon"})]
    pause = Pauses()
    get(f"{address}/x", into, pause=pause)
    assert pause.asked[0] == 7
    assert 10 < pause.asked[1] <= 20
    assert pause.asked[2] < 10


def test_a_long_wait_is_left_to_the_user(address: str, manners: Manners, into: Path) -> None:
    manners.statuses = [(503, {"Retry-After": "3600"})]
    error = failure(f"{address}/x", into)
    assert isinstance(error, errors.Unreachable)
    assert "503" in error.why


def test_attempts_have_an_end(address: str, manners: Manners, into: Path) -> None:
    manners.statuses = [(503, {})] * 9
    error = failure(f"{address}/x?token=hunter2", into)
    assert error.exit_code is ExitCode.TEMPORARY
    assert error.retryable
    assert "5 times" in error.render()
    assert "mirrors" in str(error.hint)
    assert f"{address}/x" in error.summary
    assert "hunter2" not in error.render()
    assert len(manners.requests) == 5


def test_a_server_that_ignores_ranges_and_always_drops(address: str, manners: Manners, into: Path) -> None:
    manners.ranges = False
    manners.drops = [200_000] * 99
    assert isinstance(failure(f"{address}/x", into), errors.Unreachable)
    assert len(manners.requests) == 5


WILL_NOT_PASS: dict[int, tuple[type[RearchError], str]] = {
    404: (errors.NotFound, "URL"),
    410: (errors.NotFound, "URL"),
    401: (errors.Refused, "netrc"),
    403: (errors.Refused, "netrc"),
    451: (errors.Refused, "URL"),
    204: (errors.Refused, "URL"),
}


@pytest.mark.parametrize("status", WILL_NOT_PASS)
def test_what_will_not_pass_is_not_tried_again(address: str, manners: Manners, into: Path, status: int) -> None:
    manners.statuses = [(status, {})]
    kind, hint = WILL_NOT_PASS[status]
    error = failure(f"{address}/x", into)
    assert type(error) is kind
    assert error.exit_code is ExitCode.FAILED
    assert str(status) in error.summary
    assert hint in str(error.hint)
    assert len(manners.requests) == 1


@pytest.mark.parametrize("length", [True, False])
def test_too_large(address: str, manners: Manners, into: Path, length: bool) -> None:
    manners.length = length
    error = failure(f"{address}/x", into, limit=100_000)
    assert isinstance(error, errors.TooLarge)
    assert "download_bytes" in str(error.hint)
    assert left(into) <= {"file.part"}
    assert sum(path.stat().st_size for path in into.parent.glob("*")) <= 100_000


def test_a_server_that_says_nothing(address: str, manners: Manners, into: Path) -> None:
    manners.stall = 1.0
    error = failure(f"{address}/x", into, timeout=0.1, attempts=2)
    assert isinstance(error, errors.Unreachable)
    assert "no answer within 0.1 s" in error.why


def test_nobody_listens(into: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        error = failure(f"http://user:hunter2@127.0.0.1:{taken.getsockname()[1]}/x", into, attempts=1)
    assert isinstance(error, errors.Unreachable)
    assert "refused" in error.why.lower()
    assert "hunter2" not in error.render()


def test_a_host_that_does_not_exist(into: Path) -> None:
    error = failure("http://nowhere.invalid/x?token=hunter2", into, attempts=1)
    assert isinstance(error, errors.Unreachable)
    assert "name" in error.why
    assert "hunter2" not in error.render()


# --- redirections


def test_redirections_are_followed(address: str, manners: Manners, into: Path) -> None:
    manners.redirects = {"/a": "/b", "/b": f"{address}/c"}
    assert get(f"{address}/a", into) == SHA256
    assert [path for path, _ in manners.requests] == ["/a", "/b", "/c"]


def test_a_login_is_not_carried_to_another_host(address: str, manners: Manners, into: Path) -> None:
    other = address.replace("127.0.0.1", "localhost")
    manners.redirects = {"/a": f"{other}/b"}
    get(address.replace("//", "//user:pass@") + "/a", into)
    assert ["authorization" in headers for _, headers in manners.requests] == [True, False]


def test_redirections_have_an_end(address: str, manners: Manners, into: Path) -> None:
    manners.redirects = {"/a": "/a"}
    assert isinstance(failure(f"{address}/a", into), errors.Refused)
    assert len(manners.requests) == 11


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://example.org/x", ""])
def test_redirections_stay_with_http(address: str, manners: Manners, into: Path, target: str) -> None:
    manners.redirects = {"/a": target}
    assert isinstance(failure(f"{address}/a", into), errors.Refused)


# --- other URLs


def test_a_file(tmp_path: Path, into: Path) -> None:
    (tmp_path / "a b%").write_bytes(DATA)
    assert get(f"file://{tmp_path}/a%20b%25", into) == SHA256
    assert into.read_bytes() == DATA
    assert left(into) == {"file"}


def test_a_file_that_is_not_there_or_not_right(tmp_path: Path, into: Path) -> None:
    (tmp_path / "x").write_bytes(DATA)
    assert isinstance(failure(f"file://{tmp_path}/y", into), errors.NotFound)
    assert isinstance(failure(f"file://{tmp_path}", into), errors.NotFound)
    assert isinstance(failure(f"file://{tmp_path}/x", into, limit=5), errors.TooLarge)
    assert isinstance(failure(f"file://{tmp_path}/x", into, sha256="0" * 64), errors.WrongHash)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.org/x",
        "x.tar.gz",
        "http://",
        "https://exa mple/x",
        "http://[::1/x",
        "file://host/x",
        "http://a\n/",
    ],
)
def test_urls_that_are_none(url: str, into: Path) -> None:
    error = failure(url, into)
    assert isinstance(error, errors.BadUrl)
    assert error.exit_code is ExitCode.USAGE


def test_offline(address: str, manners: Manners, into: Path) -> None:
    error = failure(f"{address}/x", into, offline=True)
    assert isinstance(error, OfflineError)
    assert manners.requests == []


def test_a_proxy_of_the_environment(
    address: str, manners: Manners, into: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", address)
    assert get("http://upstream.invalid/x.tar.gz", into) == SHA256
    assert manners.requests[0][0] == "http://upstream.invalid/x.tar.gz"


def test_a_disk_that_refuses(address: str, manners: Manners, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("no folder")
    with pytest.raises(RearchError, match="cannot be written") as caught:
        get(f"{address}/x", tmp_path / "cache/file")
    assert caught.value.exit_code is ExitCode.FAILED
    assert len(manners.requests) == 1
