"""Debian sources, bases and sysroots through the real apt: lock, outdated, bump, from an archive that moves on."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from rearch.errors import ExitCode
from tests.support.debian_project import DebianProject, make_debian_project
from tests.support.needs import need_program
from tests.support.registry import run_registry
from tests.support.registry_images import put_annotated

SAYS = "org.opencontainers.image."


@pytest.fixture
def made(tmp_path: Path) -> DebianProject:
    need_program("apt-get", "apt")
    return make_debian_project(tmp_path)


def rows(made: DebianProject) -> dict[str, dict[str, Any]]:
    found = json.loads(made.rearch.run("outdated", "--json").out)["rows"]
    return {f"{row['kind']} {row['name']}": row for row in found}


def test_what_apt_has_that_is_newer_is_listed_and_taken(made: DebianProject) -> None:
    made.rearch.run("lock", "--check")
    assert {row["state"] for name, row in rows(made).items() if not name.startswith("toolchain")} == {"current"}
    before = made.state()
    made.offers("1.9-2", "1.10-1", library="1.1-1", zlib="1.2-1")
    found = rows(made)
    assert (found["source tool for demo/exact"]["current"], found["source tool for demo/exact"]["newest"]) == (
        "1.9-1",
        "1.10-1",
    )
    assert found["source tool for demo/any"]["newest"] == "1.10-1"
    assert found["packages sysroot linux/arm64 for demo/exact"]["candidates"] == ["libz-dev 1.0-1 -> 1.2-1"]
    assert found["packages stable linux/arm64 for demo/exact"]["candidates"] == ["base-files 1.0-1 -> 1.2-1"]

    for policy, new in (("patch", "1.9-2"), ("minor", "1.10-1")):
        night = made.rearch.run("nightly", "--dry-run", "--no-publish", "--policy", policy)
        assert f"updated version of demo/exact: 1.9-1 -> {new}" in night.err
        assert "updated debian tool: 1.9-1 -> 1.10-1" in night.err
    assert made.state() == before

    told = made.rearch.run("bump", "any")
    assert "demo/any: 1.9-1 -> 1.10-1" in told.out
    assert "locked debian tool: 1.9-1 -> 1.10-1" in told.out
    assert [name for name, data in made.state().items() if before[name] != data] == ["rearch.lock"]
    patch = made.rearch.run("bump", "exact")
    assert "demo/exact: 1.9-1 -> 1.9-2" in patch.out
    assert "applies: edit 1: Manners" in patch.out
    wanted = before["exact.yaml"].replace(b'"1.9-1"}  # not 2.0', b'"1.9-2"}  # not 2.0')
    assert made.recipe.read_bytes() == wanted
    assert "newer beyond that: 1.10-1" in made.rearch.run("bump", "exact").out
    made.rearch.run("bump", "exact", "--minor")
    names = json.loads(made.lock.read_bytes())["names"]
    assert [name for name in names if name.startswith("debian")] == ["debian tool", "debian tool 1.10-1"]
    assert names["debian tool 1.10-1"]["build_packages"][0]["version"] == "1.1-1"
    update = made.rearch.run("lock", "--update")
    assert "1 packages, with base-files 1.0-1 -> 1.2-1" in update.err
    assert "3 packages, with libz-dev 1.0-1 -> 1.2-1" in update.err
    made.rearch.run("lock", "--check")


def test_go_libraries_alone_are_a_reason_to_bump(made: DebianProject) -> None:
    made.offers("1.9-1", library="1.1-1")
    found = rows(made)["source tool for demo/any"]
    assert (found["current"], found["newest"], found["reason"]) == (
        "1.9-1",
        "1.9-1, 1 differ",
        "golang-b-dev 1.0-1 -> 1.1-1",
    )
    done = made.rearch.run("bump", "any")
    assert "demo/any: 1.9-1, locked anew" in done.out
    assert "locked debian tool: 1.9-1, with golang-b-dev 1.0-1 -> 1.1-1" in done.out
    assert "nothing was changed" in made.rearch.run("bump", "any").out
    before = made.state()
    told = "Go libraries moved: golang-b-dev 1.0-1 -> 1.1-1: `rearch lock --update --only demo/exact`"
    assert f"no newer patch release than 1.9-1; {told}" in made.rearch.run("bump", "exact").out
    assert json.loads(made.rearch.run("bump", "exact", "--to", "1.9-1", "--json").out)["note"].endswith(told)
    assert made.state() == before
    made.rearch.run("lock", "--update", "--only", "demo/exact")
    assert "Go libraries" not in made.rearch.run("bump", "exact").out


def test_what_goes_wrong_changes_nothing_and_says_what_to_do(made: DebianProject) -> None:
    before = made.state()
    made.offers("1.9-1", "2.0-1", greeting="hi")
    for words in (("any",), ("exact", "--latest")):
        failed = made.rearch.run("bump", *words, code=ExitCode.FAILED)
        assert "1 of its patches and edits do not apply to 2.0-1" in failed.err
        hint = "bump demo/any --force" if words == ("any",) else "bump demo/exact --to 2.0-1 --force"
        assert f"hint: `rearch {hint}`" in failed.err
    unknown = made.rearch.run("bump", "exact", "--to", "7", code=ExitCode.USAGE)
    assert "apt offers version 2.0-1" in unknown.err
    assert "takes the version that apt offers" in made.rearch.run("bump", "any", "--to", "7", code=ExitCode.USAGE).err
    dry = made.rearch.run("bump", "exact", "--latest", "--force", "--dry-run")
    assert "FAILS: edit 1 of main.go" in dry.out
    assert made.state() == before
    made.rearch.run("build", "--locked", "--dry-run", "--offline", "--only", "any")


def test_an_archive_that_is_gone_and_a_source_that_it_dropped(made: DebianProject) -> None:
    before = made.state()
    made.offers()
    found = rows(made)["source tool for demo/exact"]
    assert (found["state"], found["current"], found["reason"]) == ("gone", "1.9-1", "apt offers no source package tool")
    shutil.rmtree(made.archive)
    shutil.rmtree(made.rearch.cache / "debian")
    found = rows(made)["source tool for demo/exact"]
    assert (found["state"], found["current"]) == ("unknown", "1.9-1")
    assert "could not fetch any list" in found["reason"]
    assert "could not fetch any list" in made.rearch.run("bump", "exact", code=ExitCode.TEMPORARY).err
    assert made.state() == before
    made.rearch.run("lock", "--check")


def test_images_of_debian_sources_are_compared_with_lock_and_apt(made: DebianProject, tmp_path: Path) -> None:
    said = {
        f"{SAYS}title": "exact",
        f"{SAYS}source": "https://sources.debian.org/src/tool/1.9-1/",
        f"{SAYS}revision": "1.9-1",
        f"{SAYS}version": "v1.0.0",
        "io.github.rearch.packages": f"sha256:{'0' * 64}",
    }
    made.offers("1.9-1", "1.10-1")
    with run_registry(tmp_path / "registry") as server:
        name = f"{server.host}/exact:1"
        put_annotated(server, "exact", "1", said)
        source, apt, packages = json.loads(made.rearch.run("stale", name, "--json").out)["rows"]
        assert (source["state"], source["where"]) == ("newer", "apt: tool")
        assert (source["current"], source["newest"]) == ("1.9-1", "1.10-1")
        assert (apt["state"], apt["where"]) == ("current", "rearch.lock: debian tool 1.9-1")
        assert packages["state"] == "newer"
        put_annotated(server, "exact", "1", {**said, "io.github.rearch.packages": packages["newest"]})
        made.rearch.run("bump", "exact", "--minor")
        rows = json.loads(made.rearch.run("stale", name, "--json").out)["rows"]
    assert [(row["kind"], row["where"].partition(":")[0], row["state"]) for row in rows] == [
        ("source", "apt", "newer"),
        ("source", "rearch.lock", "newer"),
        ("packages", "rearch.lock", "current"),
    ]
