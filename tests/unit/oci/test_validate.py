"""Validation: a whole layout has no fault, and each kind of fault is found with its place, all at once."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from rearch.model.digest import Digest
from rearch.model.platform import parse_platform
from rearch.oci.layout import blob_path, put_bytes, start_layout, write_index_json
from rearch.oci.types import (
    DOCKER_INDEX,
    DOCKER_MANIFEST,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
    REF_NAME,
    Descriptor,
    History,
    ImageConfig,
    Index,
    Manifest,
    PlatformObject,
    RootFs,
    document_bytes,
    readable,
)
from rearch.oci.validate import validate
from tests.support.archives import Member, tar
from tests.support.layouts import File, add_image, make_image

ARM64, AMD64 = parse_platform("arm64"), parse_platform("amd64")


class Layout:
    """A layout that a test makes wrong: images of two layers, of which every part can be replaced."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        start_layout(folder)

    def layer(self, data: bytes, media_type: str = f"{OCI_LAYER}+gzip") -> tuple[Descriptor, str]:
        packed = gzip.compress(data, 1, mtime=0) if media_type.endswith("gzip") else data
        return put_bytes(self.folder, packed, media_type), str(Digest.of(data))

    def image(self, *tars: bytes, config: dict[str, Any] | None = None, **manifest: Any) -> Descriptor:
        layers = [self.layer(data) for data in (tars or (tar(Member(name="a")), tar(Member(name="b"))))]
        document = replace(
            ImageConfig(
                architecture="arm64",
                os="linux",
                rootfs=RootFs(diff_ids=tuple(diff_id for _, diff_id in layers)),
                history=tuple(History(created_by="COPY") for _ in layers),
            ),
            **config or {},
        )
        described = put_bytes(self.folder, document_bytes(document), OCI_CONFIG)
        made = replace(Manifest(config=described, layers=tuple(layer for layer, _ in layers)), **manifest)
        return put_bytes(self.folder, document_bytes(made), OCI_MANIFEST, platform=PlatformObject.of(ARM64))

    def index(self, *entries: Descriptor, **more: Any) -> Descriptor:
        document = Index(**{"manifests": entries, **more})
        return put_bytes(self.folder, document_bytes(document), document.media_type)

    def faults(self, *entries: Descriptor) -> list[str]:
        write_index_json(self.folder, entries)
        return [str(fault) for fault in validate(self.folder)]


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "layout")


def short(descriptor: Descriptor) -> str:
    return descriptor.digest[:19]


def test_a_whole_layout_has_no_fault(layout: Layout) -> None:
    arm64 = layout.image()
    amd64 = add_image(layout.folder, AMD64, [[File("f", b"x")]], compress=True)
    attestation = replace(layout.image(tar()), platform=PlatformObject(architecture="unknown", os="unknown"))
    named = replace(layout.index(arm64, amd64, attestation), annotations={REF_NAME: "v1.2_x"})
    assert layout.faults(named, arm64) == []


def test_progress_is_told_of_bytes(layout: Layout) -> None:
    write_index_json(layout.folder, [layout.image()])
    told: list[tuple[str, int, int, str]] = []
    assert validate(layout.folder, progress=lambda *move: told.append(move)) == ()
    assert {unit for *_, unit in told} == {"B"}
    assert len({label for label, *_ in told}) == 2


