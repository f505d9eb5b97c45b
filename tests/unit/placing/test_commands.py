"""The scripts that label hosts. tests/integration/test_place.py runs them."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import parse_qsl

import pytest

from rearch.model.application import ARCH_LABEL
from rearch.model.platform import parse_platform
from rearch.placing.targets import Target, arch_labels
from tests.support.placing import placed

DOCS = Path(__file__).parents[3] / "docs"

HOSTS = "pi1: {arch: arm64, labels: {type: pi, zone: a}}\nvm1: {arch: amd64}"
APP = "web: {on: {type: pi}}\ndb: {arch: [arm64, amd64]}"


def lines(target: Target, services: str = APP, known: str = HOSTS) -> list[str]:
    script = placed(services, target, known).labels
    assert script.startswith("#!/bin/sh\n")
    assert "set -eu" in script
    assert script.endswith("\n")
    return script.splitlines()


def test_swarm() -> None:
    found = [line for line in lines(Target.SWARM) if line.startswith("docker ")]
    assert found == ["docker node update --label-add type=pi --label-add zone=a pi1"]


def test_kubernetes() -> None:
    assert [line for line in lines(Target.KUBERNETES) if line.startswith("kubectl")] == [
        "kubectl label node pi1 --overwrite kubernetes.io/arch=arm64 type=pi zone=a",
        "kubectl label node vm1 --overwrite kubernetes.io/arch=amd64",
    ]


def test_cattle_says_the_architecture_and_the_sets_of_them() -> None:
    found = lines(Target.CATTLE)
    both = "arch.aarch64-x86_64"
    assert [line for line in found if line.startswith("label ")] == [
        f"""label pi1 '{{"arch": "aarch64", "{both}": "yes", "type": "pi", "zone": "a"}}'""",
        f"""label vm1 '{{"arch": "x86_64", "{both}": "yes"}}'""",
    ]
    registered = [line for line in found if "CATTLE_HOST_LABELS=" in line]
    assert f"'CATTLE_HOST_LABELS=arch=aarch64&{both}=yes&type=pi&zone=a'" in registered[0]


def test_the_how_to_registers_a_pi_with_the_label_that_rules_ask_for() -> None:
    found = re.findall(r"CATTLE_HOST_LABELS='([^']+)'", (DOCS / "raspberry-pi.md").read_text())
    assert [dict(parse_qsl(text))[ARCH_LABEL] for text in found] == ["aarch64"]
    assert arch_labels(parse_platform("arm64")) == {ARCH_LABEL: "aarch64"}


def test_marathon() -> None:
    found = [line.strip() for line in lines(Target.MARATHON) if "--attributes" in line]
    assert found == [
        """pi1) exec mesos-slave --attributes='arch:aarch64;type:pi;zone:a' "$@" ;;""",
        """vm1) exec mesos-slave --attributes=arch:x86_64 "$@" ;;""",
    ]


@pytest.mark.parametrize("target", [Target.CATTLE, Target.SWARM, Target.KUBERNETES])
def test_without_hosts_the_script_asks_for_those_that_it_labels(target: Target) -> None:
    found = lines(target, "my-web: {on: {type: pi}, prefer: {type: vm, disk: ssd}}\nfree: {not_on: {a: b}}", "")
    asked = [line for line in found if line.startswith(": ")]
    assert asked == [': "${HOST_FOR_MY_WEB:?the name of a host for my-web}"']
    (last,) = [line for line in found if '"$HOST_FOR_MY_WEB"' in line]
    assert "pi" in last
    assert "ssd" in last
    assert "vm" not in last


def test_who_gets_no_label_is_not_asked_for() -> None:
    assert not any("HOST_FOR" in line for line in lines(Target.SWARM, "web: {arch: arm64}", ""))
    assert any("HOST_FOR_WEB" in line for line in lines(Target.KUBERNETES, "web: {arch: arm64}", ""))
