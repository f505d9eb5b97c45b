"""Cattle's two files: labels that Rancher 1.6 obeys."""

from __future__ import annotations

from typing import Any

import pytest

from rearch.placing.targets import Target
from tests.support.placing import document, placed

AFFINITY = "io.rancher.scheduler.affinity:host_label"


def service(keys: str) -> Any:
    return document(placed(f"web: {{{keys}}}", Target.CATTLE))["services"]["web"]


@pytest.mark.parametrize(
    ("keys", "labels"),
    [
        ("on: {type: raspberry}", {AFFINITY: "type=raspberry"}),
        ("on: {type: raspberry, disk: ssd}", {AFFINITY: "type=raspberry,disk=ssd"}),
        ("not_on: {type: vm}", {f"{AFFINITY}_ne": "type=vm"}),
        ("prefer: {disk: ssd}", {f"{AFFINITY}_soft": "disk=ssd"}),
        ("prefer_not: {disk: sd, type: vm}", {f"{AFFINITY}_soft_ne": "disk=sd,type=vm"}),
        ("arch: arm64, on: {type: pi}", {AFFINITY: "arch=aarch64,type=pi"}),
        ("arch: arm/v7", {AFFINITY: "arch=armv7l"}),
        ("arch: [arm64, arm/v7]", {AFFINITY: "arch.aarch64-armv7l=yes"}),
        ("replicas: global, not_on: {a: b}", {f"{AFFINITY}_ne": "a=b", "io.rancher.scheduler.global": "true"}),
    ],
)
def test_rules_are_labels(keys: str, labels: dict[str, str]) -> None:
    assert service(keys) == {"image": "x/y:1", "labels": labels}


def test_without_rules_there_are_no_labels() -> None:
    assert service("ports: ['80:80']") == {"image": "x/y:1", "ports": ["80:80"]}


def test_everything_else_in_compose_words() -> None:
    keys = "command: [run, 'a$b'], environment: {P: 'x${Y}$$'}, volumes: ['db:/v', '/s:/t:ro'], memory: 64M"
    found = document(placed(f"db: {{}}\nweb: {{{keys}, depends_on: [db]}}", Target.CATTLE))
    assert found["services"]["web"] == {
        "image": "x/y:1",
        "command": ["run", "a$$b"],
        "environment": {"P": "x$${Y}$$$$"},
        "volumes": ["db:/v", "/s:/t:ro"],
        "depends_on": ["db"],
        "mem_limit": 64 * 2**20,
    }
    assert found["volumes"] == {"db": {}}
    assert found["version"] == "2"


def test_rancher_compose_has_the_scale() -> None:
    found = placed("a: {replicas: 3}\nb: {replicas: global}\nc: {replicas: 0}", Target.CATTLE)
    assert [file.name for file in found.files] == ["docker-compose.yml", "rancher-compose.yml"]
    assert document(found, 1) == {
        "version": "2",
        "services": {
            "a": {"scale": 3, "start_on_create": True},
            "b": {"start_on_create": True},
            "c": {"scale": 0, "start_on_create": True},
        },
    }


def test_what_cattle_needs_and_cannot_is_said() -> None:
    found = placed("a: {arch: arm64}\nb: {replicas: global, prefer: {x: y}}\nc: {prefer: {x: y}}", Target.CATTLE)
    assert len(found.notes) == 2
    assert found.notes[0].startswith("a: Rancher knows no architecture of a host. The label arch has to be given")
    assert "CATTLE_HOST_LABELS" in found.notes[0]
    assert found.notes[1] == "b: a global service obeys hard rules alone; what it prefers has no effect"
    assert found.files[0].comments == found.notes