def test_many_faults_at_once_each_with_its_place(layout: Layout) -> None:
    image, other = layout.image(), layout.image(tar(Member(name="../x")), tar(Member(name="c")))
    top = layout.index(image, other)
    manifest = msgspec.json.decode(blob_path(layout.folder, image.digest).read_bytes(), type=Manifest)
    path = blob_path(layout.folder, manifest.layers[1].digest)
    path.write_bytes(path.read_bytes()[:-1])
    blob_path(layout.folder, manifest.layers[0].digest).unlink()
    stranger = put_bytes(layout.folder, b"nobody", "x")
    place = f"index.json > index {short(top)}"
    assert layout.faults(top) == [
        f"{place}: linux/arm64 is there twice: {image.digest} and {other.digest}",
        f"{place} > manifest {short(image)} (linux/arm64) > layer 1: the blob {manifest.layers[0].digest} is missing",
        f"{place} > manifest {short(image)} (linux/arm64) > layer 2: the blob is damaged: "
        f"it has {manifest.layers[1].size - 1} bytes, and should have {manifest.layers[1].size}",
        f"{place} > manifest {short(other)} (linux/arm64) > layer 1: "
        f"layer {_first_layer(layout, other)[:19]}: '../x' has '..' in its name",
        f"warning: blobs/sha256/{stranger.hex}: no document names this blob",
    ]


def _first_layer(layout: Layout, image: Descriptor) -> str:
    return msgspec.json.decode(blob_path(layout.folder, image.digest).read_bytes(), type=Manifest).layers[0].digest


def _flip(layout: Layout, digest: str) -> None:
    path = blob_path(layout.folder, digest)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def _flipped_layer(layout: Layout) -> list[Descriptor]:
    image = layout.image()
    _flip(layout, _first_layer(layout, image))
    return [image]


def _flipped_manifest(layout: Layout) -> list[Descriptor]:
    image = layout.image()
    _flip(layout, image.digest)
    return [image]


def _diff_id(layout: Layout) -> list[Descriptor]:
    wrong = RootFs(diff_ids=(f"sha256:{'0' * 64}", str(Digest.of(tar(Member(name="b"))))))
    return [layout.image(config={"rootfs": wrong})]


def _diff_id_text(layout: Layout) -> list[Descriptor]:
    return [layout.image(tar(), config={"rootfs": RootFs(diff_ids=("md5:0",))})]


def _too_few_diff_ids(layout: Layout) -> list[Descriptor]:
    return [layout.image(config={"rootfs": RootFs(diff_ids=(str(Digest.of(tar(Member(name="a")))),))})]


def _history(layout: Layout) -> list[Descriptor]:
    lines = (History(created_by="ENV", empty_layer=True), History(created_by="COPY"))
    return [layout.image(config={"history": lines})]


def _root_type(layout: Layout) -> list[Descriptor]:
    return [layout.image(tar(), config={"rootfs": RootFs(type="tar", diff_ids=(str(Digest.of(tar())),))})]


def _platform(layout: Layout) -> list[Descriptor]:
    return [layout.image(config={"architecture": "amd64"})]


def _size_in_descriptor(layout: Layout) -> list[Descriptor]:
    image = layout.image()
    return [replace(image, size=image.size + 1)]


def _media_type(layout: Layout) -> list[Descriptor]:
    return [layout.image(media_type=DOCKER_MANIFEST)]


def _layer_type(layout: Layout) -> list[Descriptor]:
    layer, diff_id = layout.layer(tar(), "application/vnd.example.layer")
    return [layout.image(tar(), layers=(layer,), config={"rootfs": RootFs(diff_ids=(diff_id,))})]


def _docker_layer(layout: Layout) -> list[Descriptor]:
    layer, _ = layout.layer(tar(), "application/vnd.docker.image.rootfs.diff.tar.gzip")
    return [layout.image(tar(), layers=(layer,))]


def _compression_label(layout: Layout) -> list[Descriptor]:
    layer, _ = layout.layer(tar())
    return [layout.image(tar(), layers=(replace(layer, media_type=f"{OCI_LAYER}+zstd"),))]


def _truncated_stream(layout: Layout) -> list[Descriptor]:
    data = gzip.compress(tar(Member(name="a", content=bytes(range(256)) * 20)), mtime=0)[:-4]
    layer = put_bytes(layout.folder, data, f"{OCI_LAYER}+gzip")
    return [layout.image(tar(), layers=(layer,))]


