"""Images from disk: every form that programs write, one platform chosen exactly, everything checked."""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path
from typing import Any, Literal

import pytest

from rearch.errors import ExitCode, RearchError
from rearch.formats.archive_errors import (
    BadName,
    CorruptArchive,
    DuplicateEntry,
    LimitExceeded,
    LinkEscapes,
    TruncatedArchive,
)
from rearch.model.digest import Digest
from rearch.model.limits import Limits
from rearch.model.platform import parse_platform
from rearch.oci.disk_image import disk_digest, load_disk_image
from rearch.oci.disk_image_docker import WrongDiffId
from rearch.oci.disk_image_tar import NoArchive
from rearch.oci.docker_archive import write_docker_archive
from rearch.oci.layout import blob_path, read_image, start_layout, write_index_json
from rearch.oci.layout_errors import (
    AmbiguousImage,
    MissingBlob,
    NoLayout,
    NoSuchImage,
    NoSuchPlatform,
    WrongBlob,
)
from rearch.oci.types import BadDocument, ImageConfig, RootFs, document_bytes, layer_type
from rearch.oci.validate import validate
from tests.support.archives import COMPRESSORS, Member, folder, hard_link, link, tar
from tests.support.layouts import File, add_image, make_image

ARM64, ARMV7, AMD64 = (parse_platform(text) for text in ("arm64", "arm/v7", "amd64"))
LOWER, UPPER = tar(Member(name="usr/f", content=b"lower" * 1000)), tar(Member(name="usr/g", content=b"upper"))
Kind = Literal["layout", "archive"]


def load(path: Path, kind: Kind = "archive", ref: str = "", platform: Any = ARM64, **options: Any) -> Path:
    """The new layout, checked to be whole and to hold one image."""
    layout = path.parent / f"loaded-{path.name}"
    image = load_disk_image(path, kind, ref, platform, layout, **options)
    assert validate(layout) == ()
    assert read_image(layout, platform=platform) == image
    assert sorted(each.name for each in layout.iterdir()) == ["blobs", "index.json", "oci-layout"]
    return layout


def config(architecture: str = "arm64", layers: tuple[bytes, ...] = (LOWER, UPPER), **more: Any) -> bytes:
    diff_ids = tuple(str(Digest.of(layer)) for layer in layers)
    document = ImageConfig(architecture=architecture, os="linux", rootfs=RootFs(diff_ids=diff_ids), **more)
    return document_bytes(document)


def saved(*images: tuple[bytes, tuple[str, ...]], files: tuple[Member, ...] = ()) -> bytes:
    """As `docker save` wrote it until 24: a folder for each layer. `images`: config and tags."""
    listed = []
    members = [
        folder("lower/"),
        Member(name="lower/layer.tar", content=LOWER),
        Member(name="lower/VERSION", content=b"1.0"),
    ]
    members += [folder("upper/"), Member(name="upper/layer.tar", content=UPPER), *files]
    for data, tags in images:
        name = f"{Digest.of(data).hex}.json"
        members.append(Member(name=name, content=data))
        listed.append({"Config": name, "RepoTags": tags, "Layers": ["lower/layer.tar", "upper/layer.tar"]})
    return tar(*members, Member(name="manifest.json", content=json.dumps(listed).encode()))


def put(tmp_path: Path, data: bytes, name: str = "image.tar") -> Path:
    (tmp_path / name).write_bytes(data)
    return tmp_path / name


def test_a_layout_is_copied_and_shares_nothing(tmp_path: Path) -> None:
    source = tmp_path / "source"
    made = make_image(source, ARM64, [[File("f")]], compress=True)
    other = add_image(source, AMD64, [[File("g")]])
    write_index_json(source, [made.descriptor, other])
    layout = load(source, "layout")
    image = read_image(layout)
    assert image.descriptor.digest == made.descriptor.digest
    assert not blob_path(layout, image.descriptor.digest).samefile(blob_path(source, image.descriptor.digest))
    assert len(tuple((layout / "blobs/sha256").iterdir())) == 3


