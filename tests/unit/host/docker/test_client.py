"""Which docker client builds, from the facts; and the command that it gets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from rearch.host.docker.client import (
    Builder,
    BuildTask,
    Client,
    build_command,
    choose,
    find_clients,
    programs,
)
from rearch.host.docker.endpoint import Endpoint
from rearch.host.docker.errors import NoBuildClient
from rearch.model.platform import parse_platform

NEW = Client(path="/usr/local/bin/docker", version="28.2.2")
OLD = Client(path="/usr/bin/docker", version="20.10.24+dfsg1")
PLUGIN = Client(path="/opt/docker", version="29.0.1", buildx="0.29.1")


@pytest.mark.parametrize(
    ("clients", "chosen", "how"),
    [
        ((NEW, OLD), OLD, "session"),
        ((OLD, PLUGIN), PLUGIN, "buildx"),
        ((PLUGIN,), PLUGIN, "buildx"),
        ((OLD,), OLD, "session"),
    ],
)
def test_the_choice(clients: tuple[Client, ...], chosen: Client, how: str) -> None:
    builder = choose(clients)
    assert (builder.client, builder.how) == (chosen, how)


@pytest.mark.parametrize("clients", [(NEW,), (Client(path="/bin/docker", version=""),)])
def test_without_one_that_can_build_all_are_named(clients: tuple[Client, ...]) -> None:
    with pytest.raises(NoBuildClient) as caught:
        choose(clients)
    text = caught.value.render()
    assert clients[0].path in text
    assert clients[0].version in text
    assert "docker-buildx" in text


def test_without_any_it_says_what_to_install() -> None:
    with pytest.raises(NoBuildClient, match="no docker client on PATH") as caught:
        choose(())
    assert "docker.io" in (caught.value.hint or "")


def client_program(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    program = folder / "docker"
    program.write_text("")
    program.chmod(0o755)
    return program


def test_all_programs_on_path_are_found_each_once(tmp_path: Path) -> None:
    first, second = client_program(tmp_path / "one"), client_program(tmp_path / "two")
    (tmp_path / "same").symlink_to("one")
    (tmp_path / "folder" / "docker").mkdir(parents=True)
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "docker").write_text("not a program")
    path = ":".join(str(tmp_path / name) for name in ("folder", "plain", "one", "", "same", "missing", "two")).replace(
        f"{tmp_path}/:", ":"
    )
    assert programs(path) == (str(first), str(second))


def test_clients_are_asked_for_their_versions(tmp_path: Path) -> None:
    program = str(client_program(tmp_path / "one"))
    answers: Mapping[tuple[str, ...], str] = {
        (program, "--version"): "Docker version 20.10.24+dfsg1, build 297e128\n",
        (program, "buildx", "version"): "github.com/docker/buildx v0.29.1 1a2b3c\n",
    }

    def ask(argv: Sequence[str]) -> str | None:
        return answers.get(tuple(argv))

    assert find_clients(str(tmp_path / "one"), ask) == (
        Client(path=program, version="20.10.24+dfsg1", buildx="0.29.1"),
    )
    assert find_clients(str(tmp_path / "one"), lambda _argv: None) == (Client(path=program, version=""),)


TASK = BuildTask(
    dockerfile=Path("/s/Dockerfile"),
    context=Path("/c"),
    tag="rearch-stage:0",
    platform=parse_platform("arm/v7"),
    args={"B": "2 words", "A": "1"},
)
ENDPOINT = Endpoint(url="tcp://pi:2376", where="builders", certificates=Path("/keys"))
ENVIRONMENT = {
    "PATH": "/bin",
    "HOME": "/home/me",
    "DOCKER_CONTEXT": "other",
    "DOCKER_HOST": "unix:///other",
    "BUILDX_BUILDER": "mine",
    "SECRET": "x",
}


def test_the_command_of_buildx() -> None:
    command = build_command(Builder(client=PLUGIN, how="buildx"), TASK, ENDPOINT, ENVIRONMENT)
    assert command.argv == (
        *("/opt/docker", "buildx", "build", "--builder", "default", "--load", "--progress", "plain"),
        *("--platform", "linux/arm/v7", "--tag", "rearch-stage:0"),
        *("--build-arg", "A=1", "--build-arg", "B=2 words", "--file", "/s/Dockerfile", "/c"),
    )


def test_the_environment_names_the_engine_and_nothing_that_could_name_another() -> None:
    command = build_command(Builder(client=OLD, how="session"), TASK, ENDPOINT, ENVIRONMENT)
    assert command.argv[:2] == ("/usr/bin/docker", "build")
    assert dict(command.env) == {
        "PATH": "/bin",
        "HOME": "/home/me",
        "DOCKER_HOST": "tcp://pi:2376",
        "DOCKER_BUILDKIT": "1",
        "BUILDKIT_PROGRESS": "plain",
        "BUILDX_NO_DEFAULT_ATTESTATIONS": "1",
        "DOCKER_CERT_PATH": "/keys",
        "DOCKER_TLS_VERIFY": "1",
    }
