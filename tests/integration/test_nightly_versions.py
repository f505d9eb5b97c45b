"""Versions that a night takes by policy: as `bump` does, and back again as they were when they do not build."""

from __future__ import annotations

import http.server
import json
import signal
import threading
from pathlib import Path
from typing import Any

import pytest

from rearch.errors import ExitCode
from tests.support.cli import Cli, Ran
from tests.support.go_project import change
from tests.support.nightly import moving_project, push, release, repository


def recipe(rearch: Cli, name: str) -> Path:
    return rearch.project / f"recipes/demo/{name}.yaml"


def state(rearch: Cli) -> dict[str, bytes]:
    """The YAML files and the lock."""
    files = [*rearch.project.glob("recipes/**/*.yaml"), rearch.project / "rearch.lock"]
    return {path.name: path.read_bytes() for path in files}


def night(rearch: Cli, day: int, code: int = 0, *more: str) -> tuple[Ran, dict[str, Any]]:
    words = ("nightly", "--no-publish", "--date", f"2024-05-{day:02}", "--progress", "plain", *more)
    ran = rearch.run(*words, code=code)
    return ran, json.loads((rearch.output / "nightly.json").read_bytes())


def versions(rearch: Cli, *names: str) -> list[str]:
    texts = [recipe(rearch, name).read_text() for name in names]
    return [text.partition("\nversion: ")[2].partition("\n")[0].partition(" ")[0] for text in texts]


def test_each_component_as_far_as_its_policy_says(tmp_path: Path) -> None:
    rearch = moving_project(tmp_path, ("ash",), ("elm", "oak", "yew"), settings="nightly: {update: patch}\n")
    change(recipe(rearch, "oak"), "build:\n", "watch: {update: minor}\nbuild:\n")
    change(recipe(rearch, "yew"), "build:\n", "watch: {update: none}\nbuild:\n")
    change(recipe(rearch, "elm"), "version: v1.0.0", "version: v1.0.0  # as the server has it")
    rearch.run("lock")
    for name in ("elm", "oak", "yew"):
        release(tmp_path, name, "v1.0.2", "two")
        release(tmp_path, name, "v1.2.0", "minor")
        release(tmp_path, name, "v2.0.0", "major")
        repository(tmp_path, name).tag("v1.0.x-not-a-version")
    push(tmp_path, "ash", "later")
    before = state(rearch)
    dry = rearch.run("nightly", "--dry-run", "--no-publish")
    assert "updated version of demo/elm: v1.0.0 -> v1.0.2" in dry.err
    assert state(rearch) == before
    _, record = night(rearch, 2)
    assert versions(rearch, "ash", "elm", "oak", "yew") == ["v1.0.0", "v1.0.2", "v1.2.0", "v1.0.0"]
    assert recipe(rearch, "elm").read_bytes() == before["elm.yaml"].replace(b"v1.0.0 ", b"v1.0.2 ")
    assert [one["name"] for one in record["updates"]] == [
        "version of demo/elm",
        "version of demo/oak",
        "git https://git.example.org/upstream/ash main",
    ]
    assert record["updates"][0]["files"] == ["recipes/demo/elm.yaml"]
    assert record["told"] == [
        "version of demo/elm: v1.0.0 -> v1.0.2, recipes/demo/elm.yaml and rearch.lock edited: commit them",
        "version of demo/oak: v1.0.0 -> v1.2.0, recipes/demo/oak.yaml and rearch.lock edited: commit them",
    ]
    rearch.run("lock", "--check")
    again, record = night(rearch, 3)
    assert (again.started, record["updates"], record["told"]) == ((), [], [])
    release(tmp_path, "elm", "v1.0.3", "three")
    night(rearch, 4, 0, "--policy", "none")
    assert versions(rearch, "elm") == ["v1.0.2"]


def test_what_does_not_build_is_taken_back_to_the_byte_and_told(tmp_path: Path) -> None:
    """With a patch that no longer applies, and another version of the same night that stays."""
    rearch = moving_project(tmp_path, (), ("elm", "oak", "yew"), settings="nightly: {update: patch}\n")
    folder = rearch.project / "recipes/demo/patches/yew"
    folder.mkdir(parents=True)
    (folder / "series").write_text("a.patch\n")
    patch = '--- a/main.go\n+++ b/main.go\n@@ -1,4 +1,5 @@\n package main\n \n+// patched\n var VERSION = "dev"\n \n'
    (folder / "a.patch").write_text(patch)
    night(rearch, 1)
    before = state(rearch)
    release(tmp_path, "elm", "v1.0.1", "one")
    release(tmp_path, "oak", "v1.0.1", "(")
    repository(tmp_path, "yew").commit({"main.go": "// all new\n", "go.mod": "module example.org/yew\n\ngo 1.21\n"})
    repository(tmp_path, "yew").tag("v1.0.1")
    ran, record = night(rearch, 2, ExitCode.FAILED)
    after = state(rearch)
    assert {name for name in before if before[name] != after[name]} == {"elm.yaml", "rearch.lock"}
    names = json.loads(after["rearch.lock"])["names"]
    was = json.loads(before["rearch.lock"])["names"]
    assert {name for name in names if "v1.0.1" in name} == {"git https://git.example.org/upstream/elm v1.0.1"}
    assert {name: one for name, one in was.items() if "/elm " not in name}.items() <= names.items()
    assert {one["component"] for one in record["problems"]} == {"demo/oak", "demo/yew"}
    assert record["whole"] == ["demo/elm", "demo/oak", "demo/yew"]
    assert [bool(one["held"]) for one in record["updates"]] == [False, True]
    assert "version of demo/oak: taken back to v1.0.0, v1.0.1 breaks a build" in ran.err
    rearch.run("lock", "--check")

    ran, record = night(rearch, 3, ExitCode.FAILED)
    assert (ran.started, state(rearch)) == ((), after), "neither is tried again"
    assert {one["summary"].partition(":")[0] for one in record["problems"]} == {
        "version of demo/oak",
        "version of demo/yew",
    }
    assert "failed on 2024-05-02" in ran.err

    release(tmp_path, "oak", "v1.0.2", "good again")
    change(folder / "a.patch", "package main", "never there")
    _, record = night(rearch, 4, ExitCode.FAILED)
    assert versions(rearch, "oak", "yew") == ["v1.0.2", "v1.0.0"]
    assert {one["component"] for one in record["problems"]} == {"demo/yew"}