@pytest.mark.parametrize("how", COMPRESSORS)
def test_an_archive_of_ours_and_one_that_is_packed_again(tmp_path: Path, how: str) -> None:
    made = make_image(tmp_path / "source", ARM64, [[File("f")], [File("g")]], compress=True)
    write_docker_archive(tmp_path / "source", made, ["thing:v1"], tmp_path / "plain.tar")
    path = put(tmp_path, COMPRESSORS[how]((tmp_path / "plain.tar").read_bytes()))
    for ref in ("", "thing:v1", "docker.io/library/thing:v1", "v1"):
        assert read_image(load(path, ref=ref)).manifest == made.manifest


def test_an_old_docker_archive(tmp_path: Path) -> None:
    path = put(tmp_path, saved((config(), ("thing:v1", "thing:latest"))))
    layout = load(path, ref="thing:v1")
    image = read_image(layout)
    assert image.config.rootfs.diff_ids == (str(Digest.of(LOWER)), str(Digest.of(UPPER)))
    assert [layer.media_type for layer in image.manifest.layers] == [layer_type("oci", "gzip")] * 2
    assert gzip.decompress(blob_path(layout, image.manifest.layers[0].digest).read_bytes()) == LOWER
    assert blob_path(layout, image.manifest.config.digest).read_bytes() == config()
    again = load(put(tmp_path, path.read_bytes(), "again.tar"))
    assert read_image(again) == image


@pytest.mark.parametrize("how", COMPRESSORS)
def test_layers_that_are_packed_already(tmp_path: Path, how: str) -> None:
    as_it_is = how in ("gz", "zst")
    data, packed = config(layers=(LOWER,)), COMPRESSORS[how](LOWER)
    listed = [{"Config": "c.json", "RepoTags": None, "Layers": ["a.tar.gz"]}]
    members = (("manifest.json", json.dumps(listed).encode()), ("c.json", data), ("a.tar.gz", packed))
    layout = load(put(tmp_path, tar(*(Member(name=name, content=content) for name, content in members))))
    (layer,) = read_image(layout).manifest.layers
    assert layer.media_type == layer_type("oci", "zstd" if how == "zst" else "gzip")
    assert (blob_path(layout, layer.digest).read_bytes() == packed) is as_it_is


def test_layers_that_are_links_to_others(tmp_path: Path) -> None:
    data = config(layers=(LOWER, LOWER, LOWER))
    listed = [{"Config": "c.json", "Layers": ["a/layer.tar", "b/layer.tar", "c/layer.tar"]}]
    path = put(
        tmp_path,
        tar(
            Member(name="a/layer.tar", content=LOWER),
            link("b/layer.tar", "../a/layer.tar"),
            hard_link("c/layer.tar", "a/layer.tar"),
            Member(name="c.json", content=data),
            Member(name="manifest.json", content=json.dumps(listed).encode()),
        ),
    )
    assert len(read_image(load(path)).manifest.layers) == 3


def test_the_platform_is_chosen_among_images_of_one_name(tmp_path: Path) -> None:
    path = put(tmp_path, saved((config("amd64"), ("thing:1",)), (config("arm64"), ("thing:1",))))
    assert read_image(load(path, ref="thing:1")).config.platform == ARM64
    with pytest.raises(NoSuchPlatform) as caught:
        load_disk_image(path, "archive", "thing:1", ARMV7, tmp_path / "out")
    assert caught.value.platforms == ("linux/amd64", "linux/arm64")
    assert caught.value.exit_code is ExitCode.USAGE


def test_the_digest_names_the_content(tmp_path: Path) -> None:
    make_image(tmp_path / "layout", ARM64, [[File("f")]])
    index = (tmp_path / "layout/index.json").read_bytes()
    assert disk_digest(tmp_path / "layout", "layout") == hashlib.sha256(index).hexdigest()
    assert disk_digest(put(tmp_path, b"x"), "archive") == hashlib.sha256(b"x").hexdigest()
    with pytest.raises(NoLayout):
        disk_digest(tmp_path / "image.tar", "layout")
    with pytest.raises(NoArchive):
        disk_digest(tmp_path / "layout", "archive")
    with pytest.raises(NoArchive):
        disk_digest(tmp_path / "missing", "archive")


GOOD = saved((config(), ("thing:1",)))
UPPER_MEMBER = tar(Member(name="upper/layer.tar", content=UPPER), end=b"")
GOOD_WITHOUT_UPPER = GOOD.replace(UPPER_MEMBER, b"")


