"""The store: whole or absent, leases, sweeping, garbage collection, collecting into output/."""

from __future__ import annotations

import errno
import json
import os
import shutil
import time
from pathlib import Path

import pytest

from rearch.engine.collect import Output, built
from rearch.engine.gc import collect_garbage
from rearch.engine.lockfile import BadLock, lock_text, read_lock, write_lock
from rearch.engine.state import ProjectState
from rearch.engine.store import Store
from rearch.model.plan import Plan
from rearch.model.step import StepKind
from rearch.planning.graph import steps_of
from rearch.planning.planner import make_plan
from tests.support.engines import Bench
from tests.support.plans import AMD64, ARM64, component, facts

GO = {"layout": "gopath", "binaries": {"hello": "."}, "links": {"hi": "hello"}}


def _built(bench: Bench) -> Plan:
    example = component(platforms=(ARM64, AMD64), build={"toolchain": "go-test", "go": GO})
    plan = make_plan(steps_of((example,), facts(example)), ProjectState(bench.store, bench.base / "last.json"))
    assert bench.run(plan).failed == ()
    return plan


def test_a_result_can_be_read_back(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    plan = _built(bench)
    compiled = next(planned for planned in plan.steps if planned.step.id.kind is StepKind.COMPILE)
    result = bench.store.load(compiled.key)
    assert [(artifact.path, artifact.mode, artifact.target) for artifact in result.artifacts] == [
        ("bin/hello", 0o755, None),
        ("bin/hi", 0o777, "hello"),
    ]
    assert bench.store.document(compiled.key) == json.loads(json.dumps(compiled.document))
    fetched = next(planned for planned in plan.steps if planned.step.id.kind is StepKind.FETCH)
    assert len(str(bench.store.load(fetched.key).facts["tree"])) == 64


def test_output_is_linked_and_left_alone_when_it_is_there(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    plan = _built(bench)
    output = Output(tmp_path / "output", bench.store)
    output.prepare()
    written = output.collect(built(plan, bench.store))
    folder = tmp_path / "output/bin/linux/arm64/hello"
    assert {path.name for path in written} == {"hello", "hi"}
    assert (folder / "hello").read_text() == "hello for linux/arm64"
    assert str((folder / "hi").readlink()) == "hello"
    assert output.collect(built(plan, bench.store)) == ()
    (folder / "stale").write_text("from an earlier recipe")
    (folder / "hello").unlink()
    (folder / "hello").write_text("somebody's own")
    assert output.collect(built(plan, bench.store)) == (folder / "hello",)
    assert sorted(path.name for path in folder.iterdir()) == ["hello", "hi"]
    compiled = next(planned for planned in plan.steps if planned.step.id.platform == ARM64)
    assert bench.store.files(compiled.key).joinpath("bin/hello").read_text() == "hello for linux/arm64"


def test_a_result_that_was_written_to_in_place_is_not_intact(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    plan = _built(bench)
    result = next(bench.store.load(planned.key) for planned in plan.steps if planned.step.id.kind is StepKind.COMPILE)
    file = bench.store.files(result.key) / "bin/hello"
    data = file.read_bytes()
    assert bench.store.intact(result)
    os.utime(file, (time.time() + 60, time.time() + 60))  # newer than the record, but the same bytes
    assert bench.store.intact(result)
    file.write_bytes(data[:-1] + b"?")
    os.utime(file, (time.time() + 60, time.time() + 60))
    assert not bench.store.intact(result)
    file.write_bytes(data + b"?")
    assert not bench.store.intact(result)
    file.unlink()
    assert not bench.store.intact(result)


@pytest.mark.parametrize("obstacle", ["file", "folder", "link"])
def test_whatever_stands_in_the_way_in_output_is_replaced(tmp_path: Path, obstacle: str) -> None:
    bench = Bench(tmp_path)
    plan = _built(bench)
    output = Output(tmp_path / "output", bench.store)
    output.prepare()
    results = built(plan, bench.store)
    folder = output.place(results[0].compiled.step.id)
    for name in ("hello", "hi", ".hello.new"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if obstacle == "file":
            path.write_text("in the way")
        elif obstacle == "folder":
            (path / "inner").mkdir(parents=True)
        else:
            path.symlink_to(tmp_path)
    with output.held():
        output.collect(results)
    assert sorted(path.name for path in folder.iterdir()) == ["hello", "hi"]
    assert (folder / "hello").stat().st_ino == (bench.store.files(results[0].compiled.key) / "bin/hello").stat().st_ino
    assert (folder / "hi").readlink() == Path("hello")


def test_a_copy_that_does_not_fit_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(tmp_path)
    results = built(_built(bench), bench.store)
    output = Output(tmp_path / "output", bench.store)
    output.prepare()

    def no_link(*_paths: object) -> None:
        raise OSError(errno.EXDEV, "another file system")

    def full(_source: Path, target: Path) -> None:
        target.write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "link", no_link)
    monkeypatch.setattr(shutil, "copy2", full)
    with pytest.raises(OSError, match="No space left"):
        output.collect(results)
    assert [path for path in (tmp_path / "output/bin").rglob("*") if not path.is_dir()] == []


def test_nothing_unverified_is_handed_out(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    plan = _built(bench)
    verify = next(planned for planned in plan.steps if planned.step.id.kind is StepKind.VERIFY)
    bench.store.discard(bench.store.folder(verify.key))
    results = built(plan, bench.store)
    assert [result.compiled.step.id.platform for result in results] == [
        platform for platform in (ARM64, AMD64) if platform != verify.step.id.platform
    ]


def test_what_a_killed_run_left_is_swept(tmp_path: Path) -> None:
    store = Store(tmp_path)
    dead = store.root / "leases" / "999999-1"
    dead.parent.mkdir(parents=True)
    dead.write_text("")
    (store.root / "scratch" / "999999-1" / "0").mkdir(parents=True)
    with store.lease() as lease:
        lease.scratch.mkdir(parents=True)
        store.sweep()
        assert lease.scratch.exists()
    assert not dead.exists()
    assert list((store.root / "scratch").iterdir()) == []


def test_gc_keeps_what_is_young_and_what_is_leased(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    plan = _built(bench)
    keys = sorted(planned.key for planned in plan.steps)
    old = time.time() - 100 * 86400
    for key in keys:
        os.utime(bench.store.folder(key) / "result.json", (old, old))
    with bench.store.lease() as lease:
        with bench.store.gate(exclusive=False):
            lease.declare(keys[:2])
        dry = collect_garbage(bench.store, tmp_path / "cache", max_age=86400, quota=None, dry_run=True)
        assert len(dry.removed) == len(keys) - 2
        assert sorted(bench.store.all_keys()) == keys
        collect_garbage(bench.store, tmp_path / "cache", max_age=86400, quota=None)
        assert sorted(bench.store.all_keys()) == keys[:2]
    collect_garbage(bench.store, tmp_path / "cache", max_age=86400, quota=None)
    assert list(bench.store.all_keys()) == []


def test_gc_by_quota_removes_the_longest_unused_first(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    keys = [planned.key for planned in _built(bench).steps]
    for age, key in enumerate(keys):
        when = time.time() - 10_000 + age * 100
        os.utime(bench.store.folder(key) / "result.json", (when, when))
    everything = collect_garbage(bench.store, tmp_path / "cache", max_age=None, quota=None)
    assert everything.removed == ()
    half = everything.kept_bytes // 2
    done = collect_garbage(bench.store, tmp_path / "cache", max_age=None, quota=half)
    assert done.kept_bytes <= half
    assert [item.key for item in done.removed] == keys[: len(done.removed)]


def test_use_keeps_a_result_young(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    key = _built(bench).steps[0].key
    record = bench.store.folder(key) / "result.json"
    os.utime(record, (1, 1))
    assert bench.store.has(key)
    assert time.time() - record.stat().st_mtime < 60


def test_lock_round_trip(tmp_path: Path) -> None:
    lock = facts(component("a"), component("b")).lock
    assert write_lock(tmp_path / "rearch.lock", lock)
    assert not write_lock(tmp_path / "rearch.lock", lock)
    assert read_lock(tmp_path / "rearch.lock") == lock
    assert lock_text(lock).index("example.org/a") < lock_text(lock).index("example.org/b")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"format": 2, "names": {}}',
        '{"format": 1}',
        '{"format": 1, "names": {"git x": {"kind": "git", "needed_by": []}}}',
        '{"format": 1, "names": {"git x": {"kind": "svn", "needed_by": []}}}',
        '{"format": 1, "names": {"g": {"kind": "git", "needed_by": [], "url": "u", "ref": "r", "commit": "--x",'
        ' "time": 0, "submodules": false}}}',
    ],
)
def test_a_torn_lock_is_a_clear_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "rearch.lock"
    path.write_text(text)
    with pytest.raises(BadLock, match=r"rearch\.lock"):
        read_lock(path)


def test_no_lock_is_an_empty_lock(tmp_path: Path) -> None:
    assert read_lock(tmp_path / "rearch.lock").entries == {}


def test_build_json_keeps_what_other_builds_left(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    results = built(_built(bench), bench.store)
    output = Output(tmp_path / "output", bench.store)
    output.collect(results)
    output.write_index(results[:1], (), output.index())
    output.write_index(results[1:], (), output.index())
    listed = [entry["path"] for entry in json.loads((tmp_path / "output/build.json").read_text())["binaries"]]
    assert listed == [f"bin/linux/{arch}/hello/{name}" for arch in ("amd64", "arm64") for name in ("hello", "hi")]
    (tmp_path / "output/bin/linux/arm64/hello/hello").unlink()
    output.write_index(tuple(one for one in results if one.compiled.step.id.platform != ARM64), (), output.index())
    listed = [entry["path"] for entry in json.loads((tmp_path / "output/build.json").read_text())["binaries"]]
    assert "bin/linux/arm64/hello/hello" not in listed
    assert "bin/linux/amd64/hello/hello" in listed


def test_other_bytes_than_those_that_were_checked_are_not_handed_out(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    plan = _built(bench)
    assert len(built(plan, bench.store)) == 2
    compiled = next(planned for planned in plan.steps if planned.step.id.kind is StepKind.COMPILE)
    record = bench.store.folder(compiled.key) / "result.json"
    plain = json.loads(record.read_text())
    plain["artifacts"][0]["digest"] = "0" * 64
    record.write_text(json.dumps(plain))
    assert compiled.step.id.platform not in {one.compiled.step.id.platform for one in built(plan, bench.store)}
    assert len(built(plan, bench.store)) == 1