@pytest.mark.parametrize(("greeting", "code", "kept"), [("fine", 0, "v1.0.1"), ("(", 1, "v1.0.0")], ids=["good", "bad"])
def test_a_night_that_was_killed_after_the_edit(tmp_path: Path, greeting: str, code: int, kept: str) -> None:
    """The next one that builds it knows what it may take back, whatever was built alone meanwhile."""
    rearch = moving_project(tmp_path, ("elm",), ("oak",), settings="nightly: {update: patch}\n")
    rearch.run("lock")
    before = state(rearch)
    release(tmp_path, "oak", "v1.0.1", greeting)
    with rearch.start("nightly", "--no-publish", "--date", "2024-05-02", "--progress", "plain") as running:
        running.wait_for("start   fetch")
        running.send(signal.SIGKILL, group=True)
        running.child.wait()
    assert versions(rearch, "oak") == ["v1.0.1"]
    _, record = night(rearch, 2, 0, "--only", "elm")
    assert (record["updates"], versions(rearch, "oak")) == ([], ["v1.0.1"])
    _, record = night(rearch, 3, code)
    assert versions(rearch, "oak") == [kept]
    assert [(one["name"], bool(one["held"])) for one in record["updates"]] == [("version of demo/oak", bool(code))]
    assert (state(rearch) == before) == bool(code)
    assert not (rearch.output / ".rearch/nightly/versions.json").exists()


def test_a_night_that_was_killed_while_it_published(tmp_path: Path) -> None:
    """What it edited was built, and nobody was told: the next one tells, once."""
    rearch = moving_project(tmp_path, (), ("oak",), settings="nightly: {update: patch}\n")
    rearch.run("lock")
    release(tmp_path, "oak", "v1.0.1", "one")

    class Registry(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if (rearch.output / "build.json").exists():
                running.send(signal.SIGKILL, group=True)
            self.send_error(404)

        def do_HEAD(self) -> None:
            self.do_GET()

        def log_message(self, *_args: object) -> None:
            """Not on the terminal."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Registry) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        to = f"127.0.0.1:{server.server_port}/team"
        with rearch.start("nightly", "--to", to, "--date", "2024-05-02", "--progress", "plain") as running:
            assert running.child.wait() == -signal.SIGKILL
        server.shutdown()
    again, record = night(rearch, 3)
    assert (again.started, versions(rearch, "oak")) == ((), ["v1.0.1"])
    assert record["told"] == [
        "version of demo/oak: v1.0.0 -> v1.0.1, recipes/demo/oak.yaml and rearch.lock edited: commit them"
    ]
    _, record = night(rearch, 4)
    assert (record["updates"], record["told"]) == ([], [])


def test_a_version_that_is_shared_moves_where_all_may(tmp_path: Path) -> None:
    rearch = moving_project(tmp_path, (), ("elm", "oak"), settings="nightly: {update: patch}\n")
    stack = rearch.project / "recipes/demo/stack.yaml"
    text = stack.read_text()
    stack.write_text(text + ("" if "defaults:" in text else "defaults:\n") + "  vars: {tag: v1.0.0}\n")
    for name in ("elm", "oak"):
        change(recipe(rearch, name), '"${{ version }}"', '"${{ vars.tag }}"')
        release(tmp_path, name, "v1.0.1", "one")
    change(recipe(rearch, "oak"), "build:\n", "watch: {update: branches}\nbuild:\n")
    rearch.run("lock")
    before = state(rearch)
    ran, _ = night(rearch, 1, ExitCode.FAILED)
    assert "demo/elm: v1.0.1 would move demo/oak too" in ran.err
    assert state(rearch)["stack.yaml"] == before["stack.yaml"]
    change(recipe(rearch, "oak"), "watch: {update: branches}\n", "")
    _, record = night(rearch, 2)
    assert "{tag: v1.0.1}" in stack.read_text()
    assert record["updates"][0]["needed_by"] == ["demo/elm", "demo/oak"]
    push(tmp_path, "oak", "(")
    repository(tmp_path, "oak").tag("v1.0.2")
    release(tmp_path, "elm", "v1.0.2", "two")
    before = state(rearch)
    night(rearch, 3, ExitCode.FAILED)
    assert state(rearch) == before
    again, record = night(rearch, 4, ExitCode.FAILED)
    assert (again.started, state(rearch)) == ((), before), "neither of them tries it again"
    assert [one["component"] for one in record["problems"]] == ["demo/oak"]
