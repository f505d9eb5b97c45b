"""The stack file; tests/integration/test_swarm_placement.py deploys such files."""

from __future__ import annotations

import pytest

from rearch.model.platform import PLATFORMS
from rearch.placing.targets import Target
from tests.support.placing import document, placed


def constraints(keys: str) -> list[str]:
    deploy = document(placed(f"web: {{{keys}}}", Target.SWARM))["services"]["web"]["deploy"]
    found: list[str] = deploy.get("placement", {}).get("constraints", [])
    return found


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("", []),
        ("on: {type: raspberry, disk: ssd}", ["node.labels.type==raspberry", "node.labels.disk==ssd"]),
        ("not_on: {type: vm}", ["node.labels.type!=vm"]),
        ("arch: arm64", ["node.platform.arch==aarch64"]),
        ("arch: amd64, on: {type: vm}", ["node.platform.arch==x86_64", "node.labels.type==vm"]),
        ("prefer: {type: vm}, prefer_not: {a: b}", []),
    ],
)
def test_rules_are_constraints(keys: str, expected: list[str]) -> None:
    assert constraints(keys) == expected


@pytest.mark.parametrize("arch", ["arm/v7", "386", "[arm64, amd64]", "[arm/v6, arm/v7]"])
def test_of_several_names_the_others_are_excluded(arch: str) -> None:
    """All names of nodes that rearch knows either fit, or are excluded: none is both, none is left out."""
    words = [platform.strip() for platform in arch.strip("[]").split(",")]
    wanted = {name for each in PLATFORMS if each.arch_name in words for name in each.arch.uname}
    every = {name for each in PLATFORMS for name in each.arch.uname}
    excluded = {text.removeprefix("node.platform.arch!=") for text in constraints(f"arch: {arch}")}
    assert wanted
    assert excluded == every - wanted


def test_how_many() -> None:
    found = document(placed("a: {replicas: 3, memory: 1M}\nb: {replicas: global}", Target.SWARM))
    assert found["version"] == "3"
    assert found["services"]["a"]["deploy"] == {"replicas": 3, "resources": {"limits": {"memory": "1048576"}}}
    assert found["services"]["b"]["deploy"] == {"mode": "global"}


def test_soft_rules_are_not_dropped_in_silence() -> None:
    found = placed("web: {prefer: {disk: ssd}, prefer_not: {type: vm}}", Target.SWARM)
    (note,) = found.notes
    assert note.startswith("web: Swarm cannot prefer (disk=ssd, not type=vm)")
    assert found.files[0].comments == (note,)


def test_what_else_is_different_is_said() -> None:
    found = placed(
        "db: {volumes: ['v:/v']}\nok: {volumes: ['v:/v'], on: {a: b}}\nweb: {depends_on: [db]}", Target.SWARM
    )
    assert [note.partition(":")[0] for note in found.notes] == ["db", "web"]
    assert "named volumes stay on the node" in found.notes[0]
    assert "starts all services at once" in found.notes[1]
