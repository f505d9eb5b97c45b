"""Fourteen nights of one project: upstreams move, break and are mended; a tag is moved; the registry is away once; a
night is killed; the clock jumps back. After each of them the record says what was, and the registry has what it should.
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
from tests.support.nightly import Inbox, ask, inbox, moving_project, push, repository, tags_of
from tests.support.publishing import Reader
from tests.support.registry import Server, free_port, run_registry

SEED = 20240501
FIRST = date(2024, 5, 1)
KEEP = 3
SETTINGS = f"nightly: {{prune_keep: {KEEP}, prune_age: 0s, prune_apply: true, report_url: https://ci.example.org/r}}\n"
NAMES = ("ash", "beech", "cedar", "oak")


@dataclass
class World:
    """The project and its surroundings; `dated` is what the registry should have: component -> dated tags."""

    base: Path
    rearch: Cli
    port: int
    box: Inbox
    server: Server | None = None
    dated: dict[str, set[str]] = field(default_factory=lambda: {name: set() for name in NAMES})
    _stack: ExitStack = field(default_factory=ExitStack)

    def open(self) -> None:
        self.server = self._stack.enter_context(run_registry(self.base / "registry", delete=True, port=self.port))

    def close(self) -> None:
        self._stack.close()
        self.server = None

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
        return ran

    def _publish(self, name: str, tag: str, day: date) -> None:
        """As the registry should be after it: the newest nights up to this one stay, and those of days to come."""
        self.dated[name].add(tag)
        past = sorted(each for each in self.dated[name] if each[:18] <= f"nightly-{day.isoformat()}")
        self.dated[name] -= {*past[:-KEEP]}

    def check(self) -> None:
        """The registry: exactly these tags, the channel's is what was built last, and all of it can be read."""
        assert self.server is not None
        rows = json.loads((self.rearch.output / "build.json").read_bytes())["images"]
        digests = {row["component"].removeprefix("demo/"): row["digest"] for row in rows}
        for name in NAMES:
            found = tags_of(self.server, f"team/{name}")
            assert {*found} == {"nightly", *self.dated[name]}, name
            assert found["nightly"] == digests[name], name
            assert found["nightly"] in {found[tag] for tag in self.dated[name]}, name
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
            "nightly fails",
            "nightly is well again",
            "nightly fails",
            "nightly is well again",
            "nightly fails",
            "nightly is well again",
            "nightly fails",
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
    world.night(days(6), 0)
    push(base, x, "(")
    push(base, y, "seventh")
    ran = world.night(days(7), ExitCode.PARTIAL, new=[y], wrong=[x])
    assert f"{x} main: " in ran.err
    assert "does not build" in ran.err


def _second_week(world: World, x: str, y: str, z: str) -> None:
    base, days = world.base, _days()
    ran = world.night(days(8), ExitCode.PARTIAL, wrong=[x])
    assert ran.started == (), "what was refused is not tried again"
    push(base, x, "ninth")
    world.night(days(9), 0, new=[x])
    push(base, y, "tenth")
    world.close()
    world.night(days(10), ExitCode.TEMPORARY, wrong=NAMES)
    world.open()
    world.night(days(11), 0, new=[y])
    push(base, x, "(")
    push(base, z, "twelfth")
    _killed(world, days(12))
    world.night(days(12), ExitCode.PARTIAL, new=[z], wrong=[x])
    push(base, x, "thirteenth")
    # The clock jumped back to a night that x has a tag of.
    world.night(days(9), 0, new=[x], tag=f"nightly-{days(9).isoformat()}-2")
    push(base, x, "fourteenth")
    recipe = world.rearch.project / "recipes/demo/oak.yaml"
    recipe.write_text(recipe.read_text().replace("v1.0.0", "v1.1.0"))
    repository(base, "oak").tag("v1.1.0")
    push(base, "oak", "a release")
    repository(base, "oak").tag("v1.1.0")
    world.night(days(14), 0, new=[x, "oak"])


def _killed(world: World, day: date) -> None:
    """kill -9 when something is being compiled: nothing is published, and a second run meanwhile is turned away."""
    with world.rearch.start(*world.words(day), env=world.env) as running:
        running.wait_for("start   compile")
        turned = world.rearch.run(*world.words(day), code=ExitCode.TEMPORARY, env=world.env)
        assert f"process {running.child.pid} on " in turned.err
        assert running.child.poll() is None, "the night was over before it was killed"
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
