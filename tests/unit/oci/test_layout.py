"""Layouts: what is written, and how one image is found in what others wrote."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from rearch.errors import ExitCode, RearchError
from rearch.model.digest import Digest
from rearch.model.platform import Platform, parse_platform
from rearch.oci.layout import (
    blob_path,
    link_blob,
    put_bytes,
    read_blob,
    read_image,
    start_layout,
    write_index_json,
)
from rearch.oci.layout_errors import (
    AmbiguousImage,
    BlobTooLarge,
    MislabelledDocument,
    MissingBlob,
    NoLayout,
    NoSuchImage,
    NoSuchPlatform,
    TooManyDocuments,
    WrongBlob,
)
from rearch.oci.types import (
    DOCKER_INDEX,
    OCI_INDEX,
    OCI_MANIFEST,
    REF_NAME,
    BadDocument,
    Descriptor,
    Index,
    Manifest,
    PlatformObject,
    document_bytes,
)
from tests.support.layouts import File, add_image, make_image

ARM64, ARMV7, ARMV6, AMD64 = (parse_platform(text) for text in ("arm64", "arm/v7", "arm/v6", "amd64"))


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    start_layout(tmp_path / "layout")
    return tmp_path / "layout"


def image(layout: Path, platform: Platform, content: str = "x") -> Descriptor:
    return add_image(layout, platform, [[File("f", f"{content} {platform}".encode())]])


def called(descriptor: Descriptor, name: str) -> Descriptor:
    return replace(descriptor, annotations={REF_NAME: name})


def index(layout: Path, *entries: Descriptor, media_type: str = OCI_INDEX) -> Descriptor:
    return put_bytes(layout, document_bytes(Index(media_type=media_type, manifests=entries)), media_type)


def json_blob(layout: Path, media_type: str, document: Any) -> Descriptor:
    return put_bytes(layout, json.dumps(document).encode(), media_type)


def test_what_a_layout_is_made_of(layout: Path) -> None:
    assert not (layout / "index.json").exists()
    descriptor = put_bytes(layout, b"{}", OCI_MANIFEST, annotations={"a": "b"})
    write_index_json(layout, [descriptor])
    files = {str(path.relative_to(layout)): path for path in layout.rglob("*") if path.is_file()}
    assert set(files) == {"oci-layout", "index.json", f"blobs/sha256/{descriptor.hex}"}
    assert json.loads(files["oci-layout"].read_text()) == {"imageLayoutVersion": "1.0.0"}
    assert json.loads(files["index.json"].read_text()) == {
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
        "manifests": [{"mediaType": OCI_MANIFEST, "digest": descriptor.digest, "size": 2, "annotations": {"a": "b"}}],
    }
    assert {path.stat().st_mode & 0o777 for path in files.values()} == {0o644}


def test_a_blob_is_written_once_and_healed_when_it_was_cut_off(layout: Path) -> None:
    path = blob_path(layout, put_bytes(layout, b"data", "x").digest)
    before = path.stat().st_ino
    put_bytes(layout, b"data", "x")
    assert path.stat().st_ino == before
    path.write_bytes(b"da")
    put_bytes(layout, b"data", "x")
    assert path.read_bytes() == b"data"


def test_blobs_are_linked_or_copied(layout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"data")
    digest = str(Digest.of(b"data"))
    link_blob(source, layout, digest)
    link_blob(source, layout, digest)
    assert blob_path(layout, digest).samefile(source)
    other = tmp_path / "other"
    start_layout(other)

    def refused(*_: object, **__: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refused)
    link_blob(source, other, digest)
    assert not blob_path(other, digest).samefile(source)
    assert blob_path(other, digest).read_bytes() == b"data"
    assert len(tuple((other / "blobs/sha256").iterdir())) == 1
    with pytest.raises(MissingBlob):
        link_blob(tmp_path / "missing", other, str(Digest.of(b"more")))


def test_a_failed_write_leaves_the_old_file(layout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_index_json(layout, [])
    before = (layout / "index.json").read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_index_json(layout, [put_bytes(layout, b"{}", OCI_MANIFEST)])
    assert (layout / "index.json").read_bytes() == before
    assert sorted(path.name for path in layout.iterdir()) == ["blobs", "index.json", "oci-layout"]


@pytest.mark.parametrize("digest", ["sha256:../../etc/passwd", "sha512:" + "0" * 128, "0" * 64, "sha256:" + "A" * 64])
def test_what_is_no_digest_is_no_path(digest: str) -> None:
    with pytest.raises(ValueError, match="not a digest"):
        blob_path(Path("layout"), digest)


def test_blobs_are_checked_when_they_are_read(layout: Path) -> None:
    good = put_bytes(layout, b"data", "x")
    assert read_blob(layout, good) == b"data"
    with pytest.raises(BlobTooLarge, match="4 bytes; 3 is the limit"):
        read_blob(layout, good, limit=3)
    blob_path(layout, good.digest).write_bytes(b"dato")
    with pytest.raises(WrongBlob, match="its digest is"):
        read_blob(layout, good)
    blob_path(layout, good.digest).write_bytes(b"dat")
    with pytest.raises(WrongBlob, match="it has 3 bytes, and should have 4"):
        read_blob(layout, good)
    blob_path(layout, good.digest).unlink()
    with pytest.raises(MissingBlob, match=good.digest):
        read_blob(layout, good)


def test_the_one_image_needs_no_name(layout: Path) -> None:
    made = make_image(layout, ARM64, [[File("f")]])
    assert read_image(layout) == read_image(layout, platform=ARM64) == made
    assert made.descriptor.platform == PlatformObject(architecture="arm64", os="linux")
    assert len(made.manifest.layers) == len(made.config.rootfs.diff_ids) == 1


def test_a_descriptor_without_platform_gets_the_configs(layout: Path) -> None:
    bare = replace(image(layout, ARMV7), platform=None)
    write_index_json(layout, [bare])
    assert read_image(layout, platform=ARMV7).descriptor.platform == PlatformObject.of(ARMV7)


@pytest.mark.parametrize("media_type", [OCI_INDEX, DOCKER_INDEX])
def test_the_platform_is_chosen_exactly_also_in_nested_indexes(layout: Path, media_type: str) -> None:
    images = {platform: image(layout, platform) for platform in (ARMV6, ARMV7, ARM64, AMD64)}
    inner = index(layout, images[ARMV7], images[ARM64], media_type=media_type)
    write_index_json(layout, [called(index(layout, images[ARMV6], inner), "v1"), called(images[AMD64], "other")])
    for platform in (ARMV6, ARMV7, ARM64):
        assert read_image(layout, ref="v1", platform=platform).descriptor.digest == images[platform].digest
    with pytest.raises(NoSuchPlatform) as caught:
        read_image(layout, ref="v1", platform=AMD64)
    assert caught.value.platforms == ("linux/arm/v6", "linux/arm/v7", "linux/arm64")
    assert "linux/arm/v6, linux/arm/v7, linux/arm64" in caught.value.render()
    assert caught.value.exit_code is ExitCode.USAGE


def test_a_bare_arm_is_v7_and_never_v6(layout: Path) -> None:
    bare = PlatformObject(architecture="arm", os="linux")
    descriptor = replace(image(layout, ARMV7), platform=bare)
    write_index_json(layout, [descriptor])
    assert read_image(layout, platform=ARMV7).config.platform == ARMV7
    with pytest.raises(NoSuchPlatform, match="linux/arm/v6"):
        read_image(layout, platform=ARMV6)


def test_names(layout: Path) -> None:
    one, two = image(layout, ARM64, "one"), image(layout, ARM64, "two")
    whole = replace(two, annotations={REF_NAME: "2", "io.containerd.image.name": "docker.io/library/thing:2"})
    write_index_json(layout, [called(one, "1"), whole])
    assert read_image(layout, ref="1").descriptor.digest == one.digest
    for name in ("2", "thing:2", "docker.io/library/thing:2"):
        assert read_image(layout, ref=name, platform=ARM64).descriptor.digest == two.digest
    with pytest.raises(NoSuchImage) as missing:
        read_image(layout, ref="3")
    assert missing.value.names == ("1", "2", "docker.io/library/thing:2")
    assert missing.value.details == ("it has 1, 2, docker.io/library/thing:2",)
    assert missing.value.hint == "name one of those that it has"
    with pytest.raises(AmbiguousImage) as caught:
        read_image(layout)
    assert [text.split()[0] for text in caught.value.candidates] == ["linux/arm64", "linux/arm64"]
    with pytest.raises(AmbiguousImage):
        read_image(layout, platform=ARM64)


def test_one_image_under_two_names_is_one(layout: Path) -> None:
    one = image(layout, ARM64)
    write_index_json(layout, [called(one, "1"), called(one, "latest")])
    assert read_image(layout).descriptor.digest == one.digest


def test_attestations_and_signatures_are_no_images(layout: Path) -> None:
    real = image(layout, ARM64)
    unknown = replace(image(layout, AMD64), platform=PlatformObject(architecture="unknown", os="unknown"))
    attested = replace(image(layout, ARMV7), annotations={"vnd.docker.reference.type": "attestation-manifest"})
    empty = put_bytes(layout, b"{}", "application/vnd.oci.empty.v1+json")
    signature = put_bytes(layout, document_bytes(Manifest(config=empty, layers=())), OCI_MANIFEST)
    typed = replace(signature, artifact_type="application/vnd.example.sbom")
    write_index_json(layout, [unknown, attested, signature, typed, real])
    assert read_image(layout).descriptor.digest == real.digest


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({}, "oci-layout"),
        ({"oci-layout": '{"imageLayoutVersion":"1.0.0"}'}, "index.json"),
        ({"oci-layout": "", "index.json": "{}"}, "version"),
        ({"oci-layout": "[]", "index.json": "{}"}, "version"),
        ({"oci-layout": '{"imageLayoutVersion":"2.0.0"}', "index.json": "{}"}, r"'2\.0\.0'"),
    ],
)
def test_what_is_no_layout(tmp_path: Path, files: dict[str, str], why: str) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(NoLayout, match=why):
        read_image(tmp_path)


def test_a_file_and_nothing_at_all_are_no_layouts(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for path in (tmp_path / "file", tmp_path / "missing"):
        with pytest.raises(NoLayout):
            read_image(path)


def test_an_empty_layout_has_no_image(layout: Path) -> None:
    write_index_json(layout, [])
    for ref in ("", "x"):
        with pytest.raises(NoSuchImage):
            read_image(layout, ref=ref, platform=ARM64)


def _label(layout: Path) -> Sequence[Descriptor]:
    return [replace(image(layout, AMD64), platform=PlatformObject.of(ARM64))]


def _other_type(layout: Path) -> Sequence[Descriptor]:
    manifest = read_manifest(layout, image(layout, ARM64))
    wrong = replace(manifest, media_type=OCI_INDEX)
    return [put_bytes(layout, document_bytes(wrong), OCI_MANIFEST, platform=PlatformObject.of(ARM64))]


def _both(layout: Path) -> Sequence[Descriptor]:
    document = json.loads(document_bytes(read_manifest(layout, image(layout, ARM64)))) | {"manifests": []}
    return [json_blob(layout, OCI_MANIFEST, document)]


def _nonsense(layout: Path) -> Sequence[Descriptor]:
    return [put_bytes(layout, b"no json", OCI_MANIFEST)]


def _missing(layout: Path) -> Sequence[Descriptor]:
    descriptor = image(layout, ARM64)
    blob_path(layout, descriptor.digest).unlink()
    return [descriptor]


def _config_changed(layout: Path) -> Sequence[Descriptor]:
    descriptor = image(layout, ARM64)
    path = blob_path(layout, read_manifest(layout, descriptor).config.digest)
    path.write_bytes(path.read_bytes().replace(b"arm64", b"amd64"))
    return [descriptor]


def _deep(layout: Path) -> Sequence[Descriptor]:
    descriptor = image(layout, ARM64)
    for _ in range(6):
        descriptor = index(layout, descriptor)
    return [descriptor]


def _wide(layout: Path) -> Sequence[Descriptor]:
    wide = index(layout, *([image(layout, ARM64)] * 100))
    return [index(layout, *([wide] * 100))]


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (_label, MislabelledDocument),
        (_other_type, MislabelledDocument),
        (_both, BadDocument),
        (_nonsense, BadDocument),
        (_missing, MissingBlob),
        (_config_changed, WrongBlob),
        (_deep, TooManyDocuments),
        (_wide, TooManyDocuments),
    ],
)
def test_what_is_wrong_is_refused(layout: Path, make: Any, error: type[RearchError]) -> None:
    write_index_json(layout, make(layout))
    with pytest.raises(error) as caught:
        read_image(layout, platform=ARM64)
    assert caught.value.exit_code is ExitCode.VERIFICATION
    assert caught.value.hint


def read_manifest(layout: Path, descriptor: Descriptor) -> Manifest:
    return msgspec.json.decode(read_blob(layout, descriptor), type=Manifest)
