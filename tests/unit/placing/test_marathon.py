"""The group for Marathon: constraints on attributes of the agents."""

from __future__ import annotations

import re
from typing import Any

import pytest

from rearch.placing.targets import Target
from tests.support.placing import document, placed

HOSTS = "pi1: {arch: arm64, labels: {t: pi}}\npi2: {arch: arm64, labels: {t: pi}}\nvm: {arch: amd64}"


def app(keys: str, known: str = "") -> Any:
    (found,) = document(placed(f"web: {{{keys}}}", Target.MARATHON, known))["apps"]
    return found


@pytest.mark.parametrize(
    ("keys", "constraints"),
    [
        ("on: {type: raspberry, disk: ssd}", [["type", "LIKE", "raspberry"], ["disk", "LIKE", "ssd"]]),
        ("not_on: {type: vm}", [["type", "UNLIKE", "vm"]]),
        ("arch: arm64", [["arch", "LIKE", "aarch64"]]),
        ("arch: [arm64, arm/v7]", [["arch", "LIKE", "aarch64|armv7l"]]),
        ("arch: amd64, on: {a: b}", [["arch", "LIKE", "x86_64"], ["a", "LIKE", "b"]]),
        ("replicas: global, on: {a: b}", [["a", "LIKE", "b"], ["hostname", "UNIQUE"]]),
    ],
)
def test_rules_are_constraints(keys: str, constraints: list[list[str]]) -> None:
    assert app(keys)["constraints"] == constraints


@pytest.mark.parametrize("value", ["v1.2", "a-b", "a/b", "x_y"])
def test_values_match_themselves_alone(value: str) -> None:
    ((_, _, pattern),) = app(f"on: {{a: {value}}}")["constraints"]
    assert re.fullmatch(pattern, value)
    assert not re.fullmatch(pattern, value.replace(".", "x") + "x")
    assert not re.fullmatch(pattern, "v1x2")


def test_ports_volumes_variables_and_arguments() -> None:
    keys = "ports: ['8080:80', '53/udp'], volumes: ['db:/db:ro', '/s:/t'], memory: 65M"
    found = app(f"{keys}, environment: {{A: '$B'}}, command: [x]")
    assert found["container"] == {
        "type": "DOCKER",
        "docker": {
            "image": "x/y:1",
            "network": "BRIDGE",
            "portMappings": [
                {"containerPort": 80, "hostPort": 8080, "protocol": "tcp"},
                {"containerPort": 53, "hostPort": 0, "protocol": "udp"},
            ],
            "parameters": [{"key": "volume", "value": "app-db:/db:ro"}],
        },
        "volumes": [{"containerPath": "/t", "hostPath": "/s", "mode": "RW"}],
    }
    assert (found["env"], found["args"], found["mem"]) == ({"A": "$B"}, ["x"], 65)


def test_the_group_starts_in_order() -> None:
    found = document(placed("db: {replicas: 0}\nweb: {depends_on: [db]}", Target.MARATHON))
    assert found["id"] == "/app"
    assert [(each["id"], each["instances"], each.get("dependencies")) for each in found["apps"]] == [
        ("/app/db", 0, None),
        ("/app/web", 1, ["/app/db"]),
    ]


def test_global_services_count_their_hosts() -> None:
    assert app("replicas: global, on: {t: pi}", HOSTS)["instances"] == 2
    assert app("replicas: global, arch: amd64", HOSTS)["instances"] == 1
    assert app("replicas: global")["instances"] == 1


@pytest.mark.parametrize(
    ("keys", "note"),
    [
        ("memory: 1M, prefer: {a: b}", "web: Marathon cannot prefer (a=b)"),
        ("memory: 1M, replicas: global", "web: Marathon has no global services: set `instances`"),
        ("memory: 1M, ports: ['80:80']", "web: agents offer the ports 31000-32000 alone"),
        ("memory: 1M, arch: arm64", "web: Mesos knows no architecture of an agent"),
        ("replicas: 2", "web: without `memory` Marathon allows 128 MiB"),
    ],
)
def test_what_marathon_cannot_is_said(keys: str, note: str) -> None:
    (found,) = placed(f"web: {{{keys}}}", Target.MARATHON).notes
    assert found.startswith(note)


def test_names_of_services_are_told() -> None:
    notes = placed("db: {memory: 1M}\nweb: {memory: 1M}", Target.MARATHON).notes
    assert ["db-app.marathon.mesos" in note for note in notes] == [True]
    assert not placed("web: {memory: 1M, ports: ['31000:80']}", Target.MARATHON).notes
