"""The project that a rehearsal writes is one that rearch takes; its archive is one that config.sh takes."""

from __future__ import annotations

import hashlib
import shutil
import tarfile
from pathlib import Path

from rearch.app.prepare import load
from rearch.app.request import Request
from rearch.model.platform import parse_platform
from rearch.rehearsal.archive import AGENT, ROOT, SUMS, SUMS_SUM, agent_of, upstream_build, write_archive
from rearch.rehearsal.project import HOSTS, TOOLCHAIN, Project, project_files
from rearch.rehearsal.upstreams import APPLY, repositories

TOOLCHAINS = Path(__file__).parents[3] / "toolchains"
AMD64, ARM64 = parse_platform("amd64"), parse_platform("arm64")


def test_the_hosts_are_an_x86_server_and_a_pi() -> None:
    assert HOSTS == (AMD64, ARM64)


def test_the_project_is_read_without_a_problem(tmp_path: Path) -> None:
    project = Project(root=tmp_path, image="127.0.0.1:5000/rancher/agent:v1.2.11", volume="rearch-x-rancher-cni")
    for path, text in project_files(project, "127.0.0.1:5000", tmp_path / "upstreams").items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    (tmp_path / "toolchains").mkdir()
    shutil.copy(TOOLCHAINS / f"{TOOLCHAIN}.yaml", tmp_path / "toolchains")
    (stack,) = load(Request(project=tmp_path)).stacks
    assert stack.publish.to == ("127.0.0.1:5000/rancher",)
    assert {component.recipe.name for component in stack.components} == {"agent", "r"}
    assert set(stack.volumes) == {"rearch-x-rancher-cni"}
    assert tuple(stack.platforms) == HOSTS


def test_the_image_is_called_as_the_bootstrap_demands() -> None:
    project = Project(root=Path("/p"), image="127.0.0.1:5000/rancher/agent:v1.2.11", volume="v")
    recipe = project_files(project, "127.0.0.1:5000", Path("/u"))["recipes/rancher/agent.yaml"]
    assert 'agent_image: "127.0.0.1:5000/rancher/agent:v1.2.11"' in recipe
    assert "media_types: docker" in recipe


def test_the_archive_is_laid_out_and_summed_as_ranchers(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "go-agent.tar.gz", b"\x7fELF program")
    with tarfile.open(archive) as tar:
        members = {member.name: member for member in tar.getmembers()}
        files = {name: tar.extractfile(member).read() for name, member in members.items() if member.isfile()}  # type: ignore[union-attr]
    assert {name.partition("/")[0] for name in members} == {ROOT}
    assert files[f"{ROOT}/{AGENT}"] == b"\x7fELF program" == agent_of(archive)
    assert members[f"{ROOT}/apply.sh"].mode == 0o755
    for place in (SUMS, SUMS_SUM):
        for line in files[f"{ROOT}/{place}"].decode().splitlines():
            digest, _, name = line.partition(" *")
            assert hashlib.sha1(files[name], usedforsecurity=False).hexdigest() == digest
    summed = {line.partition(" *")[2] for line in files[f"{ROOT}/{SUMS}"].decode().splitlines()}
    assert summed == {f"{ROOT}/apply.sh", f"{ROOT}/{AGENT}"}


def test_the_same_program_makes_the_same_archive(tmp_path: Path) -> None:
    one = write_archive(tmp_path / "one.tar.gz", b"x").read_bytes()
    assert write_archive(tmp_path / "other.tar.gz", b"x").read_bytes() == one


def test_upstreams_program_asks_for_the_loader_of_its_own_architecture() -> None:
    flags, env = upstream_build(AMD64)
    assert "-buildmode=pie" in flags
    assert env["GOARCH"] == "amd64"


def test_scripts_of_the_repositories_are_those_that_the_archive_has() -> None:
    files = repositories()["agent"]
    assert files["apply.sh"] == APPLY
    assert all(text.startswith("#!/bin/sh\n") for name, text in files.items() if name.endswith(".sh"))
    assert "set -e" in files["package/run.sh"]