def _no_tar(layout: Layout) -> list[Descriptor]:
    return [layout.image(b"no tar at all" * 100)]


def _polyglot(layout: Layout) -> list[Descriptor]:
    raw = json.loads(blob_path(layout.folder, layout.image().digest).read_bytes())
    return [put_bytes(layout.folder, json.dumps({**raw, "manifests": []}).encode(), OCI_MANIFEST)]


def _bad_json(layout: Layout) -> list[Descriptor]:
    return [put_bytes(layout.folder, b'{"schemaVersion":1}', OCI_MANIFEST)]


def _same_name(layout: Layout) -> list[Descriptor]:
    images = layout.image(), layout.image(tar(Member(name="other")))
    return [replace(image, annotations={REF_NAME: "v1"}) for image in images]


def _name(layout: Layout) -> list[Descriptor]:
    return [replace(layout.image(), annotations={REF_NAME: "-no name-"})]


def _no_platform(layout: Layout) -> list[Descriptor]:
    return [layout.index(replace(layout.image(), platform=None))]


def _docker_annotations(layout: Layout) -> list[Descriptor]:
    return [layout.index(media_type=DOCKER_INDEX, annotations={"a": "b"}, manifests=())]


def _oci_in_docker_list(layout: Layout) -> list[Descriptor]:
    return [layout.index(layout.image(), media_type=DOCKER_INDEX)]


def _deep(layout: Layout) -> list[Descriptor]:
    entry = layout.image()
    for _ in range(6):
        entry = layout.index(entry)
    return [entry]


def _foreign_layer(layout: Layout) -> list[Descriptor]:
    urls = ("https://example.org/layer",)
    kind = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
    layer = Descriptor(media_type=kind, digest=f"sha256:{'1' * 64}", size=5, urls=urls)
    return [layout.image(tar(), layers=(layer,))]


def _artifact(layout: Layout) -> list[Descriptor]:
    thing = put_bytes(layout.folder, b"signature", "application/vnd.example.signature")
    empty = put_bytes(layout.folder, b"{}", "application/vnd.oci.empty.v1+json")
    _flip(layout, thing.digest)
    manifest = document_bytes(Manifest(config=empty, layers=(thing,), artifact_type="application/vnd.example"))
    return [put_bytes(layout.folder, manifest, OCI_MANIFEST)]


def _rotten_stranger(layout: Layout) -> list[Descriptor]:
    _flip(layout, put_bytes(layout.folder, b"nobody", "x").digest)
    return [layout.image()]


def _no_blob(layout: Layout) -> list[Descriptor]:
    (layout.folder / "blobs/sha256/.new-x").write_text("x")
    return [layout.image()]


