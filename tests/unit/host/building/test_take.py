"""What an engine saved -> layers and a config of ours."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from rearch.errors import RearchError
from rearch.formats.archive_errors import ArchiveError
from rearch.host.building.saved import opened
from rearch.host.building.take import StageImage, WrongResult, layers_of_run, take_image
from rearch.model.platform import parse_platform
from rearch.oci.entry import LayerEntry
from rearch.oci.layout import blob_path, read_image, start_layout
from rearch.oci.order import BuiltImage, ImageOrder
from rearch.oci.read_layer import layer_entries, open_layer
from rearch.oci.types import BadDocument, History, ImageConfig, RootFs
from tests.support.layouts import File, Hard, Link, Thing, make_image, make_tar

ARM64 = parse_platform("arm64")
BASE: list[Thing] = [File("base", b"base")]
MINE: list[Thing] = [File("old", b"old"), File("new", b"new", 0o4755, 3, 4), Link("link", "new"), Hard("hard", "new")]
EPOCH = 1000


def dated(things: list[Thing], times: Mapping[str, int]) -> bytes:
    """A tar of these with times, and names of the user who made it."""
    out = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(make_tar(things))) as plain, tarfile.open(fileobj=out, mode="w") as tar:
        for member in plain:
            member.mtime = times.get(member.name, 0)
            member.uname, member.gname = "somebody", "users"
            tar.addfile(member, plain.extractfile(member) if member.isreg() else None)
    return out.getvalue()


def saved(path: Path, *layers: bytes, style: str = "old", history: tuple[str, ...] = (), **more: object) -> Path:
    """An archive as `docker save` writes it: `old` has a folder for each layer, `new` blobs, `packed` gzip blobs."""
    config = {
        "architecture": "arm64",
        "os": "linux",
        "created": "2026-01-01T00:00:00Z",
        "history": [{"created_by": line} for line in history],
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}" for layer in layers]},
        **more,
    }
    files: dict[str, bytes] = {"config.json": json.dumps(config).encode()}
    names = []
    with tarfile.open(path, "w") as tar:
        for number, layer in enumerate(layers):
            data = gzip.compress(layer, 1) if style == "packed" else layer
            name = f"{number}/layer.tar" if style == "old" else f"blobs/sha256/{hashlib.sha256(data).hexdigest()}"
            names.append(name)
            files[name] = data
        files["manifest.json"] = json.dumps([{"Config": "config.json", "RepoTags": None, "Layers": names}]).encode()
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


@pytest.fixture
def order(tmp_path: Path) -> ImageOrder:
    start_layout(tmp_path / "result")
    (tmp_path / "scratch").mkdir()
    return ImageOrder(
        dockerfile="",
        template="t",
        context=tmp_path,
        platform=ARM64,
        stages={},
        args={},
        epoch=EPOCH,
        compression="gzip",
        media_types="oci",
        layout=tmp_path / "result",
        layers=tmp_path / "layers",
        scratch=tmp_path / "scratch",
        say=print,
    )


def base(folder: Path, name: str = "base", *layers: list[Thing]) -> StageImage:
    image = make_image(folder / name, ARM64, layers or [BASE], compress=True)
    return StageImage(name=name, layout=folder / name, image=image)


def take(archive: Path, order: ImageOrder, *stages: StageImage) -> BuiltImage:
    with opened(archive, "t") as image:
        return take_image(image, stages, order)


def entries(order: ImageOrder, built: BuiltImage, number: int) -> dict[str, LayerEntry]:
    with open_layer(order.layout, built.layers[number]) as stream:
        return {entry.path: entry for entry, _ in layer_entries(stream)}


@pytest.mark.parametrize("style", ["old", "new", "packed"])
def test_the_base_is_linked_and_the_rest_is_made_anew(tmp_path: Path, order: ImageOrder, style: str) -> None:
    stage = base(tmp_path)
    mine = dated(MINE, {"old": 10, "new": 5000, "link": 5000, "hard": 5000})
    lines = ("base", "COPY . /")
    built = take(saved(tmp_path / "a.tar", make_tar(BASE), mine, style=style, history=lines), order, stage)
    assert built.base_layers == 1
    assert built.layers[0] == stage.image.manifest.layers[0]
    digest = built.layers[0].digest
    assert blob_path(order.layout, digest).samefile(blob_path(stage.layout, digest))
    found = entries(order, built, 1)
    assert list(found) == ["old", "new", "link", "hard"]
    assert {entry.mtime for entry in found.values()} == {EPOCH}
    assert (found["new"].mode, found["new"].uid, found["new"].gid) == (0o4755, 3, 4)
    assert found["hard"].target == "new"
    with open_layer(order.layout, built.layers[1]) as stream:
        assert b"somebody" not in stream.read()
    assert not list(order.scratch.iterdir())


def test_times_of_run_before_the_epoch_are_kept(tmp_path: Path, order: ImageOrder) -> None:
    mine = dated(MINE, {"old": 10, "new": 5000})
    built = take(saved(tmp_path / "a.tar", mine, history=("RUN /bin/sh -c make",)), order)
    found = entries(order, built, 0)
    assert (found["old"].mtime, found["new"].mtime) == (10, EPOCH)


def test_the_same_layers_are_the_same_bytes_whenever_they_were_made(tmp_path: Path, order: ImageOrder) -> None:
    results = []
    for number, time in enumerate((2000, 3000)):
        mine = dated(MINE, dict.fromkeys(("old", "new", "link", "hard"), time))
        results.append(take(saved(tmp_path / f"{number}.tar", mine, history=("RUN x",)), order))
    assert results[0] == results[1]


def test_the_base_is_the_longest_image_that_fits(tmp_path: Path, order: ImageOrder) -> None:
    short, long = base(tmp_path, "short"), base(tmp_path, "long", BASE, MINE)
    other = base(tmp_path, "other", MINE)
    archive = saved(tmp_path / "a.tar", make_tar(BASE), make_tar(MINE), make_tar([File("top")]))
    assert take(archive, order, short, long, other).base_layers == 2


def test_dockers_types_know_no_zstd(tmp_path: Path, order: ImageOrder) -> None:
    zstd = replace(order, compression="zstd", layout=tmp_path / "zstd")
    start_layout(zstd.layout)
    first = take(saved(tmp_path / "a.tar", make_tar(BASE)), zstd)
    image = read_image(base(tmp_path).layout)
    config = replace(image.config, rootfs=first.config.rootfs)
    manifest = replace(image.manifest, layers=first.layers)
    stage = StageImage(name="base", layout=zstd.layout, image=replace(image, manifest=manifest, config=config))
    with open_layer(zstd.layout, first.layers[0]) as stream:
        tar = stream.read()
    built = take(saved(tmp_path / "b.tar", tar), replace(order, media_types="docker"), stage)
    assert built.base_layers == 1
    assert built.layers[0].media_type == "application/vnd.docker.image.rootfs.diff.tar.gzip"
    with open_layer(order.layout, built.layers[0]) as stream:
        assert stream.read() == tar


def test_a_layer_that_is_not_what_the_config_says(tmp_path: Path, order: ImageOrder) -> None:
    wrong = {"type": "layers", "diff_ids": ["sha256:" + "0" * 64]}
    with pytest.raises(WrongResult, match="its config says sha256:0000"):
        take(saved(tmp_path / "a.tar", make_tar(MINE), rootfs=wrong), order)
    assert not list((order.layout / "blobs/sha256").iterdir())


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"architecture": "amd64"}, "linux/amd64"),
        ({"rootfs": {"type": "layers", "diff_ids": []}}, "1 layers, and 0 in its config"),
    ],
)
def test_a_wrong_config(tmp_path: Path, order: ImageOrder, more: dict[str, Any], message: str) -> None:
    with pytest.raises(WrongResult, match=message):
        take(saved(tmp_path / "a.tar", make_tar(MINE), **more), order)


def test_hostile_layers_are_refused(tmp_path: Path, order: ImageOrder) -> None:
    with pytest.raises(ArchiveError, match=r"\.\."):
        take(saved(tmp_path / "a.tar", make_tar([File("../out")])), order)


@pytest.mark.parametrize("keep", [0, 100, 2000, 5000])
def test_archives_that_are_cut_off(tmp_path: Path, order: ImageOrder, keep: int) -> None:
    archive = saved(tmp_path / "a.tar", make_tar(MINE))
    os.truncate(archive, keep)
    with pytest.raises(RearchError):
        take(archive, order)


@pytest.mark.parametrize("style", ["packed", "zstd"])
def test_layers_that_are_cut_off_inside(tmp_path: Path, order: ImageOrder, style: str) -> None:
    import zstandard

    noise = make_tar([File("noise", os.urandom(5000))])
    data = gzip.compress(noise) if style == "packed" else zstandard.ZstdCompressor().compress(noise)
    ids = {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(noise).hexdigest()}"]}
    with pytest.raises(RearchError):
        take(saved(tmp_path / "a.tar", data[:-300], style="new", rootfs=ids), order)
    assert take(saved(tmp_path / "b.tar", data, style="new", rootfs=ids), order).base_layers == 0


def test_documents_that_are_none(tmp_path: Path, order: ImageOrder) -> None:
    archive = tmp_path / "a.tar"
    with tarfile.open(archive, "w") as tar:
        info = tarfile.TarInfo("manifest.json")
        info.size = 2
        tar.addfile(info, io.BytesIO(b"{}"))
    with pytest.raises(BadDocument):
        take(archive, order)


@pytest.mark.parametrize(
    ("lines", "runs"),
    [
        (("RUN /bin/sh -c make # buildkit", "COPY a b # buildkit"), (True, False)),
        (("/bin/sh -c make", "/bin/sh -c #(nop) COPY file in /x"), (True, False)),
        (("COPY a b",), (True, True)),
    ],
)
def test_which_layers_are_the_work_of_run(lines: tuple[str, ...], runs: tuple[bool, ...]) -> None:
    history = (*(History(created_by=line) for line in lines), History(created_by="ENV a=b", empty_layer=True))
    diff_ids = ("sha256:" + "0" * 64,) * 2
    config = ImageConfig(architecture="arm64", os="linux", rootfs=RootFs(diff_ids=diff_ids), history=history)
    assert layers_of_run(config) == runs
