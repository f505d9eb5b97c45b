"""Fourteen nights of one project: upstreams move, break and are mended; releases are taken by policy and by hand, and
one is taken back; a tag is moved; the registry is away once; a night is killed; the clock jumps back. After each of
them the record and the report say what was, and the registry has what it should and nothing else.
"""

from __future__ import annotations

import json
import random
import signal
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from rearch.errors import ExitCode
from tests.support.cli import Cli, Ran
from tests.support.nightly import Inbox, ask, inbox, manifests, moving_project, push, release, repository, tags_of
from tests.support.publishing import Reader
from tests.support.registry import Server, free_port, run_registry
from tests.support.report_page import Page, read_page

SEED = 20240501
FIRST = date(2024, 5, 1)
KEEP = 3
SETTINGS = f"""\
nightly:
  update: patch
  prune_keep: {KEEP}
  prune_age: 0s
  prune_apply: true
  report_url: https://ci.example.org/r
"""
NAMES = ("ash", "beech", "cedar", "oak")


@dataclass
class World:
    """The project and its surroundings; `dated` is what the registry should have: component -> dated tags. `order`: all
    that were published, the last at the end; `built`: component -> the digest of its last whole build."""

    base: Path
    rearch: Cli
    port: int
    box: Inbox
    server: Server | None = None
    dated: dict[str, set[str]] = field(default_factory=lambda: {name: set() for name in NAMES})
    order: list[str] = field(default_factory=list)
    built: dict[str, str] = field(default_factory=dict)
    _stack: ExitStack = field(default_factory=ExitStack)

    def open(self) -> None:
        self.server = self._stack.enter_context(run_registry(self.base / "registry", delete=True, port=self.port))

    def close(self) -> None:
        self._stack.close()
        self.server = None

    def recipe(self, name: str) -> bytes:
        return (self.rearch.project / f"recipes/demo/{name}.yaml").read_bytes()

    def words(self, day: date) -> tuple[str, ...]:
        return ("nightly", "--to", f"127.0.0.1:{self.port}/team", "--date", day.isoformat(), "--progress", "plain")

    @property
    def env(self) -> dict[str, str]:
        return {"REARCH_NOTIFY_URLS": self.box.url}

    def night(self, day: date, code: int, *, new: Iterable[str] = (), wrong: Iterable[str] = (), tag: str = "") -> Ran:
        """One night: its exit code, the components that are published, and those that something is wrong with."""
        before = self.server.requests() if self.server else ()
        ran = self.rearch.run(*self.words(day), code=code, env=self.env)
        record: dict[str, Any] = json.loads((self.rearch.output / "nightly.json").read_bytes())
        told = {each["component"].removeprefix("demo/") for each in record["problems"]}
        assert (told, record["exit_code"], record["date"]) == ({*wrong}, code, day.isoformat()), str(ran)
        assert f'{day.isoformat()}"' in (self.rearch.output / "nightly.json").read_text()
        assert "s3cr3t" not in ran.err + ran.out
        sent = {line.split("/")[-1].partition(":")[0] for line in ran.out.splitlines()}
        assert sent == {*new}, str(ran)
        if self.server:
            writes = [line for line in self.server.requests()[len(before) :] if line.split()[0] not in ("GET", "HEAD")]
            assert bool(writes) == bool({*new}), writes
        for name in new:
            self._publish(name, tag or f"nightly-{day.isoformat()}", day)
        if self.server:
            self.check()
        self._check_page(read_page(self.rearch.output / "report.html"), record)
        return ran

    def _publish(self, name: str, tag: str, day: date) -> None:
        """As the registry should be after it: the newest nights up to this one stay, those that were published last,
        and those of days to come."""
        self.order = [*(each for each in self.order if each != tag), tag]
        self.dated[name].add(tag)
        past = sorted(each for each in self.dated[name] if each[:18] <= f"nightly-{day.isoformat()}")
        last = [each for each in self.order if each in self.dated[name]][-KEEP:]
        self.dated[name] -= {*past[:-KEEP]} - {*last}

    def _check_page(self, page: Page, record: dict[str, Any]) -> None:
        """What failed and why, what came of each component, what was published as which digest."""
        assert f"Night of {record['date']}: " in page.text["night"]
        assert f"(exit code {record['exit_code']})" in page.text["night"]
        assert page.headings.get("night", []) == [
            *(f"{one['stage']}: {one['component'] or 'the whole night'}" for one in record["problems"]),
            *(["Also"] if record["told"] else []),
        ]
        for one in record["problems"]:
            assert all(part in page.text["night"] for part in (one["summary"], *one["details"], one["hint"]))
        updates = [(row[0], row[2], row[5] != "no") for row in page.tables.get("night-updates", [])]
        assert updates == [(one["name"], one["after"], bool(one["held"])) for one in record["updates"]]
        matrix = {row[0]: row[1] for row in page.tables["matrix"]}
        assert {*matrix} >= {f"demo/{name}" for name in NAMES}
        for name in record["components"]:
            right = ("made", "reused") if name in record["whole"] else ("failed",)
            assert matrix[name].startswith(right), matrix
        shown = {(row[1], row[2]) for row in page.tables.get("published", []) if row[3] in ("new", "moved")}
        sent = {tuple(one["reference"].split("@")) for one in record["tags"] if one["change"] in ("new", "moved")}
        assert not sent or shown == sent

    def check(self) -> None:
        """The registry: exactly these repositories, tags and manifests, the channel's is what was built last, and all
        of it can be read."""
        assert self.server is not None
        rows = json.loads((self.rearch.output / "build.json").read_bytes())["images"]
        self.built |= {row["component"].removeprefix("demo/"): row["digest"] for row in rows}
        assert json.loads(ask(self.server, "/v2/_catalog")[1])["repositories"] == [f"team/{name}" for name in NAMES]
        for name in NAMES:
            found = tags_of(self.server, f"team/{name}")
            assert {*found} == {"nightly", *self.dated[name]}, name
            assert found["nightly"] == self.built[name], name
            assert found["nightly"] in {found[tag] for tag in self.dated[name]}, name
            needed = {*found.values()} | {
                child["digest"]
                for digest in found.values()
                for child in json.loads(ask(self.server, f"/v2/team/{name}/manifests/{digest}")[1])["manifests"]
            }
            assert manifests(self.server, f"team/{name}") == needed, f"{name}: nothing is lost, nothing is left over"
        reader = Reader(
            self.server, [(f"team/{name}", tag) for name in NAMES for tag in ("nightly", *self.dated[name])]
        )
        reader.look()
        assert reader.faults == []


