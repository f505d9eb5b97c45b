"""An image of others in the index of ours, between real registries: what Rancher's bootstrap asks every host for."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from rearch.errors import ExitCode
from rearch.model.platform import parse_platform
from rearch.oci.layout import start_layout
from rearch.oci.types import DOCKER_CONFIG, DOCKER_INDEX, DOCKER_MANIFEST, Descriptor
from rearch.registry.client import RegistryClient
from rearch.registry.resolve import BaseResolver
from tests.support.built_output import BOTH, add_built, make_project
from tests.support.cli import ROOT, Cli
from tests.support.engine import emulation, engine_environment
from tests.support.layouts import File, add_image
from tests.support.needs import need_program
from tests.support.registry import Server, free_port, run_registry
from tests.support.registry_images import put_from_layout, put_image, put_index
from tests.support.tiny_programs import failing

TAG = "v1.2.11"
AMD64, ARM64, ARM = "linux/amd64", "linux/arm64", "linux/arm/v7"
# What the programs of the two images end with.
THEIRS, OURS = 7, 9


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Where the original is."""
    with run_registry(tmp_path_factory.mktemp("hub")) as server:
        yield server


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The operator's registry."""
    with run_registry(tmp_path_factory.mktemp("home")) as server:
        yield server


@pytest.fixture
def rearch(tmp_path: Path) -> Cli:
    return Cli(make_project(tmp_path), tmp_path / "cache", env={"DOCKER_CONFIG": str(tmp_path / "no-logins")})


@dataclass(frozen=True)
class Original:
    reference: str
    manifest: Descriptor


@pytest.fixture
def original(hub: Server, tmp_path: Path) -> Original:
    """A single image with a tag, as Docker Hub has those of that time; its program can be run."""
    layout = tmp_path / "original"
    start_layout(layout)
    program = File("program", failing(parse_platform(AMD64), THEIRS))
    manifest = add_image(
        layout,
        parse_platform(AMD64),
        [[program], [File("x", b"x" * 5000)]],
        compress=True,
        types="docker",
        cmd=("/program",),
    )
    repository = f"{tmp_path.name.replace('_', '-').lower().rstrip('-')}/agent"
    put_from_layout(hub, repository, layout, manifest, tag=TAG)
    return Original(f"{hub.host}/{repository}:{TAG}", manifest)


@pytest.fixture
def place(home: Server, tmp_path: Path) -> str:
    return f"{home.host}/{tmp_path.name.replace('_', '-').lower().rstrip('-')}"


def build(rearch: Cli, platforms: tuple[str, ...] = BOTH, types: Any = "docker", **more: Any) -> str:
    """Our image under the tag that the server asks for; its program can be run on two platforms."""
    layers = {
        platform: [
            [File("program", failing(parse_platform(platform), OURS) if platform in BOTH else platform.encode())]
        ]
        for platform in platforms
    }
    return add_built(
        rearch.project, "agent", platforms, tag=TAG, types=types, layers=layers, run={"cmd": ("/program",)}, **more
    )


def write_stack(rearch: Cli, publish: str) -> None:
    folder = rearch.project / "recipes" / "demo"
    (folder / "src").mkdir(parents=True)
    shutil.copytree(ROOT / "toolchains", rearch.project / "toolchains")
    (folder / "agent.yaml").write_text(
        "name: agent\nsummary: an agent\nversion: v1\nsource: {path: src}\n"
        "build: {toolchain: go-1.21, go: {binaries: {agent: .}}}\n"
    )
    (folder / "stack.yaml").write_text(
        f"name: demo\nsummary: a demo\nplatforms: [arm64]\nrecipes: [agent]\npublish: {publish}\n"
    )


def document(reference: str) -> dict[str, Any]:
    skopeo = need_program("skopeo", "skopeo")
    raw = subprocess.run(
        [skopeo, "inspect", "--raw", "--tls-verify=false", f"docker://{reference}"], check=True, capture_output=True
    )
    found: dict[str, Any] = json.loads(raw.stdout)
    return found


def asked(server: Server, name: str) -> list[str]:
    return [line for line in server.requests() if f"/{name}/" in line]


def name_of(place: str) -> str:
    return place.partition("/")[2]


