"""A real Docker engine: reached in each way, loaded into, and what is said when it is not there."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from rearch.host.docker.endpoint import DEFAULT, Endpoint, find_endpoint
from rearch.host.docker.engine import connected
from rearch.host.docker.errors import EngineFailed, EngineRefused, EngineUnreachable, NoEngine
from rearch.host.docker.load import load_images
from rearch.host.process import Processes
from rearch.model.platform import Platform, host_platform, parse_platform
from rearch.oci.layout import start_layout, write_index_json
from rearch.oci.types import REF_NAME
from tests.support.engine import engine, engine_environment
from tests.support.layouts import File, add_image
from tests.support.tiny_programs import failing

ARM64, AMD64 = parse_platform("arm64"), parse_platform("amd64")
HERE = host_platform(os.uname().machine)


def images(layout: Path, *platforms: Platform) -> Path:
    """A layout with one image for each platform, all of one name; each runs a program that exits with 7."""
    start_layout(layout)
    write_index_json(
        layout,
        [
            replace(
                add_image(
                    layout, platform, [[File("program", failing(platform, 7))]], compress=True, cmd=("/program",)
                ),
                annotations={REF_NAME: "v1"},
            )
            for platform in platforms
        ],
    )
    return layout


def test_what_an_engine_says_of_itself() -> None:
    with connected(find_endpoint("", engine_environment()), Processes(), engine_environment()) as there:
        assert there.facts.platform == HERE
        assert there.facts.runner.kernel == os.uname().release
        assert not there.facts.bridge


def test_the_only_image_is_loaded_under_the_name_itself(tmp_path: Path) -> None:
    foreign = ARM64 if HERE != ARM64 else AMD64
    said: list[str] = []
    loaded = load_images(
        images(tmp_path / "layout", foreign),
        "v1",
        "rearch-test/only:v1",
        (foreign,),
        environment=engine_environment(),
        processes=Processes(),
        scratch=tmp_path,
        say=said.append,
    )
    assert [(each.platform, each.names) for each in loaded] == [(foreign, ("rearch-test/only:v1",))]
    assert said == [f"loaded rearch-test/only:v1 ({foreign}) into the Docker engine at {engine()}"]
    with connected(find_endpoint("", engine_environment()), Processes(), engine_environment()) as there:
        assert there.has("rearch-test/only:v1")
        there.remove("rearch-test/only:v1")
        assert not there.has("rearch-test/only:v1")
    assert not list(tmp_path.glob("*.tar"))


def test_the_engines_own_image_runs(tmp_path: Path) -> None:
    import docker

    loaded = load_images(
        images(tmp_path / "layout", AMD64, ARM64),
        "v1",
        "rearch-test/both:v1",
        (AMD64, ARM64),
        engine=engine(),
        environment={},
        processes=Processes(),
        scratch=tmp_path,
        say=lambda _line: None,
    )
    names = {name for each in loaded for name in each.names}
    assert names == {"rearch-test/both:v1", "rearch-test/both:v1-amd64", "rearch-test/both:v1-arm64"}
    client = docker.DockerClient(base_url=engine())
    try:
        container = client.containers.run("rearch-test/both:v1", detach=True, network_mode="none")
        assert container.wait(timeout=60)["StatusCode"] == 7
        container.remove()
        architectures = {name: client.images.get(name).attrs["Architecture"] for name in names}
        assert architectures["rearch-test/both:v1-arm64"] == "arm64"
        assert architectures["rearch-test/both:v1"] == HERE.oci_architecture
    finally:
        for name in names:
            client.images.remove(name, force=True)
        client.close()


def test_what_is_no_archive_is_an_error_of_the_engine(tmp_path: Path) -> None:
    (tmp_path / "no.tar").write_bytes(b"no tar at all" * 100)
    with connected(find_endpoint("", engine_environment()), Processes(), engine_environment()) as there:
        with pytest.raises(EngineFailed, match=r"failed to load no\.tar"):
            there.load(tmp_path / "no.tar")
        with pytest.raises(EngineFailed, match="failed to save"):
            there.save("rearch-test/gone:v1", tmp_path / "saved.tar")


def test_no_engine_is_said_with_what_to_do(tmp_path: Path) -> None:
    endpoint = Endpoint(url=f"unix://{tmp_path}/none.sock", where="DOCKER_HOST")
    with pytest.raises(NoEngine, match=r"none\.sock.*no such file") as caught, connected(endpoint, Processes(), {}):
        pass
    assert "systemctl start docker" in caught.value.render()


def test_a_socket_that_nobody_listens_on(tmp_path: Path) -> None:
    path = tmp_path / "dead.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with (
        pytest.raises(NoEngine, match="connection refused"),
        connected(Endpoint(url=f"unix://{path}", where="x"), Processes(), {}),
    ):
        pass


def test_a_far_engine_that_does_not_answer_is_temporary() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: nobody else can take the port
        endpoint = Endpoint(url=f"tcp://127.0.0.1:{taken.getsockname()[1]}", where="builders")
        with pytest.raises(EngineUnreachable) as caught, connected(endpoint, Processes(), {}):
            pass
    assert caught.value.exit_code == 75


# What ssh does with -L, as far as it matters here: forwards a socket to another one of this host.
SSH = f"""#!{sys.executable}
import os, socket, sys, threading
near, _, far = sys.argv[sys.argv.index("-L") + 1].partition(":")
if sys.argv[-1] == "down":
    sys.exit("ssh: connect to host down port 22: No route to host")
assert sys.argv[-1] == "pi4" and "BatchMode=yes" in sys.argv
def pump(one, other):
    while data := one.recv(65536):
        other.sendall(data)
    other.shutdown(socket.SHUT_WR)
server = socket.socket(socket.AF_UNIX)
server.bind(near)
server.listen()
while True:
    here, _ = server.accept()
    there = socket.socket(socket.AF_UNIX)
    there.connect(far)
    for pair in ((here, there), (there, here)):
        threading.Thread(target=pump, args=pair, daemon=True).start()
"""


@pytest.fixture
def ssh(tmp_path: Path) -> dict[str, str]:
    """An environment whose ssh is the one above."""
    program = tmp_path / "bin" / "ssh"
    program.parent.mkdir()
    program.write_text(SSH)
    program.chmod(0o755)
    return {"PATH": f"{program.parent}:{os.environ['PATH']}"}


def test_an_engine_through_ssh(ssh: dict[str, str]) -> None:
    endpoint = find_endpoint(f"ssh://pi4{engine().removeprefix('unix://')}", ssh)
    with connected(endpoint, Processes(), ssh) as there:
        near = there.endpoint.socket
        assert there.facts.platform == HERE
        assert near.is_socket()
        assert str(near) not in engine()
    assert not near.exists()


def test_a_host_that_ssh_cannot_reach_is_temporary_and_ssh_is_quoted(ssh: dict[str, str]) -> None:
    with (
        pytest.raises(EngineUnreachable) as caught,
        connected(find_endpoint("ssh://down", ssh), Processes(), ssh),
    ):
        pass
    assert caught.value.exit_code == 75
    assert "No route to host" in caught.value.render()
    assert "docker info" in caught.value.render()


def test_a_socket_that_may_not_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel lets root in everywhere, so it is made to say no."""

    def refuse(_self: socket.socket, _address: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    with pytest.raises(EngineRefused) as caught, connected(Endpoint(url=DEFAULT, where="x"), Processes(), {}):
        pass
    assert "usermod -aG docker" in caught.value.render()
