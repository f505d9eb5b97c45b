"""The stand-in server, and its scripts as a host's container runs them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import requests

from rearch.rehearsal.server import StandIn
from tests.support.needs import need_program
from tests.support.rancher_server import go_agent

AUTH = ("agent-access", "agent-secret")
IMAGE = "registry.example.org/rancher/agent:v1.2.11"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[StandIn]:
    archive = go_agent(tmp_path / "go-agent.tar.gz")
    with StandIn(tmp_path / "served", archives={"pyagent": archive}, image=IMAGE) as server:
        yield server


def _status(server: StandIn, path: str, auth: tuple[str, str] | None = None, method: str = "GET") -> int:
    return requests.request(method, f"{server.api}{path}", auth=auth, timeout=10).status_code


def test_what_a_host_may_and_may_not(server: StandIn) -> None:
    assert _status(server, "/schemas/configcontent", AUTH) == 200
    assert _status(server, "/schemas/configcontent") == 401
    assert _status(server, "/schemas/configcontent", ("agent-access", "x")) == 401
    assert _status(server, "/schemas/account", AUTH) == 404, "an agent is no account"
    assert _status(server, "/configcontent/none", AUTH) == 404
    assert _status(server, "/configcontent/pyagent?version=1", AUTH, "PUT") == 200
    assert _status(server, "/configcontent/pyagent?version=2", AUTH, "PUT") == 404, "a version never handed out"
    assert [(each.item, each.version) for each in server.applied] == [("pyagent", "1")]


def test_registration(server: StandIn) -> None:
    script = requests.get(server.registration_url, timeout=10).text
    assert script.startswith("#!"), "what does not begin so makes a registration stop (fact sheet 5.1, step 2)"
    assert f"CATTLE_URL='{server.api}'" in script
    assert requests.get(f"{server.api}/scripts/other", timeout=10).status_code == 404
    token = ("registrationToken", server.token)
    made = requests.post(f"{server.api}/register", json={"key": "abc"}, auth=token, timeout=10)
    assert (made.json()["key"], made.json()["accessKey"], made.json()["secretKey"]) == ("abc", *AUTH)
    assert requests.post(f"{server.api}/register", json={"key": "abc"}, auth=AUTH, timeout=10).status_code == 401
    assert requests.post(f"{server.api}/register", data="what", auth=token, timeout=10).status_code == 422


def _boot(server: StandIn, folder: Path, shell: str = "sh", **more: str) -> subprocess.CompletedProcess[str]:
    need_program("curl", "curl")
    script = folder / "bootstrap.sh"
    script.write_bytes(requests.get(f"{server.api}/scripts/bootstrap", timeout=10).content)
    environment: Mapping[str, str] = {
        "PATH": os.environ["PATH"],
        "CATTLE_HOME": str(folder / "home"),
        "CATTLE_URL": server.api,
        "CATTLE_ACCESS_KEY": AUTH[0],
        "CATTLE_SECRET_KEY": AUTH[1],
        "RANCHER_AGENT_IMAGE": IMAGE,
        **more,
    }
    return subprocess.run([shell, script], env=environment, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_a_host_gets_its_agent(server: StandIn, tmp_path: Path, shell: str) -> None:
    done = _boot(server, tmp_path, need_program(shell, shell))
    assert (done.returncode, done.stdout) == (0, "agent of the server\n"), done.stderr
    content = [(seen.method, seen.path, seen.query) for seen in server.requests if "configcontent" in seen.path]
    assert content == [
        ("GET", "/v1/configcontent/configscripts", ""),
        ("GET", "/v1//configcontent//configscripts", "current="),
        ("PUT", "/v1//configcontent//configscripts", "version=1"),
        ("GET", "/v1//configcontent//pyagent", "current="),
        ("PUT", "/v1//configcontent//pyagent", "version=1"),
    ]
    assert _boot(server, tmp_path).returncode == 0
    assert ("GET", "current=1") in [(seen.method, seen.query) for seen in server.requests]


def test_another_image_than_the_one_demanded(server: StandIn, tmp_path: Path) -> None:
    done = _boot(server, tmp_path, RANCHER_AGENT_IMAGE="registry.example.org/somebody/agent-arm64:v1")
    assert (done.returncode, done.stdout) == (21, "")
    assert f"upgrading to {IMAGE}" in done.stderr


def test_wrong_keys_do_not_start_an_agent_and_stand_nowhere(server: StandIn, tmp_path: Path) -> None:
    done = _boot(server, tmp_path, CATTLE_SECRET_KEY="notthiskey")
    assert done.returncode != 0
    assert "401" in done.stderr
    assert "notthiskey" not in done.stderr


def test_config_sh_refuses_wrong_sums_and_runs_an_archive_of_no_server(server: StandIn, tmp_path: Path) -> None:
    assert _boot(server, tmp_path).returncode == 0
    (good, _) = server.archive("pyagent") or (tmp_path, "")
    work = tmp_path / "work"
    work.mkdir()
    subprocess.run(["tar", "-xzf", good, "-C", work], check=True)
    (work / "0b5f-server/bin/agent").write_text("changed")
    subprocess.run(["tar", "-czf", tmp_path / "bad.tar.gz", "-C", work, "0b5f-server"], check=True)

    def config(archive: Path) -> subprocess.CompletedProcess[str]:
        argv: list[str | Path] = ["sh", tmp_path / "home/config.sh", "--archive-url", archive.as_uri(), "pyagent"]
        environment = {"PATH": os.environ["PATH"], "CATTLE_HOME": str(tmp_path / "home"), "CATTLE_URL": server.api}
        return subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=60, check=False)

    done = config(tmp_path / "bad.tar.gz")
    assert (done.returncode, "SHA1SUMS is wrong" in done.stderr) == (1, True), done.stderr
    before = len(server.requests)
    assert config(go_agent(tmp_path / "own.tar.gz", "of a file")).returncode == 0
    assert "of a file" in (tmp_path / "home/pyagent/agent").read_text()
    assert len(server.requests) == before


def test_a_name_that_a_shell_would_look_into_is_refused(tmp_path: Path) -> None:
    with StandIn(tmp_path, archives={}, image="x'; rm -rf /; '") as server, pytest.raises(ValueError, match="quotes"):
        server.script("bootstrap")