def test_a_host_of_each_architecture_pulls_its_own(rearch: Cli, original: Original, place: str) -> None:
    docker = need_program("docker", "docker.io")
    build(rearch)
    done = rearch.run("publish", "--to", place, "--adopt", f"agent=amd64@{original.reference}")
    reference = f"{place}/agent:{TAG}"
    assert done.out.startswith(f"{reference}@sha256:")
    found = document(reference)
    assert found["mediaType"] == DOCKER_INDEX
    assert {entry["mediaType"] for entry in found["manifests"]} == {DOCKER_MANIFEST}
    assert found["manifests"][0]["digest"] == original.manifest.digest
    child = document(f"{place}/agent@{found['manifests'][1]['digest']}")
    assert child["config"]["mediaType"] == DOCKER_CONFIG
    assert {layer["mediaType"].rpartition(".")[2] for layer in child["layers"]} == {"gzip"}
    environment = engine_environment()
    for platform, code in ((AMD64, THEIRS), (ARM64, OURS)):
        with emulation(parse_platform(ARM64)):
            subprocess.run(
                [docker, "pull", "--platform", platform, reference], check=True, capture_output=True, env=environment
            )
            run = subprocess.run(
                [docker, "run", "--rm", "--network", "none", "--platform", platform, reference],
                check=False, capture_output=True, text=True, env=environment,
            )  # fmt: skip
        assert run.returncode == code, run.stderr
        subprocess.run([docker, "rmi", reference], check=True, capture_output=True, env=environment)


def test_the_stack_says_what_is_adopted_and_nothing_is_asked_twice(
    rearch: Cli, original: Original, place: str, hub: Server, home: Server
) -> None:
    build(rearch, (ARM64, ARM))
    write_stack(rearch, f"{{adopt: {{agent: {{linux/amd64: '{original.reference}'}}}}}}")
    first = rearch.run("publish", "--to", place)
    with RegistryClient() as client:
        platforms = BaseResolver(client).resolve(f"{place}/agent:{TAG}").platforms
    built = json.loads((rearch.output / "build.json").read_text())["images"][0]["platforms"]
    assert platforms == {row["platform"]: row["digest"] for row in built} | {AMD64: original.manifest.digest}
    [record] = json.loads((rearch.output / "publish.json").read_text())["images"]
    assert record["adopted"] == {AMD64: f"{original.reference}@{original.manifest.digest}"}
    assert record["tags"][0]["platforms"] == platforms

    there, here = len(hub.requests()), len(asked(home, name_of(place)))
    again = rearch.run("publish", "--to", place)
    assert again.out == first.out
    assert "nothing to do" in again.err
    assert len(hub.requests()) == there
    assert [line.split()[0] for line in asked(home, name_of(place))[here:]] == ["HEAD"]


def test_an_original_that_moved_is_seen_when_asked_for(
    rearch: Cli, original: Original, place: str, hub: Server
) -> None:
    build(rearch, (ARM64,))
    words = ("publish", "--to", place, "--adopt", f"demo/agent={AMD64}@{original.reference}")
    rearch.run(*words)
    repository = original.reference.partition("/")[2].rpartition(":")[0]
    moved = put_image(hub, repository, AMD64, tag=TAG, types="docker")
    assert "nothing to do" in rearch.run(*words).err
    shown = rearch.run(*words, "--refresh", "--dry-run")
    assert f"  adopts    {AMD64}: {original.reference}@{moved.manifest.digest}" in shown.out.splitlines()
    assert f"{AMD64} {original.manifest.digest[:19]} -> {moved.manifest.digest[:19]}" in shown.out
    assert "nothing to do" in rearch.run(*words).err  # a dry run has changed nothing
    rearch.run(*words, "--refresh")
    assert document(f"{place}/agent:{TAG}")["manifests"][1]["digest"] == moved.manifest.digest
    pinned = f"{original.reference}@{original.manifest.digest}"
    rearch.run("publish", "--to", place, "--adopt", f"agent={AMD64}@{pinned}")
    assert document(f"{place}/agent:{TAG}")["manifests"][1]["digest"] == original.manifest.digest


