"""The overlay as a process, before the stand-in server, asked with curl's manners and with bad ones."""

from __future__ import annotations

import base64
import gzip
import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from msgspec import Struct

from rearch.host.rancher.archive import read_content
from rearch.model.limits import Limits
from rearch.rehearsal.faults import Fault, FaultKind
from rearch.rehearsal.server import StandIn
from tests.support.needs import need_program
from tests.support.rancher_server import SCRIPTS, RunningOverlay, go_agent, run_overlay, text_in

ITEM = "/v1//configcontent//pyagent"
AUTH = ("agent-access", "agent-secret")


class Scene(Struct, frozen=True, kw_only=True):
    server: StandIn
    overlay: RunningOverlay
    refitted: Path

    def get(self, path: str, **more: object) -> requests.Response:
        # requests joins no slashes of its own only when the URL is given whole.
        return requests.get(f"{self.overlay.address}{path}", timeout=20, allow_redirects=False, **more)  # type: ignore[arg-type]

    def line(self, words: str) -> str:
        """The log's line that holds these words, for which it is waited a moment."""
        for _ in range(100):
            if found := [line for line in self.overlay.lines if words in line]:
                return found[-1]
            time.sleep(0.02)
        raise AssertionError(f"{words!r} is not in {self.overlay.lines}")


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """One server with version 42 of its agent, and one overlay that has another agent."""
    folder = tmp_path_factory.mktemp("overlay")
    theirs = go_agent(folder / "go-agent.tar.gz", extra=300_000)
    ours = go_agent(folder / "refitted" / "go-agent.tar.gz", "agent of the overlay", root="77aa-refitted")
    with (
        StandIn(folder / "served", archives={"pyagent": theirs}, versions={"pyagent": "42"}) as server,
        run_overlay(folder, server.api, "--bundle", f"pyagent={ours}") as overlay,
    ):
        yield Scene(server=server, overlay=overlay, refitted=ours)


def test_the_refitted_archive_says_the_version_of_the_server(stage: Scene, tmp_path: Path) -> None:
    answer = stage.get(f"{ITEM}?current=", auth=AUTH)
    assert (answer.status_code, answer.headers.get("Content-Encoding")) == (200, None)
    (tmp_path / "a.tar.gz").write_bytes(answer.content)
    content = read_content(tmp_path / "a.tar.gz", "answer", Limits())
    assert (content.root, content.version) == ("77aa-refitted", "42")
    assert "overlay" in text_in(tmp_path / "a.tar.gz", "bin/agent")


def test_the_log_says_what_was_sent_of_an_archive(stage: Scene) -> None:
    answer = stage.get(f"{ITEM}?current=whole", auth=AUTH)
    assert f" 200 {len(answer.content)} B " in stage.line("current=whole")
    assert stage.get(f"{ITEM}?current=part", auth=AUTH, headers={"Range": "bytes=0-9"}).status_code == 206
    assert " 206 10 B " in stage.line("current=part")
    requests.head(f"{stage.overlay.address}{ITEM}?current=head", auth=AUTH, timeout=20)
    assert " 200 0 B " in stage.line("current=head")


def test_what_the_overlay_said_is_what_the_server_takes_back(stage: Scene) -> None:
    before = len(stage.server.applied)
    done = requests.put(f"{stage.overlay.address}{ITEM}?version=42", auth=AUTH, timeout=20)
    assert done.status_code == 200
    assert [(each.item, each.version) for each in stage.server.applied[before:]] == [("pyagent", "42")]
    assert stage.server.requests[-1].path == ITEM


def test_a_client_that_claims_to_be_current_still_gets_the_archive(stage: Scene) -> None:
    assert stage.get(f"{ITEM}?current=42", auth=AUTH).content[:2] == b"\x1f\x8b"


@pytest.mark.parametrize("auth", [None, ("agent-access", "wrong")], ids=["none", "wrong"])
def test_who_is_refused_by_the_server_is_refused_here(stage: Scene, auth: tuple[str, str] | None) -> None:
    assert stage.get(f"{ITEM}?current=", auth=AUTH).status_code == 200  # somebody else's yes is nobody's
    answer = stage.get(f"{ITEM}?current=", auth=auth)
    assert (answer.status_code, answer.json()["code"]) == (401, "Unauthorized")
    assert "Basic" in answer.headers["WWW-Authenticate"]


def test_the_servers_word_counts_for_a_while(stage: Scene) -> None:
    stage.get(f"{ITEM}?current=7", auth=AUTH)
    before = len(stage.server.requests)
    for _ in range(3):
        assert stage.get(f"{ITEM}?current=7", auth=AUTH).status_code == 200
    assert len(stage.server.requests) == before


