"""A publish that is killed at any moment: no reader ever sees a tag without its children, and the next run goes on."""

from __future__ import annotations

import random
import threading
import time
from pathlib import Path

import pytest

from rearch.oci.layout import blob_path
from rearch.planning.publish_values import SendBlob
from rearch.publishing.built import read_built
from rearch.publishing.journal import FOLDER, Journal
from rearch.publishing.registry_side import RegistrySide
from rearch.registry.client import RegistryClient
from rearch.registry.mount import Mounter
from rearch.registry.push import RegistryPusher
from rearch.registry.upload_place import Upload
from tests.support.built_output import BOTH, add_built, make_project, noise
from tests.support.publishing import Reader, publish_process, reading
from tests.support.registry import Server, run_registry

KILLS = 20
PART = 3 << 20
NAMES = ("agent", "healthcheck")
TAG = "v1.0.0"


def build(project: Path, number: int) -> dict[str, str]:
    """Both images anew; one of their layers is large enough for an upload that is gone on with."""
    found = {}
    for name in NAMES:
        layers = {
            platform: [[noise(f"base {platform}")], [noise(f"{name} {platform} {number}", 1_100_000)]]
            for platform in BOTH
        }
        found[name] = add_built(project, name, layers=layers)
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


class Killed(BaseException):
    """As SIGKILL is: nothing of ours runs after it."""


class KilledAfterAPart(Journal):
    """The process ends when the registry has taken the first part of a blob, and the journal knows."""

    def note(self, upload: Upload) -> None:
        super().note(upload)
        if upload.offset:
            raise Killed


def test_a_large_blob_is_gone_on_with(tmp_path: Path) -> None:
    project = make_project(tmp_path)
    layers = {"linux/arm64": [[noise("large", 5_000_000)]]}
    add_built(project, "agent", ("linux/arm64",), layers=layers, compress=False)
    [built] = read_built(project / "output", stacks=None, only=(), require_smoke=False)
    layer = built.image.children[0].layers[0]
    source = blob_path(built.layout, layer.digest)
    order = SendBlob(blob=layer, ask=False)
    folder = project / "output" / FOLDER
    with run_registry(tmp_path / "registry") as server, RegistryClient() as client:
        with KilledAfterAPart(folder, server.host) as journal, pytest.raises(Killed):
            side(server, client, journal).send_blob("team/agent", order, source)
        before = len(server.requests())
        with Journal(folder, server.host) as journal:
            sent = side(server, client, journal).send_blob("team/agent", order, source)
            assert journal.upload(f"{server.host}/team/agent", layer.digest) is None
        again = [line.split()[0] for line in server.requests()[before:]]
    assert sent == layer.size - PART
    assert again == ["GET", "PUT"]  # how far is it? here is the rest


def side(server: Server, client: RegistryClient, journal: Journal) -> RegistrySide:
    pusher = RegistryPusher(client, chunk=PART)
    return RegistrySide(
        server.host, client, pusher, journal, mounter=lambda: Mounter(client, {}, print), stop=threading.Event()
    )