def test_in_one_registry_blobs_are_mounted_and_the_tag_itself_can_be_the_original(
    rearch: Cli, original: Original, hub: Server
) -> None:
    build(rearch, (ARM64,))
    theirs = original.reference.rpartition("/")[0]
    words = ("--adopt", f"agent={AMD64}@{original.reference}")
    rearch.run("publish", "--to", f"{theirs}/other", *words)
    requests = asked(hub, f"{name_of(theirs)}/other/agent")
    assert len([line for line in requests if line.endswith(f"&from={quote(name_of(theirs), safe='')}%2Fagent")]) == 3
    assert not [line for line in hub.requests() if line.startswith("GET") and "/blobs/" in line and "other" in line]
    assert not list((rearch.cache / "downloads").glob("*"))
    assert document(f"{theirs}/other/agent:{TAG}")["manifests"][1]["digest"] == original.manifest.digest
    # The operator may own the very name: then its tag becomes the index, and stays one.
    rearch.run("publish", "--to", theirs, *words)
    first = document(original.reference)
    assert [entry["digest"] for entry in first["manifests"]][1] == original.manifest.digest
    rearch.run("publish", "--to", theirs, *words, "--refresh")
    assert document(original.reference) == first


def test_into_a_folder_and_without_network_once_all_is_known(rearch: Cli, original: Original, tmp_path: Path) -> None:
    build(rearch, types="oci")  # what tools read from a folder
    words = ("publish", "--adopt", f"agent={AMD64}@{original.reference}")
    offline = rearch.run(*words, "--to", f"oci:{tmp_path / 'a'}", "--offline", code=ExitCode.TEMPORARY)
    assert f"{original.reference} is to be adopted, and --offline forbids" in offline.err
    rearch.run(*words, "--to", f"oci:{tmp_path / 'a'}")
    done = rearch.run(*words, "--to", f"oci:{tmp_path / 'b'}", "--offline")
    assert "demo/agent linux/amd64: an adopted image is published" in done.err
    layout = tmp_path / "b" / "agent"
    assert (layout / "blobs" / "sha256" / original.manifest.hex).is_file()
    skopeo = need_program("skopeo", "skopeo")
    subprocess.run(
        [skopeo, "copy", "--all", f"oci:{layout}:{TAG}", f"dir:{tmp_path / 'c'}"], check=True, capture_output=True
    )


def test_what_cannot_be_adopted(rearch: Cli, original: Original, place: str, hub: Server, home: Server) -> None:
    build(rearch, (ARM64,))
    repository = original.reference.partition("/")[2].rpartition(":")[0]
    put_image(hub, repository, AMD64, tag="oci")
    wrong = put_image(hub, repository, ARM64, types="docker")
    put_index(hub, repository, "liar", [wrong.manifest.__class__(
        media_type=wrong.manifest.media_type, digest=wrong.manifest.digest, size=wrong.manifest.size,
        platform=original.manifest.platform,
    )], types="docker")  # fmt: skip
    base = original.reference.rpartition(":")[0]
    for given, code, words in (
        (f"agent={AMD64}@{base}:gone", ExitCode.USAGE, "is not in the registry"),
        (f"agent={AMD64}@{base}:oci", ExitCode.USAGE, "does not fit into Docker's manifest list"),
        (f"agent={AMD64}@{base}:liar", ExitCode.VERIFICATION, "is for linux/arm64, not for linux/amd64"),
        (f"agent=riscv64@{original.reference}", ExitCode.VERIFICATION, "has no image for linux/riscv64"),
        (f"agnet={AMD64}@{original.reference}", ExitCode.USAGE, "did you mean agent?"),
        (f"agent={AMD64}@127.0.0.1:{free_port()}/x:y", ExitCode.TEMPORARY, "cannot be reached"),
        ("agent", ExitCode.USAGE, "a part of it is missing"),
    ):
        assert words in rearch.run("publish", "--to", place, "--adopt", given, code=code).err
    assert asked(home, name_of(place)) == []


def test_a_stack_that_names_what_is_not_there_is_told_its_line(rearch: Cli, place: str) -> None:
    build(rearch, (ARM64,))
    write_stack(rearch, "{adopt: {agnet: {amd64: x/y, linux/amd64: x/z}}}")
    done = rearch.run("publish", "--to", place, code=ExitCode.USAGE)
    assert "recipes/demo/stack.yaml:5:" in done.err
    assert "publish.adopt: there is no component agnet; did you mean agent?" in done.err
    assert "linux/amd64 stands here twice, as amd64 and as linux/amd64" in done.err
