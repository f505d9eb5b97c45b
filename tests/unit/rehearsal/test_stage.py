"""Which engine is used, and what is said of what was kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from rearch.errors import ExitCode
from rearch.host.docker.errors import BadEngine
from rearch.rehearsal import story
from rearch.rehearsal.stage import RemoteEngine, engine_of
from rearch.rehearsal.story import CURED, PROBLEM, REFIT, STEPS, how_to_look


def test_an_engine_that_is_named_is_used() -> None:
    assert engine_of("unix:///run/docker.sock", {}) == "unix:///run/docker.sock"


@pytest.mark.parametrize("url", ["tcp://pi.example.org:2376", "ssh://root@pi.example.org"])
def test_one_of_another_machine_cannot_be(url: str) -> None:
    with pytest.raises(RemoteEngine) as caught:
        engine_of(url, {})
    assert caught.value.exit_code is ExitCode.USAGE
    assert "loopback" in caught.value.details[0]


def test_one_of_another_machine_in_the_environment_is_left_alone() -> None:
    assert engine_of("", {"DOCKER_HOST": "tcp://pi.example.org:2376"}) == ""


def test_what_is_no_address_is_told() -> None:
    with pytest.raises(BadEngine):
        engine_of("docker.sock", {})


def test_the_problem_comes_before_the_cure() -> None:
    assert STEPS.index(PROBLEM) < STEPS.index(REFIT) < min(STEPS.index(name) for name in CURED)
    assert len(set(STEPS)) == len(STEPS)
    names = {value for name, value in vars(story).items() if name.isupper() and isinstance(value, str)}
    assert names <= set(STEPS)


def test_what_is_kept_can_be_found_and_removed() -> None:
    lines = how_to_look(Path("/tmp/r"))
    assert lines[-1].endswith("rm -r /tmp/r")
    assert any("docker-registry serve /tmp/r/registry/config.json" in line for line in lines)
    assert any("--host unix:///tmp/r/engine/docker.sock" in line for line in lines)