def test_a_fortnight(tmp_path: Path) -> None:
    rearch = moving_project(tmp_path, NAMES[:3], NAMES[3:], settings=SETTINGS)
    x, y, z = random.Random(SEED).sample(NAMES[:3], 3)
    with inbox() as box:
        world = World(tmp_path, rearch, free_port(), box)
        world.open()
        try:
            _first_week(world, x, y)
            _second_week(world, x, y, z)
        finally:
            world.close()
        assert box.titles == [
            "nightly fails",  # 4: a tag was moved
            "nightly is well again",
            "nightly fails",  # 7: a branch does not build
            "nightly fails",  # 8: nor does a release
            "nightly is well again",
            "nightly fails",  # 10: the registry is away
            "nightly is well again",
            "nightly fails",  # 12: a branch does not build
            "nightly fails",  # 13: nor does a recipe
            "nightly is well again",
        ]
        assert all(message["message"].endswith("https://ci.example.org/r") for message in box.messages)
        assert "moved" in box.messages[0]["message"]
        assert box.messages[2]["message"].startswith(f"failing: demo/{x}\n")


def _first_week(world: World, x: str, y: str) -> None:
    base, days = world.base, _days()
    oak = repository(base, "oak")
    pinned = oak.read_ref("refs/tags/v1.0.0")
    world.night(days(1), 0, new=NAMES)
    ran = world.night(days(2), 0)
    assert ran.started == ()
    push(base, x, "third")
    world.night(days(3), 0, new=[x])
    oak.tag("v1.0.0", oak.commit({"go.mod": "module evil\n"}))
    world.night(days(4), ExitCode.VERIFICATION, wrong=["oak"])
    push(base, y, "fifth")
    world.night(days(5), ExitCode.VERIFICATION, new=[y], wrong=["oak"])
    oak.tag("v1.0.0", pinned)
    release(base, "oak", "v1.0.1", "sixth")
    release(base, "oak", "v2.0.0", "beyond the policy")
    recipe = world.recipe("oak")
    ran = world.night(days(6), 0, new=["oak"])
    assert world.recipe("oak") == recipe.replace(b"v1.0.0", b"v1.0.1")
    assert "recipes/demo/oak.yaml and rearch.lock edited: commit them" in ran.err
    push(base, x, "(")
    push(base, y, "seventh")
    ran = world.night(days(7), ExitCode.PARTIAL, new=[y], wrong=[x])
    assert f"{x} main: " in ran.err
    assert "does not build" in ran.err


