"""A publish that is killed at any moment: no reader ever sees a tag without its children, and the next run goes on."""

from __future__ import annotations

import random
import time
from pathlib import Path

from tests.support.built_output import BOTH, add_built, make_project, noise
from tests.support.publishing import Reader, publish_process, reading
from tests.support.registry import Server, run_registry

KILLS = 20
NAMES = ("agent", "healthcheck")
TAG = "v1.0.0"


def build(project: Path, number: int) -> dict[str, str]:
    """Both images anew; one of their layers is large enough for an upload that is gone on with."""
    found = {}
    for name in NAMES:
        layers = {
            platform: [[noise(f"base {platform}")], [noise(f"{name} {platform} {number}", 1_500_000)]]
            for platform in BOTH
        }
        found[name] = add_built(project, name, layers)
    return found


def publish(project: Path, server: Server) -> float:
    """To its end; the seconds that it took."""
    began = time.monotonic()
    process = publish_process(project, [f"{server.host}/team"])
    process.start()
    process.join(60)
    assert process.exitcode == 0
    return time.monotonic() - began


def kill(project: Path, server: Server, delay: float) -> bool:
    """Begin, and kill it so many seconds later; whether it had not ended by itself."""
    process = publish_process(project, [f"{server.host}/team"])
    process.start()
    process.join(delay)
    process.kill()
    process.join(60)
    return process.exitcode != 0


def test_killed_at_twenty_moments(tmp_path: Path) -> None:
    project, chance = make_project(tmp_path), random.Random(4)
    with run_registry(tmp_path / "registry") as server:
        reader = Reader(server, [(f"team/{name}", TAG) for name in NAMES])
        with reading(reader):
            build(project, 0)
            whole = publish(project, server)
            torn = 0
            for number in range(1, KILLS + 1):
                wanted = build(project, number)
                torn += kill(project, server, chance.uniform(0, 1.1) * whole)
                whole = (whole + publish(project, server)) / 2
                assert {name: tag_of(server, name) for name in NAMES} == wanted
    assert reader.faults == []
    assert reader.rounds > KILLS
    assert len(reader.seen) > KILLS  # it has seen the tags move
    assert torn > KILLS / 2


def tag_of(server: Server, name: str) -> str:
    import http.client

    connection = http.client.HTTPConnection(server.host, timeout=20)
    connection.request(
        "HEAD", f"/v2/team/{name}/manifests/{TAG}", headers={"Accept": "application/vnd.oci.image.index.v1+json"}
    )
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.headers["Docker-Content-Digest"]


def test_a_large_blob_is_gone_on_with(tmp_path: Path) -> None:
    """Killed while 200 MB are on their way, the next run sends what the registry does not have."""
    project = make_project(tmp_path)
    add_built(project, "agent", {"linux/arm64": [[noise("large", 200_000_000)]]})
    with run_registry(tmp_path / "registry") as server:
        process = publish_process(project, [f"{server.host}/team"])
        process.start()
        deadline = time.monotonic() + 60
        while not any(line.startswith("PATCH") for line in server.requests()) and time.monotonic() < deadline:
            time.sleep(0.005)
        process.kill()
        process.join(60)
        assert process.exitcode != 0
        journal = (project / "output" / ".rearch" / "publish").glob("*.jsonl")
        assert "offset" in next(journal).read_text()
        before = len(server.requests())
        publish(project, server)
        again = [line for line in server.requests()[before:] if "/blobs/uploads/" in line]
        asked = [line for line in again if line.startswith("GET")]
        assert len(asked) == 1, again  # how far the upload is
        begun = [line for line in again if line.startswith("POST")]
        assert len(begun) == 1, again  # the config alone: the layer's upload was begun by the other run
