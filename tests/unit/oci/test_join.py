"""Sources -> index: which entries, in which order, for which platform; and what is refused or told."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from rearch.errors import ExitCode
from rearch.model.publish import SpecPlatform
from rearch.oci.join import JoinedIndex, join, types_for
from rearch.oci.join_annotate import annotate_manifest
from rearch.oci.join_entries import (
    REFERENCE_DIGEST,
    OneImage,
    WholeIndex,
    config_platform,
    without_platform,
)
from rearch.oci.join_errors import (
    NestedIndex,
    NoAnnotationsInDockerList,
    NoImage,
    NoPlatform,
    NothingToJoin,
    NotInIndex,
    OciInDockerList,
    PlatformTwice,
)
from rearch.oci.layout_read import REFERENCE_TYPE
from rearch.oci.types import (
    DOCKER_INDEX,
    DOCKER_MANIFEST,
    OCI_INDEX,
    OCI_MANIFEST,
    REF_NAME,
    BadDocument,
    Descriptor,
    ImageConfig,
    PlatformObject,
    document_bytes,
)


def digest(name: str) -> str:
    return "sha256:" + name.encode().hex().rjust(64, "0")


def platform(text: str, **more: Any) -> PlatformObject:
    os, architecture, variant = (*text.split("/"), None)[:3]
    return PlatformObject(os=str(os), architecture=str(architecture), variant=variant, **more)


def entry(name: str, on: str | None = None, *, docker: bool = False, **more: Any) -> Descriptor:
    media_type = DOCKER_MANIFEST if docker else OCI_MANIFEST
    fields: dict[str, Any] = {"media_type": media_type, "platform": platform(on) if on else None, **more}
    return Descriptor(digest=digest(name), size=500, **fields)


def attestation(name: str, about: str) -> Descriptor:
    marks = {REFERENCE_TYPE: "attestation-manifest", REFERENCE_DIGEST: digest(about)}
    return entry(name, "unknown/unknown", annotations=marks)


def image(name: str, on: str, *, docker: bool = False, **more: Any) -> OneImage:
    return OneImage(name=f"r/{name}", descriptor=entry(name, docker=docker), config=platform(on), **more)


def names(joined: JoinedIndex) -> list[str]:
    return [bytes.fromhex(each.hex).lstrip(b"\0").decode() for each in joined.index.manifests]


def platforms(joined: JoinedIndex) -> list[str]:
    return [str(each.platform) for each in joined.index.manifests]


def test_two_images() -> None:
    joined = join([image("b", "linux/arm64"), image("a", "linux/amd64")], types="oci")
    assert json.loads(document_bytes(joined.index)) == {
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
        "manifests": [
            {
                "mediaType": OCI_MANIFEST,
                "digest": digest(name),
                "size": 500,
                "platform": {"architecture": architecture, "os": "linux"},
            }
            for name, architecture in (("b", "arm64"), ("a", "amd64"))
        ],
    }
    assert [(each.source, each.is_image) for each in joined.taken] == [("r/b", True), ("r/a", True)]
    assert joined.notes == ()


@pytest.mark.parametrize(
    ("wanted", "config", "result"),
    [
        (None, "linux/arm/v6", "linux/arm/v6"),
        (SpecPlatform(os="linux", architecture="arm"), "linux/arm/v6", "linux/arm/v6"),
        (SpecPlatform(os="linux", architecture="arm", variant="v7"), "linux/arm", "linux/arm/v7"),
        (SpecPlatform(os="linux", architecture="arm64"), "linux/arm64/v8", "linux/arm64/v8"),
        (SpecPlatform(os="linux", architecture="arm64"), "linux/arm64", "linux/arm64"),
        (SpecPlatform(variant="v5"), "linux/arm", "linux/arm/v5"),
        (SpecPlatform(architecture="arm"), "linux/arm", "linux/arm"),
    ],
)
def test_what_the_spec_leaves_out_comes_from_the_config(wanted: SpecPlatform | None, config: str, result: str) -> None:
    joined = join([image("a", config, wanted=wanted)], types="oci")
    assert platforms(joined) == [result]
    assert joined.notes == ()


def test_the_spec_wins_and_the_difference_is_told() -> None:
    wanted = SpecPlatform(os="linux", architecture="arm64")
    joined = join([image("a", "linux/arm/v7", wanted=wanted)], types="oci")
    assert platforms(joined) == ["linux/arm64"], "v7 means nothing on arm64"
    assert joined.notes == ("r/a: its config says linux/arm/v7, and it is joined as linux/arm64",)


def test_version_and_features_of_the_system_come_along() -> None:
    text = b'{"architecture": "amd64", "os": "windows", "os.version": "10.0.1", "os.features": ["win32k"]}'
    config = config_platform(msgspec.json.decode(text, type=ImageConfig))
    plain = OneImage(name="w", descriptor=entry("w"), config=config)
    wanted = SpecPlatform(os="windows", architecture="amd64", osversion="10.0.2")
    joined = join([plain, OneImage(name="w2", descriptor=entry("w2"), config=config, wanted=wanted)], types="oci")
    written = json.loads(document_bytes(joined.index))["manifests"]
    assert [each["platform"]["os.version"] for each in written] == ["10.0.1", "10.0.2"]
    assert all(each["platform"]["os.features"] == ["win32k"] for each in written)


INDEX = (entry("x", "linux/amd64"), attestation("ax", "x"), entry("y", "linux/arm/v7"), attestation("ay", "y"))


def test_an_index_gives_its_images_and_attestations_go_last() -> None:
    joined = join([WholeIndex(name="i", entries=INDEX), image("z", "linux/arm64")], types="oci")
    assert names(joined) == ["x", "y", "z", "ax", "ay"]
    assert [each.about for each in joined.taken] == ["", "", "", digest("x"), digest("y")]
    assert [each.source for each in joined.images] == ["i", "i", "r/z"]


def test_attestations_stand_in_the_order_of_their_images() -> None:
    entries = (attestation("ay", "y"), attestation("ax", "x"), entry("x", "linux/amd64"), entry("y", "linux/arm/v7"))
    assert names(join([WholeIndex(name="i", entries=entries)], types="oci")) == ["x", "y", "ax", "ay"]


def test_attestations_can_be_dropped() -> None:
    joined = join([WholeIndex(name="i", entries=INDEX)], types="oci", keep_attestations=False)
    assert names(joined) == ["x", "y"]
    assert len(joined.notes) == 2
    assert all("as asked" in note for note in joined.notes)


def test_an_attestation_of_an_image_that_is_not_joined_is_dropped() -> None:
    entries = (entry("x", "linux/amd64"), attestation("a", "gone"), entry("s", artifact_type="application/x"))
    joined = join([WholeIndex(name="i", entries=entries)], types="oci")
    assert names(joined) == ["x"]
    assert joined.notes == (
        f"i: the attestation {digest('a')} is left out: the image that it is about is not joined",
        f"i ({digest('s')}) is left out: the image that it is about is not joined",
    )


@pytest.mark.parametrize(
    ("wanted", "chosen"),
    [
        (SpecPlatform(os="linux", architecture="amd64"), ["x", "ax"]),
        (SpecPlatform(os="linux", architecture="arm"), ["y", "ay"]),
        (SpecPlatform(os="linux", architecture="arm", variant="v7"), ["y", "ay"]),
        (SpecPlatform(os="linux"), ["x", "y", "ax", "ay"]),
        (SpecPlatform(variant="v7"), ["y", "ay"]),
    ],
)
def test_a_platform_chooses_from_an_index(wanted: SpecPlatform, chosen: list[str]) -> None:
    joined = join([WholeIndex(name="i", entries=INDEX, wanted=wanted)], types="oci")
    assert names(joined) == chosen
    assert joined.notes == ()


def test_an_index_without_the_platform() -> None:
    wanted = SpecPlatform(os="linux", architecture="arm", variant="v6")
    with pytest.raises(NotInIndex) as caught:
        join([WholeIndex(name="r/i:1", entries=INDEX, wanted=wanted)], types="oci")
    assert caught.value.summary == "r/i:1 has no image for linux/arm/v6"
    assert caught.value.details == ("it has linux/amd64, linux/arm/v7",)
    assert caught.value.exit_code is ExitCode.USAGE


def test_entries_without_a_platform_take_that_of_their_config() -> None:
    entries = (entry("x"), entry("y", "linux/amd64"), attestation("ax", "x"), entry("s", artifact_type="application/x"))
    assert [each.digest for each in without_platform(entries)] == [digest("x")]
    with pytest.raises(NoPlatform) as caught:
        join([WholeIndex(name="i", entries=entries)], types="oci")
    assert caught.value.digest == digest("x")
    configs = {digest("x"): platform("linux/s390x")}
    joined = join([WholeIndex(name="i", entries=entries, configs=configs)], types="oci")
    assert platforms(joined)[:2] == ["linux/s390x", "linux/amd64"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("linux/arm64", "linux/arm64/v8"),
        ("linux/arm", "linux/arm/v7"),
        ("linux/amd64", "linux/amd64"),
        ("plan9/mips", "plan9/mips"),
    ],
)
def test_a_platform_twice_names_both_sources(one: str, other: str) -> None:
    with pytest.raises(PlatformTwice) as caught:
        join([image("a", one), image("b", other)], types="oci")
    assert caught.value.summary == f"there are two images for {other}"
    assert caught.value.details == (f"r/a ({digest('a')})", f"r/b ({digest('b')})")


def test_platforms_that_only_look_alike() -> None:
    joined = join([image("a", "linux/amd64"), image("b", "linux/amd64/v2"), image("c", "linux/arm/v5")], types="oci")
    assert platforms(joined) == ["linux/amd64", "linux/amd64/v2", "linux/arm/v5"]


def test_an_image_in_two_sources_is_there_twice() -> None:
    with pytest.raises(PlatformTwice):
        join([WholeIndex(name="i", entries=INDEX), WholeIndex(name="j", entries=INDEX)], types="oci")


def test_annotations_of_index_and_descriptors() -> None:
    own = entry("a", annotations={"kept": "1", "over": "old", REF_NAME: "a-layout-name"})
    source = OneImage(name="a", descriptor=own, config=platform("linux/amd64"), annotations={"over": "new", "b": "2"})
    joined = join([source], types="oci", annotations={"z": "1", "a": "2"})
    assert list((joined.index.annotations or {}).items()) == [("a", "2"), ("z", "1")]
    assert dict(joined.index.manifests[0].annotations or {}) == {"kept": "1", "over": "new", "b": "2"}


def test_a_docker_list() -> None:
    joined = join([image("a", "linux/amd64", docker=True), image("b", "linux/arm/v7", docker=True)], types="docker")
    assert joined.index.media_type == DOCKER_INDEX
    assert "annotations" not in json.loads(document_bytes(joined.index))


def test_a_docker_list_takes_no_oci_image() -> None:
    with pytest.raises(OciInDockerList) as caught:
        join([image("a", "linux/amd64", docker=True), image("b", "linux/arm64")], types="docker")
    assert caught.value.details == (f"r/b ({digest('b')})",)
    assert "--type oci" in str(caught.value.hint)


def test_a_docker_list_takes_no_annotations() -> None:
    sources = [image("a", "linux/amd64", docker=True, annotations={"a": "1"})]
    with pytest.raises(NoAnnotationsInDockerList) as caught:
        join(sources, types="docker", annotations={"b": "2"})
    assert caught.value.places == ("the index", "r/a")


def test_what_a_docker_list_cannot_say_is_told() -> None:
    entries = (entry("x", "linux/amd64", docker=True, annotations={"a": "1"}), attestation("ax", "x"))
    joined = join([WholeIndex(name="i", entries=entries)], types="docker")
    assert names(joined) == ["x"]
    assert joined.index.manifests[0].annotations is None
    assert joined.notes == (
        f"i ({digest('x')}): its annotations are left out: Docker's types have none",
        f"i: the attestation {digest('ax')} is left out: Docker's types cannot mark it",
    )


def test_the_type_where_nobody_says() -> None:
    docker = image("a", "linux/amd64", docker=True)
    assert types_for([docker]) == "docker"
    assert types_for([docker], {"a": "1"}) == "oci"
    assert types_for([image("a", "linux/amd64", docker=True, annotations={"a": "1"})]) == "oci"
    assert types_for([docker, image("b", "linux/arm64")]) == "oci"
    with_attestation = WholeIndex(name="i", entries=(entry("x", "linux/amd64", docker=True), attestation("ax", "x")))
    assert types_for([with_attestation]) == "oci"


def test_what_is_no_image() -> None:
    nested = WholeIndex(name="i", entries=(entry("n", "linux/amd64", media_type=OCI_INDEX),))
    with pytest.raises(NestedIndex):
        join([nested], types="oci")
    old = "application/vnd.docker.distribution.manifest.v1+prettyjws"
    with pytest.raises(NoImage, match="prettyjws"):
        join([OneImage(name="a", descriptor=entry("a", media_type=old), config=platform("linux/amd64"))], types="oci")
    with pytest.raises(NoImage, match="prettyjws"):
        join([WholeIndex(name="i", entries=(entry("a", "linux/amd64", media_type=old),))], types="oci")
    with pytest.raises(NothingToJoin):
        join([], types="oci")
    with pytest.raises(NotInIndex, match="any platform"):
        join([WholeIndex(name="i", entries=(attestation("a", "x"),))], types="oci")


def test_annotating_a_manifest_changes_nothing_else() -> None:
    before = b'{"schemaVersion": 2, "zebra": {"b": 1, "a": "\xc3\xa9"}, "annotations": {"b": "1"}, "config": {}}'
    after = annotate_manifest(before, {"a": "2"}, media_type=OCI_MANIFEST, name="x")
    assert after == (b'{"schemaVersion":2,"zebra":{"b":1,"a":"\xc3\xa9"},"annotations":{"a":"2","b":"1"},"config":{}}')
    for same in ({}, {"b": "1"}):
        assert annotate_manifest(before, same, media_type=OCI_MANIFEST, name="x") is before
    with pytest.raises(NoAnnotationsInDockerList):
        annotate_manifest(before, {"a": "2"}, media_type=DOCKER_MANIFEST, name="x")
    for bad in (b"<html>", b"[]", b'{"annotations": [1]}'):
        with pytest.raises(BadDocument):
            annotate_manifest(bad, {"a": "2"}, media_type=OCI_MANIFEST, name="x")
