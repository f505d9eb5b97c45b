"""`publish --merge`: what is kept, what is replaced, and that it comes to rest."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rearch.oci.join_entries import REFERENCE_DIGEST, is_image_entry, same_platform
from rearch.oci.join_errors import NestedIndex, NoPlatform
from rearch.oci.join_merge import Merged, index_of_one, merge
from rearch.oci.layout_read import REFERENCE_TYPE
from rearch.oci.types import (
    DOCKER_INDEX,
    DOCKER_MANIFEST,
    OCI_INDEX,
    OCI_MANIFEST,
    Descriptor,
    Index,
    PlatformObject,
    document_bytes,
)


def digest(name: str) -> str:
    return "sha256:" + name.encode().hex().rjust(64, "0")


def platform(text: str) -> PlatformObject:
    os, architecture, variant = (*text.split("/"), None)[:3]
    return PlatformObject(os=str(os), architecture=str(architecture), variant=variant)


def entry(name: str, on: str | None, media_type: str = OCI_MANIFEST, **more: Any) -> Descriptor:
    where = platform(on) if on else None
    return Descriptor(media_type=media_type, digest=digest(name), size=9, platform=where, **more)


def attestation(name: str, about: str) -> Descriptor:
    marks = {REFERENCE_TYPE: "attestation-manifest", REFERENCE_DIGEST: digest(about)}
    return entry(name, "unknown/unknown", annotations=marks)


def index(*entries: Descriptor, **more: Any) -> Index:
    return Index(manifests=entries, **more)


def names(merged: Merged) -> list[str]:
    return [bytes.fromhex(each.hex).lstrip(b"\0").decode() for each in merged.index.manifests]


def test_ours_replaces_its_platform_and_the_rest_stays() -> None:
    live = index(entry("x1", "linux/amd64"), entry("y1", "linux/arm64/v8"), annotations={"who": "they"})
    ours = index(entry("y2", "linux/arm64"), entry("z2", "linux/s390x"), annotations={"who": "we"})
    merged = merge(live, ours, name="r/x:1")
    assert names(merged) == ["x1", "y2", "z2"]
    assert (merged.kept, merged.replaced, merged.added, merged.same) == (
        ("linux/amd64",),
        ("linux/arm64",),
        ("linux/s390x",),
        (),
    )
    assert merged.changed
    assert dict(merged.index.annotations or {}) == {"who": "we"}


def test_where_all_of_ours_is_there_the_live_index_stays() -> None:
    live = index(entry("x1", "linux/amd64"), entry("y1", "linux/arm64"), annotations={"who": "they"})
    merged = merge(live, index(entry("y1", "linux/arm64"), annotations={"who": "we"}), name="r/x:1")
    assert not merged.changed
    assert merged.index is live
    assert (merged.kept, merged.same) == (("linux/amd64",), ("linux/arm64",))


def test_two_builders_that_merge_by_turns_come_to_rest() -> None:
    amd64, arm64 = index(entry("x", "linux/amd64"), annotations={"a": "1"}), index(entry("y", "linux/arm64"))
    first = merge(amd64, arm64, name="t").index
    for ours in (amd64, arm64, amd64):
        again = merge(first, ours, name="t")
        assert not again.changed
        assert document_bytes(again.index) == document_bytes(first)


def test_attestations_go_with_their_images() -> None:
    live = index(
        entry("x1", "linux/amd64"), attestation("ax", "x1"), entry("y1", "linux/arm64"), attestation("ay", "y1")
    )
    ours = index(entry("y2", "linux/arm64"), attestation("ay2", "y2"))
    merged = merge(live, ours, name="t")
    assert names(merged) == ["x1", "y2", "ax", "ay2"]
    assert merged.gone == (digest("ay"),)


def test_a_new_attestation_of_an_image_that_is_there_counts() -> None:
    live = index(entry("x1", "linux/amd64"), entry("y1", "linux/arm64"))
    merged = merge(live, index(entry("y1", "linux/arm64"), attestation("ay", "y1")), name="t")
    assert merged.changed
    assert names(merged) == ["x1", "y1", "ay"]


def test_a_live_index_with_a_platform_twice_is_repaired() -> None:
    live = index(entry("old", "linux/arm64"), entry("y", "linux/arm64/v8"), entry("x", "linux/amd64"))
    merged = merge(live, index(entry("y", "linux/arm64")), name="t")
    assert names(merged) == ["y", "x"]
    assert merged.changed


def test_docker_lists() -> None:
    live = index(entry("x", "linux/amd64", DOCKER_MANIFEST), media_type=DOCKER_INDEX)
    ours = index(entry("y", "linux/arm64", DOCKER_MANIFEST), media_type=DOCKER_INDEX)
    assert merge(live, ours, name="t").index.media_type == DOCKER_INDEX
    oci = index(entry("x", "linux/amd64"))
    assert merge(oci, ours, name="t").index.media_type == OCI_INDEX, "an OCI image cannot stand in Docker's list"
    assert merge(live, index(entry("y", "linux/arm64")), name="t").index.media_type == OCI_INDEX


def test_a_single_image_is_merged_with() -> None:
    live = index_of_one(entry("x", None, annotations={"a": "layout name"}), platform("linux/amd64"))
    assert names(merge(live, index(entry("y", "linux/arm64")), name="t")) == ["x", "y"]
    assert live.manifests[0].annotations is None


def test_what_cannot_be_merged_with() -> None:
    ours = index(entry("y", "linux/arm64"))
    with pytest.raises(NestedIndex) as nested:
        merge(index(entry("n", "linux/amd64", OCI_INDEX)), ours, name="r/x:1")
    assert "without --merge" in str(nested.value.hint)
    unlabelled = index(entry("x", None))
    with pytest.raises(NoPlatform, match="r/x:1"):
        merge(unlabelled, ours, name="r/x:1")
    merged = merge(unlabelled, ours, name="r/x:1", configs={digest("x"): platform("linux/amd64")})
    assert [str(each.platform) for each in merged.index.manifests] == ["linux/amd64", "linux/arm64"]


PLATFORMS = [
    "linux/amd64",
    "linux/arm64",
    "linux/arm64/v8",
    "linux/arm",
    "linux/arm/v7",
    "linux/arm/v6",
    "windows/amd64",
]


@st.composite
def indexes(draw: st.DrawFn) -> Index:
    """Each platform once under one of its spellings, some with an attestation."""
    chosen = draw(
        st.lists(st.sampled_from(PLATFORMS), unique_by=lambda text: same_platform(platform(text)), max_size=4)
    )
    entries = [entry(f"{text}-{draw(st.integers(1, 3))}", text) for text in chosen]
    about = [each for each in entries if draw(st.booleans())]
    return index(
        *entries,
        *(attestation(f"a{n}", bytes.fromhex(each.hex).lstrip(b"\0").decode()) for n, each in enumerate(about)),
    )


@settings(max_examples=100, deadline=None, derandomize=True)
@given(indexes(), indexes())
def test_merging(live: Index, ours: Index) -> None:
    merged = merge(live, ours, name="t")

    def images(of: Index) -> dict[tuple[str, ...], str]:
        return {
            same_platform(each.platform): each.digest for each in of.manifests if is_image_entry(each) and each.platform
        }

    found = images(merged.index)
    assert found == images(live) | images(ours)
    assert len(found) == sum(is_image_entry(each) for each in merged.index.manifests)
    others = [each for each in merged.index.manifests if not is_image_entry(each)]
    assert {(each.annotations or {})[REFERENCE_DIGEST] for each in others} <= set(found.values())
    assert merged.index.manifests[len(found) :] == tuple(others) or not merged.changed
    assert document_bytes(merge(merged.index, ours, name="t").index) == document_bytes(merged.index)
