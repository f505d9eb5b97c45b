"""Which engine is meant, in the order of the docker command line."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from rearch.host.docker.endpoint import DEFAULT, find_endpoint
from rearch.host.docker.errors import BadEngine, UnknownContext
from rearch.host.docker.tunnel import ssh_command


def add_context(folder: Path, name: str, host: str, *, keys: bool = False, skip: bool = False) -> None:
    key = hashlib.sha256(name.encode()).hexdigest()
    meta = folder / "contexts" / "meta" / key
    meta.mkdir(parents=True)
    endpoint = {"Host": host, "SkipTLSVerify": skip}
    (meta / "meta.json").write_text(json.dumps({"Name": name, "Metadata": {}, "Endpoints": {"docker": endpoint}}))
    if keys:
        (folder / "contexts" / "tls" / key / "docker").mkdir(parents=True)


def test_without_anything_it_is_the_default_socket() -> None:
    assert find_endpoint("", {}).url == DEFAULT
    assert find_endpoint("", {"HOME": "/nowhere"}).url == DEFAULT


def test_the_order(tmp_path: Path) -> None:
    add_context(tmp_path, "pi", "ssh://me@pi")
    add_context(tmp_path, "other", "unix:///other.sock")
    (tmp_path / "config.json").write_text(json.dumps({"currentContext": "other"}))
    environment = {"DOCKER_CONFIG": str(tmp_path)}
    assert find_endpoint("", environment).url == "unix:///other.sock"
    environment["DOCKER_CONTEXT"] = "pi"
    assert find_endpoint("", environment).url == "ssh://me@pi"
    environment["DOCKER_HOST"] = "tcp://host:2375"
    assert find_endpoint("", environment).url == "tcp://host:2375"
    found = find_endpoint("unix:///given.sock", environment)
    assert (found.url, found.where) == ("unix:///given.sock", "builders")
    assert find_endpoint("unix:///given.sock", environment, "--engine").where == "--engine"


def test_the_default_context_is_no_context(tmp_path: Path) -> None:
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker" / "config.json").write_text('{"currentContext": "default"}')
    assert find_endpoint("", {"HOME": str(tmp_path)}).url == DEFAULT


def test_keys_of_a_context_and_of_the_environment(tmp_path: Path) -> None:
    add_context(tmp_path, "far", "tcp://far:2376", keys=True, skip=True)
    found = find_endpoint("", {"DOCKER_CONFIG": str(tmp_path), "DOCKER_CONTEXT": "far"})
    assert found.certificates is not None
    assert found.certificates.is_dir()
    assert not found.verify
    given = find_endpoint("tcp://far:2376", {"DOCKER_CERT_PATH": "/keys", "DOCKER_TLS_VERIFY": "1"})
    assert (given.certificates, given.verify) == (Path("/keys"), True)
    assert find_endpoint("unix:///a.sock", {"DOCKER_CERT_PATH": "/keys"}).certificates is None


@pytest.mark.parametrize("environment", [{"DOCKER_CONTEXT": "gone"}, {"DOCKER_CONTEXT": "gone", "HOME": "/nowhere"}])
def test_an_unknown_context_is_named(environment: dict[str, str]) -> None:
    with pytest.raises(UnknownContext, match=r"DOCKER_CONTEXT .*'gone'"):
        find_endpoint("", environment)


def test_a_configuration_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(BadEngine, match=r"config\.json"):
        find_endpoint("", {"DOCKER_CONFIG": str(tmp_path)})


@pytest.mark.parametrize(
    "url",
    [
        "pi4",
        "http://pi4",
        "npipe:////./pipe/docker",
        "unix://docker.sock",
        "tcp://pi4",
        "ssh://",
        "ssh://-oProxyCommand=x",
        "ssh://-x@pi",
        "tcp://pi:port",
        "ssh://me:secret@pi",
    ],
)
def test_addresses_that_cannot_be_used(url: str) -> None:
    with pytest.raises(BadEngine) as caught:
        find_endpoint(url, {})
    assert caught.value.exit_code == 2
    assert "secret" not in caught.value.render()


def test_the_tunnels_command() -> None:
    argv = ssh_command("ssh://me@pi4:2222/run/user/1000/docker.sock", Path("/t/s"))
    assert argv[0] == "ssh"
    assert "BatchMode=yes" in argv
    assert argv[-8:] == ("-l", "me", "-p", "2222", "-L", "/t/s:/run/user/1000/docker.sock", "--", "pi4")
    assert ssh_command("ssh://pi4", Path("/t/s"))[-4:] == ("-L", "/t/s:/var/run/docker.sock", "--", "pi4")