@pytest.mark.parametrize(
    ("make", "fault"),
    [
        (_flipped_layer, "> layer 1: the blob is damaged: its digest is sha256:"),
        (_flipped_manifest, "(linux/arm64): the blob is damaged: its digest is sha256:"),
        (_diff_id, f"> layer 1: its diff ID is {Digest.of(tar(Member(name='a')))}, and the config says sha256:0000"),
        (_diff_id_text, "> config: diff ID 1 is no sha256 digest: 'md5:0'"),
        (_too_few_diff_ids, "> config: it has 1 diff IDs, and the manifest 2 layers"),
        (_history, "> config: its history tells of 1 layers, and the manifest has 2"),
        (_root_type, "> config: rootfs.type is 'tar'"),
        (_platform, "> config: it is for linux/amd64, and the index says linux/arm64"),
        (_size_in_descriptor, "(linux/arm64): the blob is damaged: it has"),
        (_media_type, f"it says that it is {DOCKER_MANIFEST}, and its descriptor says {OCI_MANIFEST}"),
        (_layer_type, "layer 1 is of the unknown type application/vnd.example.layer"),
        (_docker_layer, "layer 1 is of the type application/vnd.docker.image.rootfs.diff.tar.gzip in a OCI manifest"),
        (_compression_label, "> layer 1: layer sha256:"),
        (_truncated_stream, "ends in the middle of a compressed stream"),
        (_no_tar, "> layer 1: layer sha256:"),
        (_polyglot, "it is a manifest and an index at once"),
        (_bad_json, "it is no valid document: schemaVersion: "),
        (_same_name, "index.json: linux/arm64 is there twice"),
        (_name, "warning: index.json: "),
        (_no_platform, " has no platform"),
        (_docker_annotations, "it has annotations, which Docker's types do not have"),
        (_oci_in_docker_list, f"is of the type {OCI_MANIFEST} in a Docker manifest list"),
        (_deep, "indexes stand in indexes, more than 4 deep"),
        (_foreign_layer, "the blob is not here; it is to be had from https://example.org/layer"),
        (_artifact, "> layer 1: the blob is damaged"),
        (_rotten_stranger, f"blobs/sha256/{Digest.of(b'nobody').hex}: the blob is damaged"),
        (_no_blob, "warning: blobs/sha256/.new-x: it is no blob"),
    ],
)
def test_each_fault_is_found(layout: Layout, make: Callable[[Layout], list[Descriptor]], fault: str) -> None:
    found = layout.faults(*make(layout))
    assert any(fault in text for text in found), found


def _wrong_size(layout: Layout, entry: Descriptor) -> Descriptor:
    return replace(entry, size=entry.size + 1)


def _wrong_digest(layout: Layout, entry: Descriptor) -> Descriptor:
    """The document lies under another name than that of its bytes."""
    digest = f"sha256:{'7' * 64}"
    blob_path(layout.folder, entry.digest).rename(blob_path(layout.folder, digest))
    return replace(entry, digest=digest)


Spoil = Callable[[Layout, Descriptor], Descriptor]


@pytest.mark.parametrize("spoil", [_wrong_size, _wrong_digest])
@pytest.mark.parametrize("what", ["manifest", "index"])
def test_below_a_document_that_is_wrong_all_is_checked(layout: Layout, what: str, spoil: Spoil) -> None:
    image = layout.image()
    _flip(layout, _first_layer(layout, image))
    entry = spoil(layout, image if what == "manifest" else layout.index(image))
    found = layout.faults(entry)
    assert len(found) == 2, found
    assert found[0].startswith(f"index.json > {what} {short(entry)}")
    assert ("and should have" if spoil is _wrong_size else "its digest is sha256:") in found[0]
    assert "> layer 1: the blob is damaged: its digest is sha256:" in found[1]


@pytest.mark.parametrize("spoil", [_wrong_size, _wrong_digest])
def test_a_config_that_is_wrong_is_read_all_the_same(layout: Layout, spoil: Spoil) -> None:
    image = layout.image(config={"architecture": "amd64", "rootfs": RootFs(diff_ids=("md5:0",))})
    manifest = msgspec.json.decode(blob_path(layout.folder, image.digest).read_bytes(), type=Manifest)
    made = replace(manifest, config=spoil(layout, manifest.config))
    blob_path(layout.folder, image.digest).unlink()
    entry = put_bytes(layout.folder, document_bytes(made), OCI_MANIFEST, platform=PlatformObject.of(ARM64))
    words = [text.partition("> config: ")[2] for text in layout.faults(entry)]
    assert words[0].startswith("the blob is damaged: ")
    assert words[1:] == [
        "it has 1 diff IDs, and the manifest 2 layers",
        "diff ID 1 is no sha256 digest: 'md5:0'",
        "it is for linux/amd64, and the index says linux/arm64",
        "",  # the layer's own diff ID
    ]