def _second_week(world: World, x: str, y: str, z: str) -> None:
    base, days = world.base, _days()
    release(base, "oak", "v1.0.2", "(")
    files = world.recipe("oak"), (world.rearch.project / "rearch.lock").read_bytes()
    ran = world.night(days(8), ExitCode.PARTIAL, wrong=[x, "oak"])
    assert (world.recipe("oak"), (world.rearch.project / "rearch.lock").read_bytes()) == files
    assert not [step for step in ran.started if f"demo/{x}" in step], "what was refused is not tried again"
    release(base, "oak", "v1.0.3", "mended")
    push(base, x, "ninth")
    world.night(days(9), 0, new=[x, "oak"])
    push(base, y, "tenth")
    world.close()
    world.night(days(10), ExitCode.TEMPORARY, wrong=NAMES)
    world.open()
    world.night(days(11), 0, new=[y])
    push(base, x, "(")
    push(base, z, "twelfth")
    _killed(world, days(12))
    world.night(days(12), ExitCode.PARTIAL, new=[z], wrong=[x])
    # Somebody's own mistake, which no update is taken back for: it fails, and stands as it was.
    recipe = world.recipe(z)
    path = world.rearch.project / f"recipes/demo/{z}.yaml"
    path.write_bytes(recipe.replace(b": .}", b": ./gone}"))
    world.night(days(13), ExitCode.PARTIAL, wrong=[x, z])
    assert json.loads((world.rearch.output / "nightly.json").read_bytes())["updates"] == []
    path.write_bytes(recipe)
    push(base, x, "thirteenth")
    # The clock jumped back to a night that x has a tag of.
    world.night(days(9), 0, new=[x], tag=f"nightly-{days(9).isoformat()}-2")
    push(base, x, "fourteenth")
    release(base, "oak", "v1.1.0", "a release")
    recipe = world.recipe("oak")
    world.rearch.run("bump", "oak", "--minor")
    assert world.recipe("oak") == recipe.replace(b"v1.0.3", b"v1.1.0")
    world.night(days(14), 0, new=[x, "oak"])
    again = world.night(days(15), 0)
    assert again.started == ()


def _killed(world: World, day: date) -> None:
    """kill -9 when something is being compiled: nothing is published, and a second run meanwhile is turned away."""
    with world.rearch.start(*world.words(day), env=world.env) as running:
        running.wait_for("start   compile")
        running.send(signal.SIGSTOP, group=True)  # it holds the lock for as long as the second run needs
        turned = world.rearch.run(*world.words(day), code=ExitCode.TEMPORARY, env=world.env)
        assert f"process {running.child.pid} on " in turned.err
        running.send(signal.SIGKILL, group=True)
        running.child.wait()


def _days() -> Callable[[int], date]:
    return lambda number: FIRST + timedelta(days=number - 1)


def test_what_was_pruned_is_gone(tmp_path: Path) -> None:
    """By digest, with the images that nothing else needs; and a registry without deletes is no failure."""
    rearch = moving_project(tmp_path, ("ash",), (), settings="nightly: {prune_keep: 1, prune_age: 0s}\n")
    digests = []
    with run_registry(tmp_path / "registry", delete=True) as server, run_registry(tmp_path / "stiff") as stiff:
        places = ("--to", f"{server.host}/team,{stiff.host}/team")
        for number in (1, 2):
            push(tmp_path, "ash", f"number {number}")
            ran = rearch.run("nightly", *places, "--date", f"2024-05-0{number}")
            digests.append(tags_of(server, "team/ash")["nightly"])
        assert f"would remove {server.host}/team/ash:nightly-2024-05-01" in ran.err
        assert {*tags_of(server, "team/ash")} == {"nightly", "nightly-2024-05-01", "nightly-2024-05-02"}
        old = json.loads(ask(server, f"/v2/team/ash/manifests/{digests[0]}")[1])["manifests"]
        ran = rearch.run("nightly", *places, "--date", "2024-05-03", "--prune-apply")
        assert f"{stiff.host} does not delete: old tags stay" in ran.err
        assert ran.out == ""
        assert tags_of(server, "team/ash") == {"nightly": digests[1], "nightly-2024-05-02": digests[1]}
        gone = (digests[0], *(child["digest"] for child in old))
        assert [ask(server, f"/v2/team/ash/manifests/{digest}")[0] for digest in gone] == [404] * len(gone)
        assert "nightly-2024-05-01" in tags_of(stiff, "team/ash")


def test_a_publish_that_was_killed_gets_the_dated_tag_that_it_began_with(tmp_path: Path) -> None:
    """The state says which it was; of something that was built since, it says nothing."""
    rearch = moving_project(tmp_path, ("ash", "elm"), ())
    mirror = ("--to", f"oci:{tmp_path / 'mirror'}")
    rearch.run("nightly", "--no-publish", "--date", "2024-05-01")
    rows = json.loads((rearch.output / "build.json").read_bytes())["images"]
    begun = {row["component"]: {"digest": row["digest"], "tag": "nightly-2024-05-01"} for row in rows}
    begun["demo/elm"]["digest"] = "sha256:" + "0" * 64
    folder = rearch.output / ".rearch/nightly"
    (folder / "state.json").write_text(json.dumps({"format": 1, "begun": begun}))
    ran = rearch.run("nightly", *mirror, "--date", "2024-05-02")
    assert {line.rpartition("/")[2].partition("@")[0] for line in ran.out.splitlines()} == {
        "ash:nightly",
        "ash:nightly-2024-05-01",
        "elm:nightly",
        "elm:nightly-2024-05-02",
    }
    assert json.loads((folder / "state.json").read_bytes())["begun"] == {}
    assert rearch.run("nightly", *mirror, "--date", "2024-05-03").out == ""
