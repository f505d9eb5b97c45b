"""Indexes -> output/images: what is put where, what stays, and what build.json says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rearch.engine.collect import Output
from rearch.engine.images import built_indexes, forget_layers, place_of
from rearch.engine.store import Store
from rearch.model.digest import Digest
from rearch.model.image import Image
from rearch.model.plan import Plan, PlannedStep
from rearch.model.step import Artifact, Result, StepKind
from rearch.planning.facts import Rendered
from rearch.planning.graph import steps_of
from rearch.planning.planner import make_plan
from tests.support.plans import AMD64, ARM64, MemoryView, component, facts

BLOBS = "blobs/sha256"


def _plan(text: str = "one") -> Plan:
    image = {"repository": "team/hello", "files": [{"binary": "hello", "to": "/"}], "smoke": [{"run": ["/hello"]}]}
    example = component(platforms=(ARM64, AMD64), image=Image.model_validate(image))

    def render(template: str, values: Any) -> Rendered:
        return Rendered(path=template, text=f"FROM scratch\n# {text} {values['platform']}\n")

    return make_plan(steps_of([example], facts(example, render=render)), MemoryView())


def _commit(store: Store, planned: PlannedStep, files: dict[str, bytes], **found: Any) -> None:
    scratch = store.root / "scratch" / "test"
    artifacts = []
    for path, data in files.items():
        place = scratch / "files" / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
        artifacts.append(Artifact(path=path, size=len(data), digest=Digest.of(data).hex, mode=0o644))
    (scratch / "files").mkdir(parents=True, exist_ok=True)
    result = Result(key=planned.key, kind=planned.step.id.kind, artifacts=tuple(artifacts), facts=found)
    store.commit(result, planned.document, scratch)


def _layout(*blobs: bytes) -> dict[str, bytes]:
    return {f"{BLOBS}/{Digest.of(blob).hex}": blob for blob in blobs} | {
        "oci-layout": b"{}",
        "index.json": b"index of " + b",".join(blobs),
    }


def _fill(store: Store, plan: Plan, *blobs: bytes, leave_out: StepKind | None = None) -> None:
    for planned in plan.steps:
        kind = planned.step.id.kind
        if kind is leave_out:
            continue
        if kind is StepKind.INDEX:
            found = {"repository": "team/hello", "tag": "1.0", "digest": "sha256:" + "1" * 64}
            platforms = {"linux/amd64": "sha256:" + "2" * 64, "linux/arm64": "sha256:" + "3" * 64}
            _commit(store, planned, _layout(*blobs), platforms=platforms, **found)
        elif kind is StepKind.IMAGE:
            _commit(store, planned, {}, size=3, layers=[])
        elif kind in (StepKind.AUDIT, StepKind.IMAGE_SMOKE):
            _commit(store, planned, {}, outcome="passed", checked={})


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "cache")


def test_a_layout_is_linked_and_the_second_time_nothing_is_written(tmp_path: Path, store: Store) -> None:
    plan, output = _plan(), Output(tmp_path / "output", store)
    _fill(store, plan, b"a", b"b")
    indexes = built_indexes(plan, store)
    written = output.collect_images(indexes)
    folder = place_of(tmp_path / "output", "team/hello")
    assert len(written) == 4
    assert written[-1] == folder / "index.json"
    blob = f"{BLOBS}/{Digest.of(b'a').hex}"
    assert (folder / blob).stat().st_ino == (store.files(indexes[0].step.key) / blob).stat().st_ino
    assert output.collect_images(indexes) == ()


def test_blobs_that_nobody_names_any_more_are_removed(tmp_path: Path, store: Store) -> None:
    output = Output(tmp_path / "output", store)
    for text, blobs in (("one", (b"a", b"b")), ("two", (b"b", b"c"))):
        plan = _plan(text)
        _fill(store, plan, *blobs)
        output.collect_images(built_indexes(plan, store))
    folder = place_of(tmp_path / "output", "team/hello") / BLOBS
    assert {path.name for path in folder.iterdir()} == {Digest.of(b"b").hex, Digest.of(b"c").hex}


def test_an_index_that_was_not_made_is_not_handed_out(store: Store) -> None:
    plan = _plan()
    _fill(store, plan, b"a", leave_out=StepKind.INDEX)
    assert built_indexes(plan, store) == ()


def test_build_json_lists_images_and_keeps_those_of_others(tmp_path: Path, store: Store) -> None:
    plan, output = _plan(), Output(tmp_path / "output", store)
    output.prepare()
    _fill(store, plan, b"a")
    indexes = built_indexes(plan, store)
    output.collect_images(indexes)
    output.write_index((), indexes, output.index())
    (entry,) = json.loads((tmp_path / "output/build.json").read_text())["images"]
    assert (entry["component"], entry["repository"], entry["tag"]) == ("test/hello", "team/hello", "1.0")
    assert entry["path"] == "images/team/hello"
    assert [(one["platform"], one["digest"], one["size"], one["smoke"]) for one in entry["platforms"]] == [
        ("linux/amd64", "sha256:" + "2" * 64, 3, "passed"),
        ("linux/arm64", "sha256:" + "3" * 64, 3, "passed"),
    ]
    output.write_index((), (), output.index())
    assert json.loads((tmp_path / "output/build.json").read_text())["images"] == [entry]
    (tmp_path / "output/images/team/hello/index.json").unlink()
    output.write_index((), (), output.index())
    assert json.loads((tmp_path / "output/build.json").read_text())["images"] == []


def test_the_dockerfile_is_left_for_people(tmp_path: Path, store: Store) -> None:
    output = Output(tmp_path / "output", store)
    output.show_dockerfiles(_plan())
    path = tmp_path / "output/dockerfiles/linux/arm64/hello.Dockerfile"
    assert path.read_text() == "FROM scratch\n# one linux/arm64\n"


def test_a_damaged_layer_is_not_taken_from_those_that_were_made_once(store: Store) -> None:
    plan = _plan()
    _fill(store, plan, b"a")
    (index,) = built_indexes(plan, store)
    place = store.root.parent / "layers/blobs" / Digest.of(b"a").hex
    place.parent.mkdir(parents=True)
    place.write_bytes(b"b")
    forget_layers(store, index.result)
    assert not place.exists()
