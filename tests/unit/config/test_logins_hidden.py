"""No login of an image's name is shown, wherever in a YAML file it stands, and whatever is wrong there."""

from __future__ import annotations

import pytest

from rearch.config.problems import Problem, masked, shown


@pytest.mark.parametrize(
    "line",
    [
        "base: {registry: bob:hunter2@example.org/base:1}",
        'base: {registry: "bob:hunter2@example.org/base:1"}',
        "  registry: bob:hunt/er2@example.org/base",
        "  registry: bob:hunt@er2@example.org/base@sha256:00",
        "adopt: {agent: {linux/amd64: 'bob:hunter2@example.org/agent'}}",
        "git: https://bob:hunter2@example.org/agent",
    ],
)
def test_a_login_is_masked_and_nothing_moves(line: str) -> None:
    found = masked(line)
    assert len(found) == len(line)
    assert not any(word in found for word in ("bob", "hunt", "er2"))
    assert found.rsplit("@", maxsplit=1)[-1] == line.rsplit("@", maxsplit=1)[-1]
    assert "hunt" not in Problem(file="a.yaml", line=1, column=3, text="wrong", source=line).render()


@pytest.mark.parametrize(
    "line",
    [
        "registry: docker.io/library/debian:12@sha256:00",
        "registry: example.org:5000/a:b@sha256:00",
        "git: git@github.com:rancher/agent",
        "mail: somebody@example.org",
        "git: https://example.org/a",
    ],
)
def test_what_is_no_login_stays(line: str) -> None:
    assert masked(line) == line


def test_a_cut_hides_no_at_sign() -> None:
    assert "hunter2" not in shown("bob:hunter2" * 6 + "@example.org/base")
