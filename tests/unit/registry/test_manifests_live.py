"""A tag as it is beside the index that it is to name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from rearch.model.reference import parse_reference
from rearch.oci.types import OCI_INDEX, OCI_MANIFEST, Descriptor, Index, PlatformObject, document_bytes
from rearch.registry.documents import Document
from rearch.registry.manifests_live import TagChange, tag_change

NAME = parse_reference("example.org/a:1")


def entry(platform: str, digit: str, **more: Any) -> Descriptor:
    parts: Mapping[str, str] = dict(zip(("os", "architecture", "variant"), platform.split("/"), strict=False))
    found = msgspec.convert(parts, PlatformObject)
    return Descriptor(media_type=OCI_MANIFEST, digest=f"sha256:{digit * 64}", size=1, platform=found, **more)


def live(index: Index, digest: str = "sha256:" + "9" * 64) -> Document:
    return Document(reference=NAME, media_type=index.media_type, data=document_bytes(index), digest=digest)


def changed(before: Index, after: Index) -> TagChange:
    return tag_change(NAME, live(before), after, "sha256:" + "8" * 64)


def test_no_tag_and_the_same_index() -> None:
    index = Index(manifests=(entry("linux/arm64", "1"),))
    new = tag_change(NAME, None, index, "sha256:" + "8" * 64)
    assert (new.action, new.words) == ("new", "example.org/a:1: new")
    same = tag_change(NAME, live(index), index, "sha256:" + "9" * 64)
    assert (same.action, same.changes) == ("unchanged", ())


def test_platforms_are_compared_by_what_they_mean() -> None:
    before = Index(manifests=(entry("linux/arm64", "1"), entry("linux/arm/v7", "2"), entry("linux/386", "3")))
    after = Index(manifests=(entry("linux/arm64/v8", "1"), entry("linux/arm", "4"), entry("linux/amd64", "5")))
    found = changed(before, after)
    assert found.action == "moved"
    assert found.changes == (
        "linux/arm/v7 sha256:222222222222 -> sha256:444444444444",
        "linux/amd64 is new: sha256:555555555555",
        "linux/386 goes: sha256:333333333333",
    )


def test_annotations_attestations_and_order() -> None:
    one, two = entry("linux/arm64", "1"), entry("linux/386", "2")
    note = entry("unknown/unknown", "7", annotations={"vnd.docker.reference.type": "attestation-manifest"})
    found = changed(
        Index(manifests=(one, note), annotations={"a": "1", "b": "2"}),
        Index(manifests=(one,), annotations={"b": "3", "c": "\n"}),
    )
    assert found.changes == (
        "attestations and the like: 1 -> 0",
        "annotation a: '1' -> (none)",
        "annotation b: '2' -> '3'",
        "annotation c: (none) -> '\\n'",
    )
    turned = changed(Index(manifests=(one, two)), Index(manifests=(two, one)))
    assert turned.changes == ("the same images, in another order or with other descriptors",)


def test_a_single_image() -> None:
    document = Document(reference=NAME, media_type=OCI_MANIFEST, data=b"{}", digest="sha256:" + "9" * 64)
    found = tag_change(NAME, document, Index(media_type=OCI_INDEX, manifests=()), "sha256:" + "8" * 64)
    assert found.changes == ("it is a single image now, and no index",)
