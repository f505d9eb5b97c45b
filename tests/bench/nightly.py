"""A night with nothing new: 50 components, three platforms, git sources, a real registry on this machine."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.bench.measure import SCRIPTS, Figure, run
from tests.support.go_project import change
from tests.support.nightly import moving_project
from tests.support.registry import Server, run_registry

COUNT = int(os.environ.get("REARCH_BENCH_COMPONENTS", "50"))
RUNS = 3


def nightly() -> Iterator[Figure]:
    """Seconds of the whole process, and its requests: one HEAD a tag, no clone."""
    with tempfile.TemporaryDirectory() as name, run_registry(Path(name) / "registry") as server:
        base = Path(name)
        half = tuple(f"tool{number}" for number in range(COUNT // 2))
        rest = tuple(f"pinned{number}" for number in range(COUNT - len(half)))
        rearch = moving_project(base, half, rest)
        stack = rearch.project / "recipes/demo/stack.yaml"
        change(stack, "platforms: [linux/arm64]", "platforms: [linux/amd64, linux/arm64, linux/arm/v7]")
        words: list[str | Path] = [SCRIPTS / "rearch", "--project", rearch.project, "nightly", "--to"]
        words += [f"{server.host}/team", "--date"]
        env = {"REARCH_CACHE": str(rearch.cache)}
        run([*words, "2024-05-17"], env=env)
        yield from _idle(server, words, env)


def _idle(server: Server, words: list[str | Path], env: dict[str, str]) -> Iterator[Figure]:
    before = len(server.requests())
    seconds = [run([*words, f"2024-05-{18 + number}"], env=env) for number in range(RUNS)]
    asked = server.requests()[before:]
    detail = ", ".join(f"{each:.2f} s" for each in seconds)
    yield Figure(name=f"a night with nothing new, {COUNT} x 3", value=min(seconds), bound=5.0, unit=" s", detail=detail)
    yield Figure(name="requests a night, one HEAD a tag", value=len(asked) / RUNS, bound=COUNT + 1)
    yield Figure(
        name="requests that are no HEAD", value=sum(not line.startswith("HEAD ") for line in asked), bound=RUNS
    )
