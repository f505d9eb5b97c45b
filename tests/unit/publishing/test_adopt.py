"""An image of others put into what was built, and sent to a side in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rearch.model.platform import parse_platform
from rearch.model.reference import Reference, parse_reference
from rearch.oci.layout import blob_path, read_blob, start_layout
from rearch.oci.types import DOCKER_INDEX, OCI_INDEX, Descriptor, Index, Types, read_document
from rearch.planning.publish_adopt import Adoption
from rearch.planning.publish_targets import parse_target
from rearch.planning.publish_values import Blob, PublishOptions
from rearch.publishing.adopt import Adopted, adopt
from rearch.publishing.adopt_errors import DoesNotFit
from rearch.publishing.built import Built, read_built
from rearch.publishing.lag import Lag
from rearch.publishing.originals import Original
from rearch.publishing.outcome import PublishResult
from rearch.publishing.publisher import Publisher
from tests.support.built_output import add_built, make_project, noise
from tests.support.layouts import add_image
from tests.support.memory_side import MemorySide

AMD64 = parse_platform("amd64")
HUB = parse_reference("hub.example.org/rancher/agent:v1")
ADOPTION = Adoption(component="demo/agent", platform=AMD64, reference=HUB)


def built(tmp_path: Path, types: Types = "docker", **more: Any) -> Built:
    project = make_project(tmp_path)
    add_built(project, "agent", types=types, **more)
    return read_built(project / "output", stacks=None, only=(), require_smoke=False)[0]


def make_original(tmp_path: Path, types: Types = "docker") -> tuple[Original, Path, Descriptor]:
    layout = tmp_path / "original"
    start_layout(layout)
    manifest = add_image(layout, AMD64, [[noise("theirs")], [noise("base linux/amd64")]], compress=True, types=types)
    text = read_blob(layout, manifest).decode()
    found = Original(reference=str(HUB), platform=str(AMD64), media_type=manifest.media_type, manifest=text)
    return found, layout, manifest


def adopted(tmp_path: Path, types: Types = "docker", **more: Any) -> tuple[Adopted, Path]:
    original, layout, _ = make_original(tmp_path, types)
    return adopt(built(tmp_path, types, **more), [(ADOPTION, original)]), layout


def test_it_takes_the_place_of_ours_and_nothing_else_changes(tmp_path: Path) -> None:
    before = built(tmp_path)
    original, _, manifest = make_original(tmp_path)
    found = adopt(before, [(ADOPTION, original)])
    assert found.replaced == ("linux/amd64",)
    index = read_document(Index, found.built.documents[found.built.image.index.digest], "index")
    assert index.media_type == DOCKER_INDEX
    assert index == found.built.index
    assert [entry.digest for entry in index.manifests] == [manifest.digest, before.index.manifests[1].digest]
    assert found.built.image.children[1] == before.image.children[1]
    assert found.built.image.children[0].origin == HUB.at(manifest.digest)
    assert set(found.built.documents) == {found.built.image.index.digest, *(each.digest for each in index.manifests)}
    assert found.built.image.annotations == before.image.annotations


def test_it_is_added_where_we_have_none_and_annotations_stay(tmp_path: Path) -> None:
    original, _, _ = make_original(tmp_path, "oci")
    before = built(tmp_path, "oci")
    arm64 = adopt(before, [(ADOPTION, original)]).built
    assert (arm64.index.media_type, arm64.index.annotations) == (OCI_INDEX, before.index.annotations)
    riscv = Adoption(component="demo/agent", platform=parse_platform("riscv64"), reference=HUB)
    more = adopt(before, [(riscv, original)])
    assert more.replaced == ()
    assert [str(entry.platform) for entry in more.built.index.manifests] == [
        "linux/amd64",
        "linux/arm64",
        "linux/riscv64",
    ]


def test_nothing_to_adopt_changes_nothing(tmp_path: Path) -> None:
    before = built(tmp_path)
    assert adopt(before, []).built is before


def test_what_nobody_started_is_not_told_of_an_image_that_is_left_out(tmp_path: Path) -> None:
    found, _ = adopted(tmp_path, smoke="not run")
    assert found.built.not_started == ("linux/arm64",)


def test_docker_s_list_takes_no_oci_image_and_an_oci_index_takes_docker_s(tmp_path: Path) -> None:
    original, _, _ = make_original(tmp_path, "oci")
    with pytest.raises(DoesNotFit, match="manifest list") as caught:
        adopt(built(tmp_path, "docker"), [(ADOPTION, original)])
    assert caught.value.what == "manifest"
    docker, _, _ = make_original(tmp_path / "docker", "docker")
    found = adopt(built(tmp_path / "oci", "oci"), [(ADOPTION, docker)])
    assert found.built.index.media_type == OCI_INDEX


def send(found: Adopted, layout: Path, side: MemorySide, fetched: list[str]) -> PublishResult:
    def files(origin: Reference, blob: Blob) -> Path:
        fetched.append(f"{origin.place}@{blob.digest}")
        return blob_path(layout, blob.digest)

    return Publisher(
        [found.built],
        PublishOptions(targets=(parse_target("one.example.org/team"),), per_arch=True),
        lambda _target, _stop: side,
        say=lambda _text, _level: None,
        lag=Lag(limit=1, sleep=lambda _seconds: None, clock=iter(range(1000)).__next__),
        files=files,
    ).publish()


def test_its_blobs_are_fetched_when_they_cannot_be_taken_and_its_tag_names_it(tmp_path: Path) -> None:
    found, layout = adopted(tmp_path)
    side, fetched = MemorySide(), list[str]()
    result = send(found, layout, side, fetched)
    assert result.errors == ()
    child = found.built.image.children[0]

    assert sorted(fetched) == sorted(f"{HUB.place}@{blob.digest}" for blob in child.blobs)
    assert side.tags["team/agent", "v1.0.0_amd64"] == child.manifest.digest
    assert side.tags["team/agent", "v1.0.0"] == found.built.image.index.digest
    assert result.outcomes[0].adopted == {"linux/amd64": str(child.origin)}
    side.calls.clear()
    assert send(found, layout, side, fetched).bytes_sent == 0
    assert {call.split()[0] for call in side.calls} == {"tag"}
    assert len(fetched) == 3


def test_what_the_side_has_already_is_not_fetched(tmp_path: Path) -> None:
    found, layout = adopted(tmp_path)
    side, fetched = MemorySide(), list[str]()
    for blob in found.built.image.children[0].blobs:
        side.blobs["team/agent", blob.digest] = blob_path(layout, blob.digest).read_bytes()
    assert send(found, layout, side, fetched).errors == ()
    assert fetched == []
    assert len([call for call in side.calls if call.startswith("take")]) == 3


def test_what_was_lost_is_fetched_again(tmp_path: Path) -> None:
    found, layout = adopted(tmp_path)
    side, fetched = MemorySide(), list[str]()
    once = [found.built.image.children[0].manifest.digest]

    def lose(call: str) -> None:
        if once and call.startswith("put") and call.endswith(once[0]):
            once.clear()
            side.blobs.clear()

    side.before = lose
    assert send(found, layout, side, fetched).errors == ()
    assert side.tags["team/agent", "v1.0.0"] == found.built.image.index.digest
    assert len(fetched) == 6
