"""Docker's config.json and helpers, without a process."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from rearch.errors import ExitCode, StepError
from rearch.model.command import Command, Completed
from rearch.registry.credentials import BadDockerConfig, Credential, DockerConfig, Login

SECRET = "t0psecret"


def encoded(user: str, secret: str = SECRET) -> str:
    return base64.b64encode(f"{user}:{secret}".encode()).decode()


class Helpers:
    """Answers for helper programs: by program, what it prints and its exit code."""

    def __init__(self, **answers: tuple[str, int | None]) -> None:
        self.answers = answers
        self.commands: list[Command] = []

    def __call__(self, command: Command) -> Completed:
        self.commands.append(command)
        program = command.argv[0].removeprefix("docker-credential-")
        if program not in self.answers:
            raise StepError(f"{command.argv[0]}: no such program")
        output, code = self.answers[program]
        return Completed(exit=code, output=output, seconds=0.0)


def find(
    tmp_path: Path,
    config: object,
    registry: str = "example.org:5000",
    *,
    run: Helpers | None = None,
    explicit: Credential | None = None,
) -> Login:
    text = config if isinstance(config, str) else json.dumps(config)
    (tmp_path / "config.json").write_text(text)
    given = {registry: explicit} if explicit else {}
    return DockerConfig({"DOCKER_CONFIG": str(tmp_path)}, run or Helpers(), given).find(registry)


def good(user: str, secret: str = SECRET) -> tuple[str, int | None]:
    return json.dumps({"ServerURL": "x", "Username": user, "Secret": secret}), 0


@pytest.mark.parametrize(
    ("key", "registry"),
    [
        ("example.org:5000", "example.org:5000"),
        ("https://example.org:5000", "example.org:5000"),
        ("http://example.org:5000/v1/", "example.org:5000"),
        ("https://index.docker.io/v1/", "docker.io"),
        ("index.docker.io", "docker.io"),
    ],
)
def test_entries_of_the_file(tmp_path: Path, key: str, registry: str) -> None:
    login = find(tmp_path, {"auths": {key: {"auth": encoded("al:ice")}}}, registry)
    assert login.credential == Credential(user="al", secret=f"ice:{SECRET}")
    assert login.source == str(tmp_path / "config.json")


def test_other_hosts_get_nothing(tmp_path: Path) -> None:
    auths = {"example.org": {"auth": encoded("a")}, "example.org:50001": {"auth": encoded("b")}}
    assert find(tmp_path, {"auths": auths}).credential is None
    assert find(tmp_path, {"auths": {"example.org:5000": {}}}).credential is None


def test_no_file_is_no_login(tmp_path: Path) -> None:
    assert DockerConfig({"DOCKER_CONFIG": str(tmp_path / "none")}, Helpers()).find("x.org") == Login()
    assert DockerConfig({"HOME": "/home/x"}, Helpers()).path == Path("/home/x/.docker/config.json")


def test_identity_tokens(tmp_path: Path) -> None:
    entry = {"auth": encoded("alice", ""), "identitytoken": SECRET}
    found = find(tmp_path, {"auths": {"example.org:5000": entry}}).credential
    assert found == Credential(user="alice", secret=SECRET, identity=True)
    run = Helpers(x=good("<token>"))
    helped = find(tmp_path, {"credsStore": "x"}, run=run).credential
    assert helped == Credential(user="", secret=SECRET, identity=True)


def test_the_order(tmp_path: Path) -> None:
    config: dict[str, Any] = {
        "auths": {"example.org:5000": {"auth": encoded("file")}},
        "credHelpers": {"example.org:5000": "own"},
        "credsStore": "store",
    }
    run = Helpers(own=good("own"), store=good("store"))

    def user(explicit: Credential | None = None) -> str:
        found = find(tmp_path, config, run=run, explicit=explicit).credential
        return found.user if found else ""

    assert user() == "own"
    assert user(Credential(user="hand", secret="x")) == "hand"
    del config["credHelpers"]
    assert user() == "store"
    run.answers["store"] = ("credentials not found in native keychain\n", 1)
    assert user() == "file"
    assert [command.argv for command in run.commands] == [
        ("docker-credential-own", "get"),
        ("docker-credential-store", "get"),
        ("docker-credential-store", "get"),
    ]
    assert {command.stdin for command in run.commands} == {b"example.org:5000\n"}


def test_a_helper_is_asked_for_the_hub_by_its_old_name_and_once(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"credsStore": "x"}))
    run = Helpers(x=good("alice"))
    config = DockerConfig({"DOCKER_CONFIG": str(tmp_path), "AWS_PROFILE": "p"}, run)
    assert config.find("docker.io") == config.find("docker.io")
    (command,) = run.commands
    assert command.stdin == b"https://index.docker.io/v1/\n"
    assert ("AWS_PROFILE", "p") in command.env
    assert SECRET not in str(command.argv)


def test_warnings_around_the_answer(tmp_path: Path) -> None:
    output = 'WARNING: {odd}\n{"a": 1}\n' + good("alice")[0] + "\nbye {"
    found = find(tmp_path, {"credsStore": "x"}, run=Helpers(x=(output, 0))).credential
    assert found == Credential(user="alice", secret=SECRET)


@pytest.mark.parametrize(
    ("helper", "answer", "trouble"),
    [
        ("x", ("", 1), "it says nothing"),
        ("x", ("a\nlocked \x1b[1m https://u:p@example.org/", 2), "locked \\x1b[1m https://***@example.org/"),
        ("x", ("", None), "it takes too long"),
        ("x", ("{}", 0), "what it prints is not an answer"),
        ("x", (json.dumps({"Username": "a", "Secret": ""}), 0), "what it prints is not an answer"),
        ("none", ("", 0), "docker-credential-none: no such program"),
        ("../evil", ("", 0), "is no name of a credential helper"),
    ],
)
def test_helpers_that_fail_are_told_later(
    tmp_path: Path, helper: str, answer: tuple[str, int | None], trouble: str
) -> None:
    login = find(tmp_path, {"credsStore": helper}, run=Helpers(x=answer))
    assert login.credential is None
    assert trouble in login.trouble


@pytest.mark.parametrize(
    "config",
    [
        '{"auths": {"example.org:5000": {"auth": "' + SECRET,
        "[]",
        "[" * 100_000,
        {"auths": [SECRET]},
        {"auths": {"example.org:5000": {"auth": "%%%" + SECRET}}},
        {"auths": {"example.org:5000": {"auth": base64.b64encode(SECRET.encode()).decode()}}},
    ],
)
def test_a_file_that_cannot_be_read_is_named_and_not_shown(tmp_path: Path, config: object) -> None:
    with pytest.raises(BadDockerConfig) as caught:
        find(tmp_path, config)
    assert caught.value.exit_code is ExitCode.USAGE
    text = caught.value.render()
    assert str(tmp_path / "config.json") in text
    assert SECRET not in text


def test_secrets_are_in_no_repr(tmp_path: Path) -> None:
    login = find(tmp_path, {"auths": {"example.org:5000": {"auth": encoded("alice")}}})
    assert SECRET not in repr(login)
    assert SECRET not in str(login)
    assert login.who.startswith("as alice (")
