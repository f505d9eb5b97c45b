"""recipes/rancher/files/swarm/prune-hosts, in two shells, against real servers and a docker client that takes notes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.cli import ROOT
from tests.support.needs import need_program
from tests.support.rancher_scripts import SWARMKIT
from tests.support.swarm_side import SwarmSide, host, node

DASH = "dash"
# Dash runs all of it, bash what uses each part of the script once.
SHELLS = pytest.mark.parametrize("shell", ["dash", "bash"])
PI_GONE = ["node rm --force id-pi"]


@pytest.fixture
def swarm(tmp_path: Path) -> Iterator[SwarmSide]:
    for program in ("dash", "bash", "jq", "curl"):
        need_program(program, program)
    with SwarmSide(tmp_path, nodes=[node("self"), node("pi")], hosts=[host("self")]) as side:
        yield side


def rounds(swarm: SwarmSide, shell: str, count: int, **settings: str) -> list[str]:
    """What docker was asked in so many rounds."""
    for _ in range(count):
        done = swarm.run(shell, **settings)
        assert (done.returncode, done.stdout) == (0, "")
    return swarm.asked


@SHELLS
def test_a_host_that_left_is_removed_after_so_many_misses_and_once(swarm: SwarmSide, shell: str) -> None:
    assert rounds(swarm, shell, 2, PRUNE_MISSES="3") == []
    assert rounds(swarm, shell, 1, PRUNE_MISSES="3") == PI_GONE
    swarm.nodes = [node("self")]
    assert rounds(swarm, shell, 3, PRUNE_MISSES="3") == []


def test_it_takes_ten_misses_when_nothing_else_is_said(swarm: SwarmSide) -> None:
    assert rounds(swarm, DASH, 9, PRUNE_MISSES="") == []
    assert rounds(swarm, DASH, 1, PRUNE_MISSES="") == PI_GONE


@pytest.mark.parametrize("asked", ["", "false", "True", "yes", "1"])
def test_nobody_is_removed_who_did_not_ask_for_it(swarm: SwarmSide, asked: str) -> None:
    assert rounds(swarm, DASH, 4, PRUNE_HOSTS=asked) == []
    said = swarm.run(DASH, PRUNE_HOSTS=asked)
    assert ("neither true nor false" in said.stderr) == (asked not in ("", "false"))
    assert swarm.run(DASH, "lost", "id-pi", PRUNE_HOSTS=asked).returncode == 1
    assert swarm.run(DASH, "replaced", PRUNE_HOSTS=asked).stdout == ""


@pytest.mark.parametrize("misses", ["0", "1", "-3", "many", "2.5", "99999"])
def test_a_number_of_misses_that_makes_no_sense_removes_nobody(swarm: SwarmSide, misses: str) -> None:
    assert rounds(swarm, DASH, 4, PRUNE_MISSES=misses) == []
    assert f"PRUNE_MISSES is '{misses}'" in swarm.run(DASH, PRUNE_MISSES=misses).stderr
    assert swarm.run(DASH, "lost", "id-pi", PRUNE_MISSES=misses).returncode == 1


@pytest.mark.parametrize(
    ("in_swarm", "in_metadata"),
    [
        ("pi", "pi.example.org"),
        ("pi.example.org", "pi"),
        ("PI", "pi"),
        ("pi", "Pi.Example.ORG"),
        ("pi.a.example.org", "pi.b.example.org"),
        ("pi", "pi"),
    ],
)
def test_short_names_are_compared_whatever_their_case(swarm: SwarmSide, in_swarm: str, in_metadata: str) -> None:
    swarm.nodes = [node("SELF.example.org"), node(in_swarm)]
    swarm.hosts = [host("self"), host(in_metadata)]
    assert rounds(swarm, DASH, 4) == []


def test_names_that_only_begin_alike_are_not_the_same(swarm: SwarmSide) -> None:
    swarm.nodes = [node("self"), node("pi")]
    swarm.hosts = [host("self"), host("pi2"), host("raspi")]
    assert rounds(swarm, DASH, 2) == PI_GONE


@pytest.mark.parametrize(
    "where", [{"Status": {"State": "ready", "Addr": "10.0.0.7"}}, {"ManagerStatus": {"Addr": "10.0.0.7:2377"}}]
)
def test_a_host_of_another_name_is_known_by_its_address(swarm: SwarmSide, where: dict[str, Any]) -> None:
    swarm.nodes = [node("self"), node("pi", **where)]
    swarm.hosts = [host("self"), host("raspberry", "10.0.0.7")]
    assert rounds(swarm, DASH, 4) == []
    swarm.hosts = [host("self"), host("raspberry", "10.0.0.8")]
    assert rounds(swarm, DASH, 2) == PI_GONE


NO_ANSWERS = {
    "empty": [],
    "an error": None,
    "nothing": "",
    "cut off": '[{"hostname": "self"}, {"hostn',
    "a page": "<html>Bad gateway</html>",
    "a text": '"Not found"',
    "an object": {"hostname": "self"},
    "hosts without names": [{"hostname": "self"}, {"name": "pi"}],
    "an empty name": [{"hostname": "self"}, {"hostname": ""}],
    "no host": [{"hostname": "self"}, None],
    "two documents": '[{"hostname": "self"}] []',
    "not this host": [{"hostname": "other"}],
}


@pytest.mark.parametrize("answer", NO_ANSWERS.values(), ids=NO_ANSWERS.keys())
def test_an_answer_that_cannot_be_trusted_removes_nobody_and_breaks_the_row(swarm: SwarmSide, answer: Any) -> None:
    good = swarm.hosts
    assert rounds(swarm, DASH, 1) == []
    swarm.hosts = answer
    assert rounds(swarm, DASH, 3) == []
    assert "nothing is removed, and counting starts again" in swarm.run(DASH).stderr
    swarm.hosts = good
    assert rounds(swarm, DASH, 1) == []
    assert rounds(swarm, DASH, 1) == PI_GONE


def test_metadata_that_is_not_there_at_all_removes_nobody(swarm: SwarmSide) -> None:
    assert rounds(swarm, DASH, 4, META_URL="http://127.0.0.1:9/2015-12-19") == []


@pytest.mark.parametrize("answer", [[], None, "", "<html>", [{"ID": "x"}], [node("self"), {"ID": ""}]], ids=str)
def test_an_engine_that_does_not_tell_its_nodes_removes_nobody(swarm: SwarmSide, answer: Any) -> None:
    swarm.nodes = answer
    assert rounds(swarm, DASH, 4) == []
    assert "the engine tells no nodes" in swarm.run(DASH).stderr


def test_a_host_that_metadata_names_again_starts_from_nothing(swarm: SwarmSide) -> None:
    for _ in range(3):
        swarm.hosts = [host("self")]
        assert rounds(swarm, DASH, 1) == []
        swarm.hosts = [host("self"), host("pi")]
        assert rounds(swarm, DASH, 1) == []


def test_the_node_itself_stays_even_when_all_others_go(swarm: SwarmSide) -> None:
    swarm.hosts = [host("pi")]
    assert rounds(swarm, DASH, 4) == []
    assert "does not name this very host" in swarm.run(DASH).stderr
    swarm.me = ""
    assert "the engine does not tell which node it is itself" in swarm.run(DASH).stderr
    assert swarm.asked == []


def test_two_nodes_of_one_name_are_counted_apart(swarm: SwarmSide) -> None:
    swarm.nodes = [node("self"), node("pi", ID="first")]
    assert rounds(swarm, DASH, 1) == []
    swarm.nodes = [node("self"), node("pi", ID="first"), node("pi", ID="second")]
    assert rounds(swarm, DASH, 1) == ["node rm --force first"]


@SHELLS
def test_a_manager_is_demoted_first_and_stays_when_that_fails(swarm: SwarmSide, shell: str) -> None:
    swarm.nodes = [node("self"), node("pi", Spec={"Role": "manager"}), node("vm")]
    assert rounds(swarm, shell, 1) == []
    done = swarm.run(shell, DOCKER_REFUSES="demote")
    assert done.returncode == 1
    assert "id-pi is a manager and could not be demoted; it stays" in done.stderr
    assert swarm.asked == ["node demote id-pi", "node rm --force id-vm"]
    assert swarm.run(shell).returncode == 0
    assert swarm.asked == ["node demote id-pi", "node rm --force id-pi", "node rm --force id-vm"]


@pytest.mark.parametrize("content", ["", "{", "[1]", '{"id-pi": "9"}', '{"id-pi": -4}', '{"id-pi": 1.5}', "\0\1"])
def test_counts_that_cannot_be_read_are_no_counts(swarm: SwarmSide, content: str) -> None:
    (swarm.base / "state").mkdir()
    (swarm.base / "state/hosts.count").write_text(content)
    assert rounds(swarm, DASH, 1) == []
    assert rounds(swarm, DASH, 1) == PI_GONE


def test_where_no_counts_can_be_kept_nobody_is_removed(swarm: SwarmSide) -> None:
    (swarm.base / "state").write_text("a file in the place of the folder")
    for _ in range(3):
        done = swarm.run(DASH)
        assert done.returncode == 1
        assert "cannot keep counts" in done.stderr
    assert swarm.asked == []


@SHELLS
def test_only_a_node_that_is_down_and_has_a_ready_twin_is_replaced(swarm: SwarmSide, shell: str) -> None:
    down = {"State": "down"}
    swarm.nodes = [
        node("self"),
        node("pi", ID="old", Status=down),
        node("PI", ID="new"),
        node("vm", Status=down),
    ]
    assert swarm.run(shell, "replaced").stdout == ""
    assert swarm.run(shell, "replaced").stdout == "pi\n"
    swarm.nodes = [node("self"), node("vm", Status=down)]
    assert [swarm.run(shell, "replaced").stdout for _ in range(3)] == ["", "", ""]
    assert swarm.asked == []


@SHELLS
def test_a_manager_is_lost_after_so_many_misses_on_end(swarm: SwarmSide, shell: str) -> None:
    assert [swarm.run(shell, "lost", "a").returncode for _ in range(3)] == [1, 0, 0]
    # Another one is lost: the row of the first is broken.
    assert [swarm.run(shell, "lost", one).returncode for one in ("b", "a", "a")] == [1, 1, 0]
    assert swarm.run(shell, "lost", "null").returncode == 1
    assert swarm.run(shell, "lost").returncode == 1


def test_the_recipe_puts_the_script_where_upstream_removed_hosts_at_once(swarm: SwarmSide) -> None:
    """The edits, on a script of upstream's shape: what is quoted of it in the recipe's patterns, in our words."""
    script = SWARMKIT
    for edit in yaml.safe_load((ROOT / "recipes/rancher/swarmkit.yaml").read_text())["edits"]:
        script, count = re.subn(edit["pattern"], edit["replace"], script, flags=re.MULTILINE)
        assert count == edit.get("count", 1), edit["pattern"]
    script = script.replace("/usr/bin/prune-hosts", str(ROOT / "recipes/rancher/files/swarm/prune-hosts"))
    script = script.replace("/var/run/docker.sock", str(swarm.base / "docker.sock"))
    (swarm.base / "run.sh").write_text(script)
    swarm.nodes.append(node("vm", Status={"State": "down"}))
    swarm.hosts = []
    for _ in range(3):
        done = swarm.call(("bash", "run.sh"))
        assert (done.returncode, done.stdout) == (0, "3 nodes\n"), done.stderr
    assert swarm.asked == []
    swarm.hosts = [host("self"), host("vm")]
    assert [swarm.call(("bash", "run.sh")).returncode for _ in range(2)] == [0, 0]
    assert swarm.asked == PI_GONE
