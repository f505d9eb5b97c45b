"""Compose files, recipes and docs/slow-hosts.md of the stack rancher agree with each other."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
RANCHER = ROOT / "recipes" / "rancher"
COMPOSE = RANCHER / "compose"
PAGE = (ROOT / "docs" / "slow-hosts.md").read_text()
TEMPLATES = sorted(path.name for path in COMPOSE.iterdir())
SERVICES = ["healthcheck", "network-manager", "scheduler", "swarmkit"]
VARIABLE = re.compile(r"\$\{([A-Z_]+)\}")
# What the stack has no recipe for: docs/limitations.md.
FOREIGN = {"metadata", "dns"}

# One entry for each row of the facts about volumes and about time-outs that this project was built from.
ROWS = (
    "volume `rancher-cni`",
    "volume `rancher-cni-driver`",
    "`/opt/cni/bin` in net",
    "`/var/lib/cni/bin`",
    "volume `rancher-agent-state`",
    "host `/var/lib/rancher`",
    "NewClientAndWait",
    "metadata's HTTP client",
    "OnChangeWithError",
    "scheduler's start",
    "scheduler's error counter",
    "scheduler's /healthcheck",
    "CATTLE_SCHEDULER_SLEEPTIME",
    "scheduler's health check",
    "healthcheck's health check",
    "network-manager's CNI add",
    "agent's wait for an address",
    "`r`",
    "metadata's container",
    "healthcheck's loop",
    "agent's run.sh",
)

# What the table calls a limitation -> how docs/limitations.md says it.
LIMITATIONS = {
    "the source of `r`": "The source of `r`",
    "net": "net, metadata and dns have no recipe",
    "older network-manager": "Older network-manager",
    "afterwards": "keeps its own time-out",
}


def read(path: Path) -> Any:
    return yaml.load(path.read_text(), Loader=yaml.BaseLoader)


def recipe(name: str) -> Any:
    return read(RANCHER / f"{name}.yaml")


def defaults(template: str) -> dict[str, str]:
    """The catalogue's questions: variable -> default, "" where there is none."""
    questions = read(COMPOSE / template / "rancher-compose.yml")[".catalog"]["questions"]
    assert all(one["required"] == "true" and one["label"] for one in questions)
    return {one["variable"]: one.get("default", "") for one in questions}


def filled(template: str, file: str) -> Any:
    """A file with the defaults in the places of its variables."""
    given = defaults(template)
    text = (COMPOSE / template / file).read_text()
    return yaml.load(VARIABLE.sub(lambda one: given[one[1]] or "example.org", text), Loader=yaml.BaseLoader)


def covers() -> dict[str, str]:
    table = PAGE.split("## What covers what")[1]
    lines = [line.strip("|").split("|") for line in table.splitlines() if line.startswith("|")]
    return {line[0].strip(): line[2].strip() for line in lines[2:]}


def minutes(text: str) -> int:
    assert re.fullmatch(r"[0-9]+m", text)
    return int(text.removesuffix("m"))


@pytest.mark.parametrize("template", TEMPLATES)
def test_every_variable_is_asked_for_and_every_question_is_used(template: str) -> None:
    texts = [(COMPOSE / template / name).read_text() for name in ("docker-compose.yml", "rancher-compose.yml")]
    assert {one for text in texts for one in VARIABLE.findall(text)} == set(defaults(template))


@pytest.mark.parametrize("template", TEMPLATES)
def test_images_are_those_that_the_recipes_make(template: str) -> None:
    for name, service in filled(template, "docker-compose.yml")["services"].items():
        if name in FOREIGN:
            continue
        host, _, image = service["image"].rpartition("/")
        repository, _, tag = image.partition(":")
        made = recipe(repository)
        assert (host, repository, tag) == ("example.org", made["image"]["repository"], made["version"])


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_check_allows_more_time_to_start_than_the_wait_takes(template: str) -> None:
    limit = minutes(defaults(template)["AWAIT_LIMIT"])
    checks = {
        name: service["health_check"]
        for name, service in filled(template, "rancher-compose.yml").items()
        if name != ".catalog" and "health_check" in service
    }
    assert set(checks) == {"network-services": set()}.get(
        template, set(filled(template, "docker-compose.yml")["services"])
    )
    for check in checks.values():
        for key in ("initializing_timeout", "reinitializing_timeout"):
            assert int(check[key]) >= (limit + 1) * 60_000
        assert int(check["response_timeout"]) >= 10_000


def test_times_are_longer_than_those_of_the_catalogue() -> None:
    given = defaults("network-services")
    assert int(given["CPU_QUOTA"]) >= int(given["CPU_PERIOD"])
    assert int(given["DNS_RECURSER_TIMEOUT"]) > 2
    assert int(given["RELOAD_INTERVAL_LIMIT"]) > 1000


@pytest.mark.parametrize("name", [*SERVICES, "agent"])
def test_await_is_in_front_of_each_service(name: str) -> None:
    image = recipe(name)["image"]
    assert {"binary": "await", "component": "await", "to": "/usr/bin/"} in image["files"]
    assert image["entrypoint"][-2:] == ["/usr/bin/await", "--"]
    assert "tini" not in image["base"]["packages"]
    assert minutes(image["env"]["AWAIT_LIMIT"]) == 10


def test_network_manager_waits_only_when_the_route_to_metadata_is_there() -> None:
    assert recipe("network-manager")["image"]["entrypoint"][0] == "/usr/bin/start.sh"


def test_the_agent_waits_longer_for_an_address_than_network_manager_tries() -> None:
    (agent,) = (edit["replace"] for edit in recipe("agent")["edits"] if "180" in edit["replace"])
    (tries,) = (e["replace"] for e in recipe("network-manager")["edits"] if "maxRetries" in e["pattern"])
    assert int(re.findall(r"180", agent)[0]) > 2 * int(tries.removeprefix(r"\g<1>"))


def test_pruning_is_off_unless_somebody_asks_for_it() -> None:
    env = recipe("swarmkit")["image"]["env"]
    assert env["PRUNE_HOSTS"] == defaults("swarm")["PRUNE_HOSTS"] == "false"
    assert env["PRUNE_MISSES"] == defaults("swarm")["PRUNE_MISSES"]
    assert int(env["PRUNE_MISSES"]) > 1


def test_every_row_of_the_facts_is_covered_by_something_that_exists() -> None:
    rows = covers()
    assert tuple(rows) == ROWS
    for row, by in rows.items():
        named = [
            *re.findall(r"[a-z-]+\.yaml", by),
            *re.findall(r"compose/[a-z-]+", by),
            *re.findall(r"recipes/\w+", by),
        ]
        for one in named:
            there = ROOT / one if one.startswith("recipes/") else RANCHER / one
            assert there.exists(), f"{row}: {one}"
        assert named or "limitation: " in by or "nothing to do" in by, row


def test_what_cannot_be_acted_on_is_among_the_limitations() -> None:
    named = {one for by in covers().values() for one in re.findall(r"limitation: ([^;]+)", by)}
    assert named == set(LIMITATIONS)
    page = (ROOT / "docs" / "limitations.md").read_text()
    assert [words for words in LIMITATIONS.values() if words not in page] == []