def test_an_archive_that_was_refitted_again_is_handed_out_at_once(stage: Scene, tmp_path: Path) -> None:
    old = stage.refitted.read_bytes()
    new = go_agent(tmp_path / "new.tar.gz", "a newer agent", root="88bb-refitted")
    try:
        new.replace(stage.refitted)
        (tmp_path / "a.tar.gz").write_bytes(stage.get(f"{ITEM}?current=", auth=AUTH).content)
        assert "newer" in text_in(tmp_path / "a.tar.gz", "bin/agent")
        stage.refitted.write_bytes(b"\x1f\x8bno archive")
        assert stage.get(f"{ITEM}?current=", auth=AUTH).status_code == 500
        assert stage.line("error: pyagent")
    finally:
        stage.refitted.write_bytes(old)


def test_ranges_and_head_of_an_archive(stage: Scene) -> None:
    whole = stage.get(f"{ITEM}?current=", auth=AUTH).content
    head = requests.head(f"{stage.overlay.address}{ITEM}?current=", auth=AUTH, timeout=20)
    assert int(head.headers["Content-Length"]) == len(whole)
    part = stage.get(f"{ITEM}?current=", auth=AUTH, headers={"Range": "bytes=100-"})
    assert (part.status_code, part.content) == (206, whole[100:])


# --- passed on


def test_other_items_come_from_the_server_as_they_are(stage: Scene) -> None:
    here = stage.get("/v1//configcontent//configscripts?current=", auth=AUTH)
    there = requests.get(f"{stage.server.api}/configcontent/configscripts", auth=AUTH, timeout=20)
    assert here.content == there.content
    assert here.headers["ETag"] == there.headers["ETag"]
    assert stage.server.requests[-2].path == "/v1//configcontent//configscripts"


def test_headers_pass_but_for_those_of_a_connection(stage: Scene) -> None:
    headers = {"X-Rancher": "a", "X-Mine": "b", "Connection": "close, X-Mine", "X-Forwarded-For": "192.0.2.7"}
    stage.get("/v1/scripts/bootstrap", headers=headers)
    seen = {name.lower(): value for name, value in stage.server.requests[-1].headers.items()}
    assert seen["x-rancher"] == "a"
    assert "x-mine" not in seen
    assert seen["x-forwarded-for"] == "192.0.2.7, 127.0.0.1"
    assert seen["host"] == f"127.0.0.1:{stage.server.port}"


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_bodies_pass_as_they_were_sent(stage: Scene, chunked: bool) -> None:
    body = gzip.compress(json.dumps({"key": "host-1"}).encode(), mtime=0)
    data = iter([body[:10], body[10:]]) if chunked else body
    headers = {"Content-Encoding": "gzip"}
    url = f"{stage.overlay.address}/v1/configcontent/pyagent"
    requests.post(url, data=data, headers=headers, auth=AUTH, timeout=20)
    seen = stage.server.requests[-1]
    assert (seen.method, seen.body) == ("POST", body)
    assert seen.headers["Content-Encoding"] == "gzip"


def test_registration_and_delete_pass(stage: Scene) -> None:
    address = stage.overlay.address
    keys = ("registrationToken", stage.server.token)
    made = requests.post(f"{address}/v1/register", json={"key": "k"}, auth=keys, timeout=20)
    assert (made.status_code, made.json()["accessKey"]) == (201, "agent-access")
    assert requests.delete(f"{address}/v1/hosts/1h1", auth=AUTH, timeout=20).status_code == 404
    assert stage.server.requests[-1].method == "DELETE"


def test_a_body_beyond_the_limit_is_refused_before_the_server_sees_it(stage: Scene) -> None:
    before = len(stage.server.requests)
    with socket.create_connection(("127.0.0.1", int(stage.overlay.address.rpartition(":")[2]))) as client:
        client.sendall(b"POST /v1/x HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999\r\n\r\n")
        client.settimeout(10)
        assert client.recv(100).startswith(b"HTTP/1.1 413 ")
    assert len(stage.server.requests) == before


def test_half_an_answer_does_not_look_whole(stage: Scene) -> None:
    stage.server.plant("configscripts", Fault(kind=FaultKind.CUT))
    with pytest.raises(requests.RequestException):
        stage.get("/v1/configcontent/configscripts", auth=AUTH)
    assert stage.line("broken off").startswith("GET /v1/configcontent/configscripts 200")


