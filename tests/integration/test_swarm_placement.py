"""The Swarm file on a real swarm: services start where the labels are, and nowhere else."""

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rearch.app.place import PlaceOrder, place_application, write_placed
from rearch.model.digest import Digest
from rearch.model.platform import PLATFORMS, Platform, host_platform, parse_platform
from rearch.oci.types import DOCKER_CONFIG, DOCKER_MANIFEST
from rearch.placing.targets import Target
from tests.support.registry import Server, run_registry
from tests.support.swarm import PATIENCE, Node, swarm
from tests.support.tiny_programs import waiting

HERE = host_platform(os.uname().machine)
FOREIGN = next(platform for platform in PLATFORMS if platform != HERE)
NOWHERE = "no suitable node (scheduling constraints not satisfied"


def put_waiting(server: Server, repository: str, platform: Platform) -> str:
    """An image that waits for ever, as Docker's own types, so that an engine pulls it; its name."""
    program, packed = waiting(platform), io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        entry = tarfile.TarInfo("program")
        entry.size, entry.mode = len(program), 0o755
        tar.addfile(entry, io.BytesIO(program))
    layer = packed.getvalue()
    document = {
        "architecture": platform.oci_architecture,
        "os": platform.os,
        "config": {"Cmd": ["/program"], "StopSignal": "SIGKILL"},
        "rootfs": {"type": "layers", "diff_ids": [str(Digest.of(layer))]},
    }
    config = json.dumps(document).encode()
    described = [
        {"mediaType": kind, "size": len(data), "digest": server.put_blob(repository, data)}
        for kind, data in ((DOCKER_CONFIG, config), ("application/vnd.docker.image.rootfs.diff.tar", layer))
    ]
    manifest = {
        "schemaVersion": 2,
        "mediaType": DOCKER_MANIFEST,
        "config": described[0],
        "layers": described[1:],
    }
    server.put_manifest(repository, "1", manifest, DOCKER_MANIFEST)
    return f"{server.host}/{repository}:1"


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with run_registry(tmp_path_factory.mktemp("registry")) as server:
        yield put_waiting(server, "demo/web", HERE)


@pytest.fixture
def node() -> Iterator[Node]:
    with swarm() as found:
        yield found


def placed(folder: Path, image: str, services: str) -> Path:
    """Writes the Swarm file of these services (`IMAGE` stands for the image); its folder."""
    (folder / "app.yaml").write_text(f"name: demo\nservices:\n{services.replace('IMAGE', image)}")
    _, found = place_application(PlaceOrder(file=folder / "app.yaml", targets=(Target.SWARM,)))
    assert [path.name for path in write_placed(found, folder, apart=False)] == ["docker-stack.yml", "labels.sh"]
    return folder


def label(node: Node, folder: Path, **hosts: str) -> None:
    """Runs the script that was written, as a user does."""
    environment = {**node.environment, "PATH": f"/usr/bin:{node.environment['PATH']}", **hosts}
    subprocess.run(("sh", str(folder / "labels.sh")), env=environment, check=True, capture_output=True)


def test_a_service_starts_only_when_its_label_is_there(tmp_path: Path, image: str, node: Node) -> None:
    folder = placed(tmp_path, image, "  web: {image: IMAGE, on: {type: raspberry}}\n  free: {image: IMAGE}\n")
    node.deploy("demo", folder / "docker-stack.yml")
    node.wait("demo_free", "Running")
    node.wait("demo_web", "Pending", NOWHERE)
    label(node, folder, HOST_FOR_WEB=node.name)
    node.wait("demo_web", "Running")
    assert node.docker("ps", "--filter", "name=demo_web", "--format", "{{.Image}}") == image


def test_a_service_leaves_a_node_that_gets_a_label_it_must_not_have(tmp_path: Path, image: str, node: Node) -> None:
    folder = placed(tmp_path, image, "  web: {image: IMAGE, not_on: {type: raspberry}}\n")
    node.deploy("demo", folder / "docker-stack.yml")
    node.wait("demo_web", "Running")
    node.docker("node", "update", "--label-add", "type=raspberry", node.name)
    node.wait("demo_web", "Pending", NOWHERE)
    _until_empty(node, "demo_web")


def test_architectures_are_those_that_nodes_tell(tmp_path: Path, image: str, node: Node) -> None:
    """One is compared; of several the others are excluded; the node's word is the one in the table."""
    own, foreign = HERE.arch_name, FOREIGN.arch_name
    others = ", ".join(str(platform) for platform in PLATFORMS if platform not in (HERE, FOREIGN))
    services = f"""\
  mine: {{image: IMAGE, arch: {own}}}
  either: {{image: IMAGE, arch: [{own}, {foreign}]}}
  foreign: {{image: IMAGE, arch: {foreign}}}
  others: {{image: IMAGE, arch: [{others}]}}
  everywhere: {{image: IMAGE, arch: {own}, replicas: global}}
"""
    folder = placed(tmp_path, image, services)
    node.deploy("demo", folder / "docker-stack.yml")
    told = node.docker("node", "inspect", "self", "--format", "{{.Description.Platform.Architecture}}")
    assert parse_platform(told) == HERE
    for name in ("mine", "either", "everywhere"):
        node.wait(f"demo_{name}", "Running")
    for name in ("foreign", "others"):
        node.wait(f"demo_{name}", "Pending", NOWHERE)


def test_values_arrive_as_they_are_written(tmp_path: Path, image: str, node: Node) -> None:
    values = {"ON": "yes", "VERSION": "1.10", "TIME": "80:80", "OCTAL": "0o17", "DOLLAR": "a$HOME$$b", "EMPTY": ""}
    written = ", ".join(f'{name}: "{value}"' for name, value in values.items())
    folder = placed(tmp_path, image, f"  web: {{image: IMAGE, environment: {{{written}}}, memory: 64M}}\n")
    node.deploy("demo", folder / "docker-stack.yml")
    form = "{{range .Spec.TaskTemplate.ContainerSpec.Env}}{{println .}}{{end}}"
    found = node.docker("service", "inspect", "demo_web", "--format", form).split("\n")
    assert dict(line.split("=", 1) for line in found if line) == values
    limit = node.docker(
        "service", "inspect", "demo_web", "--format", "{{.Spec.TaskTemplate.Resources.Limits.MemoryBytes}}"
    )
    assert int(limit) == 64 * 2**20


def _until_empty(node: Node, name: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while node.docker("ps", "-q", "--filter", f"name={name}"):
        assert time.monotonic() < deadline, f"{name} still runs"
        time.sleep(0.1)