@pytest.mark.parametrize(
    ("data", "error", "why"),
    [
        (b"", NoArchive, "no tar"),
        (b"<html>" * 500, NoArchive, "no tar"),
        (gzip.compress(b"no tar" * 500, mtime=0), NoArchive, "no tar"),
        (tar(Member(name="repositories", content=b"{}")), NoArchive, "no file manifest.json"),
        (tar(Member(name="manifest.json", content=b"{}")), BadDocument, "manifest.json"),
        (tar(Member(name="manifest.json", content=b"[]")), NoSuchImage, "no image"),
        (saved((config("amd64"), ())), NoSuchPlatform, "linux/arm64"),
        (saved((config(), ("a:1",)), (config(author="other"), ("b:1",))), AmbiguousImage, "2 images"),
        (saved((config(layers=(LOWER, LOWER)), ())), WrongDiffId, "upper/layer.tar"),
        (saved((config(layers=(LOWER,)), ())), WrongDiffId, "json"),
        (GOOD.replace(b"upper/layer.tar", b"uppen/layer.tar", 1), CorruptArchive, "checksum"),
        (GOOD_WITHOUT_UPPER, MissingBlob, "upper/layer.tar"),
        (GOOD.replace(config(), config().replace(b"linux", b"linus")), WrongBlob, "its digest is"),
        (GOOD[:3000], TruncatedArchive, "ends in the middle"),
        (gzip.compress(GOOD, mtime=0)[:-20], TruncatedArchive, "ends in the middle"),
        (tar(Member(name="../manifest.json", content=b"[]")), BadName, "image.tar: '../manifest.json'"),
        (tar(Member(name="/manifest.json", content=b"[]")), BadName, "absolute"),
        (tar(link("manifest.json", "../../etc/passwd")), LinkEscapes, "leads out"),
        (tar(link("manifest.json", "/etc/passwd")), LinkEscapes, "leads out"),
        (tar(link("manifest.json", "manifest.json")), LinkEscapes, "leads out"),
        (tar(Member(name="a"), Member(name="./a")), DuplicateEntry, "there twice"),
    ],
)
def test_what_is_refused(tmp_path: Path, data: bytes, error: type[RearchError], why: str) -> None:
    path = put(tmp_path, data)
    with pytest.raises(error, match=why) as caught:
        load_disk_image(path, "archive", "", ARM64, tmp_path / "out")
    assert isinstance(caught.value, RearchError)
    assert caught.value.exit_code in (ExitCode.USAGE, ExitCode.VERIFICATION)
    assert not (tmp_path / "out/index.json").exists()
    assert not tuple((tmp_path / "out").rglob(".*"))


def test_a_name_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(NoSuchImage) as caught:
        load_disk_image(put(tmp_path, GOOD), "archive", "other:1", ARM64, tmp_path / "out")
    assert caught.value.names == ("thing:1",)


def test_damaged_layouts(tmp_path: Path) -> None:
    made = make_image(tmp_path / "layout", ARM64, [[File("f", b"content")]])
    path = blob_path(tmp_path / "layout", made.manifest.layers[0].digest)
    path.write_bytes(path.read_bytes().replace(b"content", b"contemt"))
    with pytest.raises(WrongBlob):
        load_disk_image(tmp_path / "layout", "layout", "", ARM64, tmp_path / "out")
    assert not blob_path(tmp_path / "out", made.manifest.layers[0].digest).exists()
    path.unlink()
    with pytest.raises(MissingBlob):
        load_disk_image(tmp_path / "layout", "layout", "", ARM64, tmp_path / "out")
    assert not (tmp_path / "out/index.json").exists()


def test_bombs(tmp_path: Path) -> None:
    path = put(tmp_path, gzip.compress(GOOD + bytes(1 << 20)))
    with pytest.raises(LimitExceeded):
        load_disk_image(path, "archive", "", ARM64, tmp_path / "out", limits=Limits(archive_bytes=1 << 19))
    start_layout(tmp_path / "out")
    assert [each.name for each in (tmp_path / "out").iterdir() if each.name.startswith(".")] == []