def test_a_client_that_leaves_is_noticed_and_the_server_is_left_too(tmp_path: Path) -> None:
    ours = go_agent(tmp_path / "go-agent.tar.gz")
    large = go_agent(tmp_path / "large.tar.gz", extra=10_000_000)
    with (
        StandIn(tmp_path / "served", archives={"host-api": large}) as server,
        run_overlay(tmp_path, server.api, "--bundle", f"pyagent={ours}", "--timeout", "0.5") as overlay,
    ):
        address = ("127.0.0.1", int(overlay.address.rpartition(":")[2]))
        lines = ("GET /v1/configcontent/host-api HTTP/1.1", "Host: x", f"Authorization: {_basic()}", "", "")
        for leaves in (True, False):
            with socket.socket() as client:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # else the kernel takes all of it
                client.connect(address)
                client.sendall("\r\n".join(lines).encode())
                client.recv(1000)
                if leaves:
                    client.close()
                _wait(lambda many=2 - leaves: sum(" 499 " in line for line in overlay.lines) == many)  # type: ignore[misc]


def _basic() -> str:
    return "Basic " + base64.b64encode(":".join(AUTH).encode()).decode()


def _wait(done: Callable[[], bool]) -> None:
    for _ in range(200):
        if done():
            return
        time.sleep(0.05)
    raise AssertionError("it never came")


# --- what it says of itself


def test_web_sockets_are_refused_in_words(stage: Scene) -> None:
    answer = stage.get("/v1/subscribe", headers={"Connection": "Upgrade", "Upgrade": "websocket"})
    assert answer.status_code == 501
    assert "CATTLE_CONFIG_URL" in answer.text


def test_items_and_health(stage: Scene) -> None:
    (item,) = stage.get("/-/items").json()["items"]
    assert (item["item"], item["archive"], item["files"]) == ("pyagent", "go-agent.tar.gz", 2)
    health = stage.get("/-/health")
    assert (health.status_code, health.json()["status"]) == (200, "ok")
    assert stage.get("/-/other").status_code == 404


def test_no_secret_stands_in_the_log(stage: Scene) -> None:
    stage.get(f"/v1/scripts/{stage.server.token}?token=hidden&current=5")
    line = stage.line("current=5")
    assert line.startswith("GET /v1/scripts/***?token=***&current=5 200 ")
    assert line.endswith(" server")
    for secret in (stage.server.token, "hidden", AUTH[1]):
        assert secret not in "\n".join(stage.overlay.lines)


# --- trouble behind it, and its end


def test_a_server_that_is_down_or_silent(tmp_path: Path) -> None:
    ours = go_agent(tmp_path / "go-agent.tar.gz")
    with socket.create_server(("127.0.0.1", 0)) as mute:
        address = f"http://127.0.0.1:{mute.getsockname()[1]}/v1"
        with run_overlay(tmp_path, address, "--bundle", f"pyagent={ours}", "--timeout", "0.3") as overlay:
            for path in ("/v1/hosts", f"{ITEM}?current="):
                answer = requests.get(f"{overlay.address}{path}", auth=AUTH, timeout=20)
                assert (answer.status_code, "in time" in answer.text) == (504, True)
            mute.close()
            for path in ("/v1/hosts", f"{ITEM}?current="):
                answer = requests.get(f"{overlay.address}{path}", auth=AUTH, timeout=20)
                assert (answer.status_code, "does not answer" in answer.text) == (502, True)
            assert requests.get(f"{overlay.address}/-/health", timeout=20).status_code == 503


def test_it_follows_no_redirection_and_sends_cookies_back(tmp_path: Path) -> None:
    ours = go_agent(tmp_path / "go-agent.tar.gz")
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_redirect, args=(server,), daemon=True)
        thread.start()
        address = f"http://127.0.0.1:{server.getsockname()[1]}/v1"
        with run_overlay(tmp_path, address, "--bundle", f"pyagent={ours}") as overlay:
            answer = requests.get(f"{overlay.address}/login", allow_redirects=False, timeout=20)
        thread.join(10)
    assert (answer.status_code, answer.headers["Location"]) == (302, "http://example.org/elsewhere")
    assert answer.raw.headers.getlist("Set-Cookie") == ["a=1", "b=2"]
    assert "Content-Type" not in answer.headers
    assert "Server" not in answer.headers


def _redirect(server: socket.socket) -> None:
    client, _ = server.accept()
    with client:
        client.recv(4096)
        lines = ("HTTP/1.1 302 Found", "Location: http://example.org/elsewhere", "Set-Cookie: a=1", "Set-Cookie: b=2")
        client.sendall(("\r\n".join((*lines, "Content-Length: 2", "", "")) + "go").encode())


def _signal_when_under_way(server: StandIn, overlay: RunningOverlay, number: signal.Signals) -> None:
    """Once the server has begun with the slow answer."""

    def wait() -> None:
        _wait(lambda: not server.planted("configscripts"))
        overlay.process.send_signal(number)

    threading.Thread(target=wait, daemon=True).start()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["term", "int"])
