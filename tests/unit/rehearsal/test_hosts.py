"""What counts as a start, and what as a refusal: judged by what a container said."""

from __future__ import annotations

import pytest

from rearch.host.docker.running import Said
from rearch.model.platform import parse_platform
from rearch.rehearsal.findings import NotAsExpected
from rearch.rehearsal.hosts import Started, check_refused, check_started

ARM64 = parse_platform("arm64")
OWN, OTHER = "rancher-agent arm64 v0.13.11", "rancher-agent amd64 v0.13.11"
APPLIED = "config.sh: pyagent: applied 421d5014"
NOT_FOUND = "/var/lib/cattle/pyagent/apply.sh: 8: exec: /var/lib/cattle/pyagent/agent: not found"


def started(code: int | None, *lines: str) -> Started:
    return Started(platform=ARM64, image="sha256:00", said=Said(code=code, text="\n".join(lines)))


def test_a_host_that_starts_its_own_agent() -> None:
    assert check_started(started(0, APPLIED, OWN, "started as x")) == OWN


@pytest.mark.parametrize(
    "host",
    [
        started(0, APPLIED),
        started(0, APPLIED, OTHER),
        started(0, APPLIED, OWN, OTHER),
        started(1, APPLIED, OWN),
        started(None, APPLIED, OWN),
        started(127, APPLIED, NOT_FOUND),
        started(0, APPLIED, f"x {OWN}"),
    ],
    ids=["silent", "of another machine", "both", "failed", "never ended", "refused", "not its first words"],
)
def test_a_host_that_does_not(host: Started) -> None:
    with pytest.raises(NotAsExpected) as caught:
        check_started(host)
    assert OWN in caught.value.summary
    assert caught.value.seen[0] == host.said.lines[0]


@pytest.mark.parametrize(
    "words",
    [
        NOT_FOUND,
        "sh: 1: /var/lib/cattle/pyagent/agent: Exec format error",
        "bash: /var/lib/cattle/pyagent/agent: cannot execute binary file: Exec format error",
        "/var/lib/cattle/pyagent/agent: No such file or directory",
    ],
    ids=["dash, loader", "dash, format", "bash, format", "bash, loader"],
)
def test_an_agent_that_the_kernel_refuses(words: str) -> None:
    assert check_refused(started(127, APPLIED, words)) == words


@pytest.mark.parametrize(
    "host",
    [
        started(0, APPLIED, OTHER),
        started(127, APPLIED, OWN, NOT_FOUND),
        started(1, "config.sh: pyagent: SHA1SUMS is wrong"),
        started(127, NOT_FOUND),
        started(0, APPLIED, NOT_FOUND),
        started(None, APPLIED, NOT_FOUND),
        started(127, APPLIED, "curl: not found"),
    ],
    ids=["started", "started too", "wrong sums", "never applied", "exit code 0", "never ended", "another program"],
)
def test_what_is_no_such_refusal(host: Started) -> None:
    with pytest.raises(NotAsExpected):
        check_refused(host)
