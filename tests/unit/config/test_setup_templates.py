"""What each kind's files say of the facts."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from msgspec.structs import replace

from rearch.config.setup_templates import setup_files
from rearch.model.setup import SetupFacts, SetupKind, TimeOfDay

FACTS = SetupFacts(
    name="rearch-nightly",
    program=("/opt/rearch/bin/rearch",),
    project="/srv/stack",
    arguments=("--stack", "cni"),
    at=TimeOfDay(2, 5),
    user="builder",
    mail="ops@example.org",
    install="rearch==1.0",
    homes=False,
)


def text(kind: SetupKind, number: int = 0, **changes: Any) -> str:
    return setup_files(kind, replace(FACTS, **changes), "/etc/cron.d")[number].text


def settings(unit: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in unit.splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(key, []).append(value)
    return found


@pytest.mark.parametrize("kind", SetupKind)
def test_files_are_whole_lines_and_the_same_each_time(kind: SetupKind) -> None:
    files = setup_files(kind, FACTS, "/x")
    assert files == setup_files(kind, FACTS, "/x")
    for file in files:
        assert file.text.endswith("\n")
        assert not file.text.endswith("\n\n")
        assert "<<facts" not in file.text
        assert "<%" not in file.text
        assert all(line == line.rstrip() for line in file.text.splitlines()), file.path


def test_a_service_is_fenced_in() -> None:
    unit = settings(text(SetupKind.SYSTEMD))
    assert unit["ExecStart"] == ["/opt/rearch/bin/rearch --project /srv/stack nightly --stack cni"]
    assert unit["User"] == ["builder"]
    assert unit["ProtectSystem"] == ["strict"]
    assert unit["ReadWritePaths"] == ["/srv/stack"]
    assert unit["ProtectHome"] == unit["PrivateTmp"] == unit["NoNewPrivileges"] == ["yes"]
    assert unit["EnvironmentFile"] == ["-/etc/rearch/rearch-nightly.env"]
    assert unit["CacheDirectory"] == ["rearch"]
    assert "SupplementaryGroups" not in unit


def test_exit_codes_are_told_apart() -> None:
    unit = settings(text(SetupKind.SYSTEMD))
    assert unit["Restart"] == ["on-failure"]
    assert "75" not in unit["RestartPreventExitStatus"][0].split()
    assert {"1", "2", "3", "4"} == set(unit["RestartPreventExitStatus"][0].split())
    assert unit["SuccessExitStatus"] == ["130"]


def test_a_service_opens_what_is_needed_alone() -> None:
    assert settings(text(SetupKind.SYSTEMD, docker=True))["SupplementaryGroups"] == ["docker"]
    assert settings(text(SetupKind.SYSTEMD, homes=True))["ProtectHome"] == ["read-only"]
    assert settings(text(SetupKind.SYSTEMD, in_tmp=True))["PrivateTmp"] == ["no"]
    assert settings(text(SetupKind.SYSTEMD, buildah=True))["NoNewPrivileges"] == ["no"]
    cache = settings(text(SetupKind.SYSTEMD, cache="/big disk/c", writable=("/big disk/c",)))
    assert cache["ReadWritePaths"] == ["/srv/stack", '"/big disk/c"']
    assert '"REARCH_CACHE=/big disk/c"' in cache["Environment"]
    assert "CacheDirectory" not in cache


def test_the_timer_catches_up() -> None:
    timer = settings(text(SetupKind.SYSTEMD, 1))
    assert timer["OnCalendar"] == ["*-*-* 02:05:00"]
    assert timer["Persistent"] == ["true"]


def test_secrets_are_for_their_owner() -> None:
    for kind in (SetupKind.SYSTEMD, SetupKind.CRON):
        file = setup_files(kind, FACTS, "/x")[2]
        assert file.mode == 0o600
        assert all(not line or line.startswith("#") for line in file.text.splitlines()), "an example sets nothing"


def test_the_registry_of_github_itself_needs_no_secret() -> None:
    plain = yaml.safe_load(text(SetupKind.GITHUB, registry="registry.example.org"))
    assert plain["permissions"] == {"contents": "read"}
    own = yaml.safe_load(text(SetupKind.GITHUB, registry="ghcr.io"))
    assert own["permissions"] == {"contents": "read", "packages": "write"}
    assert "secrets.GITHUB_TOKEN" in text(SetupKind.GITHUB, registry="ghcr.io")


def test_jenkins_asks_for_a_login_only_to_publish() -> None:
    assert "withCredentials" in text(SetupKind.JENKINS, registry="registry.example.org")
    assert "withCredentials" not in text(SetupKind.JENKINS)
