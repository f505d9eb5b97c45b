"""A volume that is as it should be: what it takes to find that out, besides the start of Python."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from rearch.model.platform import host_platform
from tests.bench.measure import SCRIPTS, Figure, run
from tests.support.volumes import volume_project

NAME = "rearch-bench"
SIZE = 20_000_000
RUNS = 3
STACK = f"""\
name: demo
summary: what a volume of Rancher holds of ours
platforms: [arm64]
volumes:
  {NAME}:
    files: {{pyagent/agent: {{binary: hello}}}}
"""
# Everything but the imports: read the project, connect, look at the volume, take the helper away; the shortest of all.
PROBE = """
import os, sys, time
from pathlib import Path
import docker
from rearch.app.request import Request
from rearch.app.volumes import VolumesOrder, fill_volumes
import rearch.app.prepare, rearch.config.project
from rearch.report import silent
answer, project, folder, runs = sys.argv[1], Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])
from rearch.model.platform import host_platform
request = Request(project=project, platforms=(host_platform(os.uname().machine),), environment=dict(os.environ))
order = VolumesOrder(to=Path(folder) if folder else None)
seconds = []
for _ in range(runs):
    begun = time.perf_counter()
    result = fill_volumes(request, order, silent)
    seconds.append(time.perf_counter() - begun)
    assert result.exit_code == 0 and not any(one.todo for one in result.volumes)
Path(answer).write_text(str(min(seconds)))
"""


def volumes() -> Iterator[Figure]:
    """At most one second, with an engine of this machine and in a folder."""
    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        project = volume_project(base, host_platform(os.uname().machine), extra=bytes(SIZE), stack=STACK)
        env = {"REARCH_CACHE": str(base / "cache")}
        yield _figure("a folder", project, str(base / "to"), env)
        if os.geteuid() == 0 and shutil.which("dockerd"):
            yield from _with_engine(project, env)
        else:
            sys.stderr.write("no Docker engine can be started here: volumes of one are not measured\n")


def _with_engine(project: Path, env: dict[str, str]) -> Iterator[Figure]:
    import docker

    from tests.support.engine import engine, engine_environment

    engine()
    try:
        yield _figure("a volume of an engine", project, "", env | engine_environment())
    finally:
        client = docker.APIClient(base_url=engine(), version="auto")
        client.remove_volume(NAME, force=True)
        client.close()


def _figure(what: str, project: Path, folder: str, env: dict[str, str]) -> Figure:
    place = ["--to", folder, "--arch", os.uname().machine] if folder else []
    run([SCRIPTS / "rearch", "--project", project, "volumes", *place], env=env)
    answer = project.parent / "seconds"
    run([sys.executable, "-c", PROBE, answer, project, folder, str(RUNS)], env=env)
    return Figure(
        name=f"nothing to do in {what}, besides start-up",
        value=float(answer.read_text()),
        bound=1.0,
        unit=" s",
        detail=f"a program of {SIZE / 1e6:.0f} MB, the best of {RUNS}",
    )
