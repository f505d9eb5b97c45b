"""`stale REF REF`: several references as words of their own."""

from __future__ import annotations

import pytest

from rearch.cli.upkeep import references_joined

TASKS = {"stale", "outdated", "build"}


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("stale a:1", "stale a:1"),
        ("stale a:1 b:1 c:1", "stale a:1,b:1,c:1"),
        ("stale a:1,b:1 c:1 --json", "stale a:1,b:1,c:1 --json"),
        ("stale --json a:1 b:1", "stale --json a:1,b:1"),
        ("stale --project p a:1 b:1 --all", "stale --project p a:1,b:1 --all"),
        ("stale a:1 outdated --json", "stale a:1 outdated --json"),
        ("stale", "stale"),
        ("stale --json", "stale --json"),
        ("build a b", "build a b"),
    ],
)
def test_one_word_for_invoke(given: str, wanted: str) -> None:
    assert references_joined(given.split(), TASKS) == wanted.split()
