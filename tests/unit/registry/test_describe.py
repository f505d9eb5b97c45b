"""Descriptions of indexes that are made up, right and wrong."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from rearch.model.platform import parse_platform
from rearch.oci.types import (
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
    BadDocument,
    Descriptor,
    ImageConfig,
    Index,
    Manifest,
    PlatformObject,
    RunConfig,
    descriptor_of,
    document_bytes,
)
from rearch.registry.describe import MOST_ENTRIES, Base, describe
from rearch.registry.describe_show import description_document, description_lines, human_size

NAME, DIGEST = "org.opencontainers.image.base.name", "org.opencontainers.image.base.digest"


class Made:
    """Documents by their digest; `index` is described."""

    name = "made"

    def __init__(self) -> None:
        self.documents: dict[str, bytes] = {}
        self.described: tuple[Descriptor, bytes] | None = None

    def put(self, media_type: str, data: bytes, **more: Any) -> Descriptor:
        found = descriptor_of(media_type, data, **more)
        self.documents[found.digest] = data
        return found

    def image(
        self, platform: str, *, says: str = "", labels: dict[str, str] | None = None, **manifest: Any
    ) -> Descriptor:
        row = PlatformObject.of(parse_platform(says or platform))
        config = ImageConfig(
            architecture=row.architecture,
            os=row.os,
            variant=row.variant,
            config=RunConfig(labels=labels) if labels else None,
        )
        document = Manifest(
            config=self.put(OCI_CONFIG, document_bytes(config)),
            layers=(Descriptor(media_type=OCI_LAYER, digest="sha256:" + "1" * 64, size=1_000_000),),
            **manifest,
        )
        return self.put(OCI_MANIFEST, document_bytes(document), platform=PlatformObject.of(parse_platform(platform)))

    def index(self, *entries: Descriptor, **more: Any) -> Made:
        data = document_bytes(Index(manifests=entries, **more))
        self.described = (descriptor_of(OCI_INDEX, data), data)
        return self

    def top(self) -> tuple[Descriptor, bytes]:
        assert self.described is not None
        return self.described

    def document(self, entry: Descriptor) -> bytes | None:
        return self.documents.get(entry.digest)

    config = document

    def referrers(self, _entry: Descriptor, /) -> tuple[Descriptor, ...]:
        return ()


def test_the_base_is_what_stands_nearest() -> None:
    made = Made()
    above = {NAME: "above", DIGEST: "sha256:" + "2" * 64}
    inside = made.image("arm64", labels={NAME: "label"}, annotations={NAME: "manifest"})
    label = made.image("amd64", labels={NAME: "label"})
    nothing = made.image("386")
    beside = replace(nothing, annotations={NAME: "beside"}, platform=PlatformObject(os="x", architecture="y"))
    found = describe(made.index(inside, label, nothing, beside, annotations=above))
    assert [image.base for image in found.images] == [
        Base(name="manifest"),
        Base(name="label"),
        Base(name="above", digest="sha256:" + "2" * 64),
        Base(name="beside"),
    ]


def test_wrong_labels_missing_children_and_platforms_that_stand_twice() -> None:
    made = Made()
    good, liar, twin = (
        made.image("arm64"),
        made.image("arm/v6", says="amd64"),
        made.image("arm64", annotations={"a": "b"}),
    )
    gone = descriptor_of(OCI_MANIFEST, b"{}", platform=PlatformObject(os="linux", architecture="s390x"))
    found = describe(made.index(good, liar, twin, gone, replace(good, size=7, platform=liar.platform)))
    faults = found.all_faults
    assert faults[0] == "there are 2 images for linux/arm64: which one is taken depends on who asks"
    assert faults[1].startswith("there are 2 images for linux/arm/v6")
    assert f"{liar.digest}: it is labelled linux/arm/v6, and its config says linux/amd64" in faults
    assert any(fault.startswith(f"{gone.digest}: it is not there") for fault in faults)
    assert f"{good.digest}: the index says that it has 7 bytes; it has {good.size}" in faults
    assert not found.images[0].faults
    lines = [*description_lines(found)]
    assert "wrong:" in lines
    assert next(line for line in lines if line.startswith("linux/s390x")).split()[2:4] == ["-", "-"]


def test_a_config_without_a_variant_fits_any() -> None:
    made = Made()
    old = made.image("arm64")
    config = document_bytes(ImageConfig(architecture="arm", os="linux"))
    manifest = document_bytes(Manifest(config=made.put(OCI_CONFIG, config), layers=()))
    arm = made.put(OCI_MANIFEST, manifest, platform=PlatformObject(os="linux", architecture="arm", variant="v6"))
    assert not describe(made.index(old, arm)).all_faults


def test_other_things_in_an_index() -> None:
    made = Made()
    image = made.image("arm64")
    config = made.put("application/vnd.example+json", b"{}")
    signature = made.put(
        OCI_MANIFEST,
        document_bytes(Manifest(artifact_type="application/signature", config=config, layers=())),
        artifact_type="application/signature",
    )
    nested = made.put(OCI_INDEX, document_bytes(Index(manifests=())))
    gone = descriptor_of(
        OCI_MANIFEST,
        b"gone",
        annotations={"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": image.digest},
    )
    found = describe(made.index(image, signature, nested, gone))
    assert [(other.kind, other.about) for other in found.others] == [
        ("application/signature", ""),
        (OCI_INDEX, ""),
        ("attestation", image.digest),
    ]
    assert len(found.all_faults) == 1
    assert description_document(found)["others"][2]["about"] == image.digest


def test_a_single_image_without_an_index() -> None:
    made = Made()
    image = replace(made.image("arm/v7", annotations={"a": "b"}), platform=None)
    made.described = (image, made.documents[image.digest])
    found = describe(made)
    assert str(found.images[0].platform) == "linux/arm/v7"
    assert "  linux/arm/v7: a=b" in [*description_lines(found)]


def test_an_index_without_an_end_is_refused() -> None:
    made = Made()
    with pytest.raises(BadDocument, match="not a valid document"):
        describe(made.index(*([made.image("arm64")] * (MOST_ENTRIES + 1))))


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (12_345_678, "12.3 MB"),
        (3 * 10**9, "3.0 GB"),
        (10**16, "10000.0 TB"),
    ],
)
def test_sizes(size: int, words: str) -> None:
    assert human_size(size) == words