@pytest.mark.parametrize("marker", [None, b"", b"[]", b'{"imageLayoutVersion":"2.0.0"}'])
def test_below_a_marker_that_is_wrong_all_is_checked(layout: Layout, marker: bytes | None) -> None:
    image = layout.image()
    _flip(layout, _first_layer(layout, image))
    write_index_json(layout.folder, [image])
    (layout.folder / "oci-layout").unlink()
    if marker is not None:
        (layout.folder / "oci-layout").write_bytes(marker)
    first, *rest = map(str, validate(layout.folder))
    assert first.startswith("oci-layout: ")
    assert "no OCI image layout" in first
    assert len(rest) == 1
    assert "> layer 1: the blob is damaged" in rest[0]


def test_what_a_document_that_is_not_valid_names_is_no_stranger(layout: Layout) -> None:
    inner, lost = layout.image(), layout.image(tar(Member(name="lost")))
    _flip(layout, _first_layer(layout, inner))
    entry = readable(inner)
    raw = {"schemaVersion": 1, "manifests": [entry, {"digest": "sha256:no"}]}
    bad = put_bytes(layout.folder, json.dumps(raw).encode(), OCI_INDEX)
    cut = put_bytes(layout.folder, b"{", OCI_MANIFEST)
    found = layout.faults(bad, cut)
    assert f"index.json > index {short(bad)}: it is no valid document: schemaVersion" in found[0]
    assert f"> manifest {short(inner)} (linux/arm64) > layer 1: the blob is damaged" in found[1]
    assert f"index.json > manifest {short(cut)}: it is no valid document" in found[2]
    strangers = found[3:]
    assert f"warning: blobs/sha256/{lost.hex}: no document that can be read names this blob" in strangers
    assert len(strangers) == 3
    assert not any(inner.hex in text for text in strangers)


def test_a_subject_is_no_stranger(layout: Layout) -> None:
    about = put_bytes(layout.folder, b"{}", OCI_MANIFEST)
    assert layout.faults(layout.image(subject=about)) == []
    _flip(layout, about.digest)
    (found,) = layout.faults(layout.image(subject=about))
    assert "> subject: the blob is damaged" in found
    blob_path(layout.folder, about.digest).unlink()
    assert layout.faults(layout.image(subject=about)) == []


@pytest.mark.parametrize("version", [1, 2])
def test_documents_that_name_each_other_in_circles_come_to_an_end(layout: Layout, version: int) -> None:
    digests = [f"sha256:{digit * 64}" for digit in "123"]
    entries = [{"mediaType": OCI_INDEX, "digest": digest, "size": 5} for digest in digests for _ in range(20)]
    for digest in digests:
        blob_path(layout.folder, digest).write_text(json.dumps({"schemaVersion": version, "manifests": entries}))
    found = layout.faults(Descriptor(media_type=OCI_INDEX, digest=digests[0], size=5))
    assert len(found) < 1000
    assert all("names this blob" not in text for text in found)


def test_a_fault_of_a_layer_that_images_share_is_told_once(layout: Layout) -> None:
    evil = tar(Member(name="/x"), Member(name="../y"))
    one = layout.image(evil)
    two = replace(layout.image(evil, config={"author": "other"}), annotations={REF_NAME: "two"})
    found = layout.faults(one, two)
    assert [text.rpartition(": ")[2] for text in found] == ["'/x' is absolute", "'../y' has '..' in its name"]


@pytest.mark.parametrize("gone", ["oci-layout", "index.json"])
def test_what_is_no_layout_is_a_fault_too(layout: Layout, gone: str) -> None:
    write_index_json(layout.folder, [layout.image()])
    (layout.folder / gone).unlink()
    first = str(validate(layout.folder)[0])
    assert gone in first
    assert "no OCI image layout" in first


def test_it_agrees_with_the_layouts_of_other_helpers(tmp_path: Path) -> None:
    make_image(tmp_path / "layout", ARM64, [[File("f")], [File(".wh.f")]], compress=True)
    assert validate(tmp_path / "layout") == ()
    assert OCI_INDEX in (tmp_path / "layout/index.json").read_text()