def test_it_ends_when_what_is_under_way_has_ended(tmp_path: Path, number: signal.Signals) -> None:
    ours = go_agent(tmp_path / "go-agent.tar.gz")
    with StandIn(tmp_path / "served", archives={}) as server:
        server.plant("configscripts", Fault(kind=FaultKind.SLOW, seconds=1.0))
        with run_overlay(tmp_path, server.api, "--bundle", f"pyagent={ours}") as overlay:
            _signal_when_under_way(server, overlay, number)
            url = f"{overlay.address}/v1/configcontent/configscripts"
            assert requests.get(url, auth=AUTH, timeout=20).status_code == 200
            assert overlay.process.wait(timeout=10) == 0
            with pytest.raises(requests.ConnectionError):
                requests.get(url, auth=AUTH, timeout=5)


def test_what_takes_too_long_is_given_up_at_the_end(tmp_path: Path) -> None:
    ours = go_agent(tmp_path / "go-agent.tar.gz")
    with StandIn(tmp_path / "served", archives={}) as server:
        server.plant("configscripts", Fault(kind=FaultKind.SLOW, seconds=8.0))
        with run_overlay(tmp_path, server.api, "--bundle", f"pyagent={ours}", "--grace", "0.5") as overlay:
            _signal_when_under_way(server, overlay, signal.SIGTERM)
            started = time.monotonic()
            with pytest.raises(requests.RequestException):
                requests.get(f"{overlay.address}/v1/configcontent/configscripts", auth=AUTH, timeout=20)
            assert overlay.process.wait(timeout=10) == 0
            assert time.monotonic() - started < 7


# --- the flags


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((), 2, "which Rancher server?"),
        (("--server", "http://me:secret@x/v1"), 2, "keys do not stand in an address"),
        (("--server", "http://x/v1", "--timeout", "soon"), 2, "not a number of seconds"),
        (("--server", "http://x/v1", "--bundle", "pyagent=torn.tar.gz"), 3, "ends in the middle"),
        (("--server", "http://x/v1", "--bundle", "pyagent=good.tar.gz", "--bundle", "go-agent.tar.gz"), 2, "several"),
        (("--server", "http://x/v1", "--bundle", "pyagent=good.tar.gz", "--listen", "192.0.2.1:1"), 1, "cannot listen"),
        (("--server", "http://x/v1", "--project", "."), 2, "no project"),
    ],
)
def test_what_is_wrong_is_said_before_it_serves(tmp_path: Path, words: tuple[str, ...], code: int, said: str) -> None:
    whole = go_agent(tmp_path / "good.tar.gz").read_bytes()
    go_agent(tmp_path / "go-agent.tar.gz")
    (tmp_path / "torn.tar.gz").write_bytes(whole[: len(whole) // 2])
    done = subprocess.run(
        [SCRIPTS / "rearch", "overlay", *words], cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.returncode, said in done.stderr) == (code, True), done.stderr
    assert "secret" not in done.stderr


def test_the_bundles_of_a_project_are_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "p/recipes").mkdir(parents=True)
    go_agent(tmp_path / "p/output/bundles/go-agent.tar.gz")
    go_agent(tmp_path / "p/output/bundles/host-api.tar.gz")
    # Whoever fetches bundles has them set; they are no settings of the project.
    monkeypatch.setenv("REARCH_RANCHER_ACCESS_KEY", "a")
    monkeypatch.setenv("REARCH_RANCHER_SECRET_KEY", "b")
    with run_overlay(tmp_path, "http://127.0.0.1:9/v1", "--project", str(tmp_path / "p")) as overlay:
        items = requests.get(f"{overlay.address}/-/items", timeout=20).json()["items"]
    assert [each["item"] for each in items] == ["host-api", "pyagent"]


# --- the whole way of a host


def test_a_host_behind_the_overlay_runs_the_refitted_agent(stage: Scene, tmp_path: Path) -> None:
    need_program("curl", "curl")
    script = tmp_path / "bootstrap.sh"
    script.write_bytes(stage.get("/v1/scripts/bootstrap").content)
    environment = {
        "PATH": os.environ["PATH"],
        "CATTLE_HOME": str(tmp_path / "home"),
        "CATTLE_URL": stage.server.api,
        "CATTLE_CONFIG_URL": f"{stage.overlay.address}/v1",
        "CATTLE_ACCESS_KEY": AUTH[0],
        "CATTLE_SECRET_KEY": AUTH[1],
    }
    before = len(stage.server.applied)
    done = subprocess.run(["sh", script], env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "agent of the overlay\n"), done.stderr
    found = [(each.item, each.version) for each in stage.server.applied[before:]]
    assert found == [("configscripts", "1"), ("pyagent", "42")]
