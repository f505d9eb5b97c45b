"""A build with nothing to do, against `invoke --list` on an empty tasks.py."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.bench.measure import SCRIPTS, Figure, best, run
from tests.support.go_project import make_go_project

RUNS = 7


def noop() -> Iterator[Figure]:
    """At most 2.5 times as long."""
    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        empty = base / "empty"
        empty.mkdir()
        (empty / "tasks.py").write_text("from invoke import task\n\n\n@task\ndef nothing(context):\n    pass\n")
        project = make_go_project(base / "project", components=("one", "two"))
        env = {"REARCH_CACHE": str(base / "cache")}
        build: list[str | Path] = [SCRIPTS / "rearch", "--project", project, "build", "--arch", "arm64"]
        run(build, env=env)
        listed = best(RUNS, lambda: run([SCRIPTS / "invoke", "--list"], cwd=empty))
        idle = best(RUNS, lambda: run(build, env=env))
        yield Figure(
            name="no-op build / empty invoke --list",
            value=idle / listed,
            bound=2.5,
            unit=" x",
            detail=f"{idle:.2f} s / {listed:.2f} s",
        )
