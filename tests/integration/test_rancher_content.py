"""Content items fetched from the stand-in server: what is asked, what is kept, and what every bad answer becomes."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from rearch.app.rancher_source import fetch_item
from rearch.errors import ExitCode, RearchError
from rearch.formats.urls import OfflineError
from rearch.host.http_errors import TooLarge
from rearch.host.rancher.archive import read_content
from rearch.host.rancher.content import ContentClient
from rearch.host.rancher.errors import BadSums, KeysRefused, NoAnswer, NoItem, NotContent
from rearch.model.limits import Limits
from rearch.rehearsal.faults import Fault, FaultKind
from rearch.rehearsal.server import StandIn
from tests.support.needs import need_program
from tests.support.rancher_server import go_agent

ACCESS, SECRET = "agent-access", "agent-secret"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[StandIn]:
    archive = go_agent(tmp_path / "go-agent.tar.gz", extra=200_000)
    with StandIn(tmp_path / "served", archives={"pyagent": archive}, versions={"pyagent": "42"}) as server:
        yield server


def _client(
    server: StandIn, cache: Path | None, *, secret: str = SECRET, limits: Limits | None = None
) -> ContentClient:
    return ContentClient(
        server.api,
        access_key=ACCESS,
        secret_key=secret,
        cache=cache,
        limits=limits or Limits(),
        timeout=5.0,
        pause=lambda _seconds: None,
    )


def test_it_is_asked_for_as_the_agent_asks(server: StandIn, tmp_path: Path) -> None:
    found = fetch_item(server.api + "/", "pyagent", tmp_path / "in", access_key=ACCESS, secret_key=SECRET)
    assert found == tmp_path / "in" / "pyagent.tar.gz"
    assert read_content(found, "pyagent", Limits()).version == "42"
    (seen,) = server.requests
    assert (seen.method, seen.path, seen.query, seen.access) == (
        *("GET", "/v1//configcontent//pyagent", "current="),
        ACCESS,
    )


def test_what_has_not_changed_is_not_sent_again(server: StandIn, tmp_path: Path) -> None:
    client = _client(server, tmp_path / "cache")
    first = client.fetch("pyagent", tmp_path / "one").read_bytes()
    assert client.fetch("pyagent", tmp_path / "two").read_bytes() == first
    assert [seen.status for seen in server.requests] == [200, 304]
    server.offer("pyagent", go_agent(tmp_path / "newer.tar.gz", "newer"), "43")
    assert client.fetch("pyagent", tmp_path / "two").read_bytes() != first
    assert [seen.status for seen in server.requests] == [200, 304, 200]


def test_a_cache_that_somebody_has_changed_is_not_believed(server: StandIn, tmp_path: Path) -> None:
    client = _client(server, tmp_path / "cache")
    first = client.fetch("pyagent", tmp_path / "one").read_bytes()
    (kept,) = (tmp_path / "cache").rglob("archive")
    kept.write_bytes(kept.read_bytes()[:-1])
    assert client.fetch("pyagent", tmp_path / "two").read_bytes() == first
    assert [seen.status for seen in server.requests] == [200, 200]


def test_other_keys_have_another_entry(server: StandIn, tmp_path: Path) -> None:
    """Else a key that the server refuses would still be served from what another has fetched."""
    _client(server, tmp_path / "cache").fetch("pyagent", tmp_path / "one")
    with pytest.raises(KeysRefused):
        _client(server, tmp_path / "cache", secret="wrong").fetch("pyagent", tmp_path / "two")
    assert not (tmp_path / "two").exists()


def test_a_transfer_that_was_cut_off_goes_on(server: StandIn, tmp_path: Path) -> None:
    server.plant("pyagent", Fault(kind=FaultKind.CUT), Fault(kind=FaultKind.BUSY))
    found = _client(server, None).fetch("pyagent", tmp_path / "in")
    read_content(found, "pyagent", Limits())
    assert [seen.status for seen in server.requests] == [200, 503, 206]
    assert server.requests[-1].headers["If-Range"].startswith('"')


def test_a_later_run_goes_on_where_this_one_gave_up(server: StandIn, tmp_path: Path) -> None:
    client = _client(server, tmp_path / "cache")
    server.plant("pyagent", Fault(kind=FaultKind.CUT), *[Fault(kind=FaultKind.SILENT)] * 4)
    with pytest.raises(NoAnswer):
        client.fetch("pyagent", tmp_path / "in")
    client.fetch("pyagent", tmp_path / "in")
    assert server.requests[-1].status == 206


# (what goes wrong, how often), (its error, its exit code)
BAD: dict[str, tuple[tuple[FaultKind, int], tuple[type[RearchError], ExitCode]]] = {
    "401": ((FaultKind.UNAUTHORIZED, 1), (KeysRefused, ExitCode.FAILED)),
    "404": ((FaultKind.MISSING, 1), (NoItem, ExitCode.FAILED)),
    "html": ((FaultKind.HTML, 1), (NotContent, ExitCode.VERIFICATION)),
    "empty": ((FaultKind.EMPTY, 1), (NotContent, ExitCode.VERIFICATION)),
    "garbage": ((FaultKind.GARBAGE, 1), (NotContent, ExitCode.VERIFICATION)),
    "busy": ((FaultKind.BUSY, 5), (NoAnswer, ExitCode.TEMPORARY)),
    "silent": ((FaultKind.SILENT, 5), (NoAnswer, ExitCode.TEMPORARY)),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_answers(server: StandIn, tmp_path: Path, case: str) -> None:
    (fault, times), (kind, code) = BAD[case]
    client = _client(server, tmp_path / "cache")
    client.fetch("pyagent", tmp_path / "in")
    server.offer("pyagent", go_agent(tmp_path / "newer.tar.gz", "newer"), "43")
    server.plant("pyagent", *[Fault(kind=fault)] * times)
    before = (tmp_path / "in/pyagent.tar.gz").read_bytes()
    with pytest.raises(kind) as error:
        client.fetch("pyagent", tmp_path / "in")
    assert error.value.exit_code == code
    assert error.value.hint
    assert SECRET not in error.value.render()
    assert (tmp_path / "in/pyagent.tar.gz").read_bytes() == before, "what was there stays"
    client.fetch("pyagent", tmp_path / "in")
    assert (tmp_path / "in/pyagent.tar.gz").read_bytes() != before, "and the next run gets the new one"


def test_an_archive_that_the_agent_would_refuse(server: StandIn, tmp_path: Path) -> None:
    whole = go_agent(tmp_path / "whole.tar.gz")
    folder = tmp_path / "unpacked"
    folder.mkdir()
    subprocess.run(["tar", "-xzf", whole, "-C", folder], check=True)
    (folder / "0b5f-server/bin/agent").write_text("something else")
    subprocess.run(["tar", "-czf", whole, "-C", folder, "0b5f-server"], check=True)
    (path, _) = server.archive("pyagent") or (whole, "")
    whole.replace(path)  # behind the stand-in's back: it would not offer such a thing
    with pytest.raises(BadSums, match="an agent would refuse") as error:
        _client(server, tmp_path / "cache").fetch("pyagent", tmp_path / "in")
    assert error.value.problems[0].startswith("0b5f-server/bin/agent has sha1 ")
    assert not list((tmp_path / "cache").rglob("fresh*"))


def test_more_than_the_limit(server: StandIn, tmp_path: Path) -> None:
    with pytest.raises(TooLarge):
        _client(server, None, limits=Limits(download_bytes=100_000)).fetch("pyagent", tmp_path / "in")


def test_offline(server: StandIn, tmp_path: Path) -> None:
    with pytest.raises(OfflineError):
        fetch_item(server.api, "pyagent", tmp_path, access_key=ACCESS, secret_key=SECRET, offline=True)
    assert not server.requests


def test_another_host_does_not_learn_the_keys(server: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does requests put in what ~/.netrc has for that host."""
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    seen: list[tuple[str, str | None]] = []

    class Redirecting(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append((self.path, self.headers.get("Authorization")))
            self.send_response(302)
            self.send_header("Location", f"{server.api}/configcontent/pyagent")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Not on the terminal."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Redirecting) as front:
        Thread(target=front.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{front.server_port}/v1"
        with pytest.raises(KeysRefused):
            fetch_item(url, "pyagent", tmp_path / "in", access_key=ACCESS, secret_key=SECRET)
        front.shutdown()
    assert seen[0][1] is not None
    assert seen[0][1].startswith("Basic ")
    assert server.requests[-1].access == ""


def test_the_real_tools_agree_with_what_is_handed_out(server: StandIn, tmp_path: Path) -> None:
    """sha1sum -c on both, from the folder it was unpacked into, as config.sh does."""
    need_program("sha1sum", "coreutils")
    found = _client(server, None).fetch("pyagent", tmp_path)
    subprocess.run(["tar", "-xzf", found, "-C", tmp_path], check=True)
    for sums, lines in (("SHA1SUMSSUM", 1), ("SHA1SUMS", 4)):
        done = subprocess.run(
            ["sha1sum", "--strict", "-c", f"0b5f-server/{sums}"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        )
        assert len(done.stdout.splitlines()) == lines
