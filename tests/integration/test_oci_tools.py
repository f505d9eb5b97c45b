"""What we write is read by skopeo, umoci and a Docker engine; what they write is read by us."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from rearch.formats.hashing import sha256_file
from rearch.model.frozen import FrozenDict
from rearch.model.platform import parse_platform
from rearch.oci.disk_image import load_disk_image
from rearch.oci.docker_archive import write_docker_archive
from rearch.oci.entry import EntryKind, LayerEntry
from rearch.oci.layer import make_layer
from rearch.oci.layout import LayoutImage, put_bytes, read_image, start_layout, write_index_json
from rearch.oci.types import (
    OCI_CONFIG,
    OCI_MANIFEST,
    REF_NAME,
    Compression,
    History,
    ImageConfig,
    Manifest,
    PlatformObject,
    RootFs,
    RunConfig,
    document_bytes,
)
from rearch.oci.validate import validate
from tests.support.elves import make_elf
from tests.support.engine import engine_environment
from tests.support.needs import need_program

ARM64 = parse_platform("arm64")
LONG = f"{'d' * 120}/{'f' * 150}"


def run(*argv: str | Path, env: Mapping[str, str] | None = None) -> str:
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{argv}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def entries(content: Path, text: Path) -> tuple[tuple[LayerEntry, ...], ...]:
    """Two layers with everything that a header can hold (but devices and owners, which need root to unpack)."""

    def file(path: str, source: Path, mode: int = 0o644, **more: object) -> LayerEntry:
        entry = LayerEntry(
            path=path, kind=EntryKind.FILE, mode=mode, mtime=1_500_000_000, size=source.stat().st_size, content=source
        )
        return entry if not more else LayerEntry(**{**_fields(entry), **more})  # type: ignore[arg-type]

    def folder(path: str) -> LayerEntry:
        return LayerEntry(path=path, kind=EntryKind.DIRECTORY, mode=0o755, mtime=1_500_000_000)

    lower = (
        folder("usr"),
        folder("usr/bin"),
        file("usr/bin/tool", content, 0o4755),
        LayerEntry(path="usr/bin/same", kind=EntryKind.HARDLINK, mode=0o4755, target="usr/bin/tool"),
        LayerEntry(path="usr/bin/link", kind=EntryKind.SYMLINK, mode=0o777, target="../" * 60 + "usr/bin/tool"),
        file("usr/grün", text),
        file("usr/gone", text),
        folder("d" * 120),
        file(LONG, text),
        file("usr/noted", text, xattrs=FrozenDict({"user.note": b"one\0two"})),
    )
    upper = (folder("usr"), LayerEntry(path="usr/.wh.gone", kind=EntryKind.FILE, mode=0o644), file("usr/new", text))
    return lower, upper


def _fields(entry: LayerEntry) -> dict[str, object]:
    return {name: getattr(entry, name) for name in LayerEntry.__struct_fields__}


@pytest.fixture(params=["gzip", "zstd"])
def image(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, LayoutImage]:
    """A layout with one image called v1."""
    compression: Compression = request.param
    layout = tmp_path / "layout"
    start_layout(layout)
    (tmp_path / "tool").write_bytes(make_elf(ARM64) + os.urandom(3 << 20))
    (tmp_path / "text").write_text("text\n")
    layers = [
        make_layer(layer, layout=layout, layers=tmp_path / "layers", compression=compression, media_types="oci")
        for layer in entries(tmp_path / "tool", tmp_path / "text")
    ]
    config = ImageConfig(
        created="2017-07-14T02:40:00Z",
        architecture="arm64",
        os="linux",
        config=RunConfig(entrypoint=("/usr/bin/tool",), env=("A=b",), labels={"team": "tests"}),
        rootfs=RootFs(diff_ids=tuple(layer.diff_id for layer in layers)),
        history=tuple(History(created_by="COPY") for _ in layers),
    )
    manifest = Manifest(
        config=put_bytes(layout, document_bytes(config), OCI_CONFIG),
        layers=tuple(layer.descriptor for layer in layers),
    )
    described = put_bytes(
        layout,
        document_bytes(manifest),
        OCI_MANIFEST,
        platform=PlatformObject.of(ARM64),
        annotations={REF_NAME: "v1"},
    )
    write_index_json(layout, [described])
    assert validate(layout) == ()
    return layout, read_image(layout)


def test_skopeo_reads_the_layout(image: tuple[Path, LayoutImage], tmp_path: Path) -> None:
    layout, ours = image
    skopeo = need_program("skopeo", "skopeo")
    seen = json.loads(run(skopeo, "inspect", f"oci:{layout}:v1"))
    assert (seen["Architecture"], seen["Os"], seen["Digest"]) == ("arm64", "linux", ours.descriptor.digest)
    assert seen["Layers"] == [layer.digest for layer in ours.manifest.layers]
    run(skopeo, "copy", "--quiet", f"oci:{layout}:v1", f"oci:{tmp_path / 'copy'}:v2")
    assert read_image(tmp_path / "copy", ref="v2").manifest == ours.manifest
    assert validate(tmp_path / "copy") == ()


def for_umoci(image: tuple[Path, LayoutImage], tmp_path: Path) -> Path:
    """The layout; packed with gzip by skopeo where we took zstd, which umoci 0.4 does not know."""
    layout, ours = image
    if not ours.manifest.layers[0].media_type.endswith("zstd"):
        return layout
    skopeo, packed = need_program("skopeo", "skopeo"), tmp_path / "gzip"
    run(skopeo, "copy", "--quiet", "--dest-compress-format=gzip", f"oci:{layout}:v1", f"oci:{packed}:v1")
    return packed


def test_umoci_unpacks_it(image: tuple[Path, LayoutImage], tmp_path: Path) -> None:
    layout, umoci = for_umoci(image, tmp_path), need_program("umoci", "umoci")
    run(umoci, "unpack", *(() if os.geteuid() == 0 else ("--rootless",)), "--image", f"{layout}:v1", tmp_path / "out")
    root = tmp_path / "out/rootfs"
    assert sha256_file(root / "usr/bin/tool") == sha256_file(tmp_path / "tool")
    assert (root / "usr/bin/tool").samefile(root / "usr/bin/same")
    assert (root / "usr/bin/tool").stat().st_mode & 0o7777 == 0o4755
    assert (root / "usr/bin/tool").stat().st_mtime == 1_500_000_000
    assert (root / "usr/bin/link").readlink() == Path("../" * 60 + "usr/bin/tool")
    assert sorted(path.name for path in (root / "usr").iterdir()) == ["bin", "grün", "new", "noted"]
    assert (root / LONG).read_text() == "text\n"
    assert os.getxattr(root / "usr/noted", "user.note") == b"one\0two"


def test_a_docker_engine_loads_the_archive_and_gives_the_same_image_back(
    image: tuple[Path, LayoutImage], tmp_path: Path
) -> None:
    layout, ours = image
    docker, env = need_program("docker", "docker-cli"), engine_environment()
    write_docker_archive(layout, ours, ["rearch-test/thing:v1"], tmp_path / "image.tar")
    assert "rearch-test/thing:v1" in run(docker, "load", "--input", tmp_path / "image.tar", env=env)
    (seen,) = json.loads(run(docker, "image", "inspect", "rearch-test/thing:v1", env=env))
    assert (seen["Architecture"], seen["Os"]) == ("arm64", "linux")
    assert tuple(seen["RootFS"]["Layers"]) == ours.config.rootfs.diff_ids
    assert (seen["Config"]["Entrypoint"], seen["Config"]["Labels"]) == (["/usr/bin/tool"], {"team": "tests"})
    run(docker, "save", "--output", tmp_path / "saved.tar", "rearch-test/thing:v1", env=env)
    run(docker, "image", "rm", "rearch-test/thing:v1", env=env)
    back = load_disk_image(tmp_path / "saved.tar", "archive", "rearch-test/thing:v1", ARM64, tmp_path / "back")
    assert back.config == ours.config
    assert back.manifest.config.digest == ours.manifest.config.digest
    assert validate(tmp_path / "back") == ()


@pytest.mark.parametrize("form", ["docker-archive", "oci-archive"])
def test_archives_go_both_ways_between_skopeo_and_us(
    image: tuple[Path, LayoutImage], tmp_path: Path, form: str
) -> None:
    layout, ours = image
    skopeo = need_program("skopeo", "skopeo")
    write_docker_archive(layout, ours, ["thing:v1"], tmp_path / "ours.tar")
    seen = json.loads(run(skopeo, "inspect", "--config", f"{form}:{tmp_path / 'ours.tar'}"))
    assert seen["architecture"] == "arm64"
    assert tuple(seen["rootfs"]["diff_ids"]) == ours.config.rootfs.diff_ids
    theirs = tmp_path / "theirs.tar"
    # Not from the layout: to write zstd into a docker archive is more than skopeo can do.
    run(skopeo, "copy", "--quiet", f"{form}:{tmp_path / 'ours.tar'}", f"{form}:{theirs}:thing:v1")
    back = load_disk_image(theirs, "archive", "thing:v1", ARM64, tmp_path / "back")
    assert back.config.rootfs == ours.config.rootfs
    assert validate(tmp_path / "back") == ()


def test_umoci_and_skopeo_layouts_have_no_faults(image: tuple[Path, LayoutImage], tmp_path: Path) -> None:
    layout, umoci = for_umoci(image, tmp_path), need_program("umoci", "umoci")
    shutil.copytree(layout, tmp_path / "copy")
    run(umoci, "config", "--image", f"{tmp_path / 'copy'}:v1", "--tag", "v2", "--config.user", "nobody")
    run(umoci, "gc", "--layout", tmp_path / "copy")
    assert [str(fault) for fault in validate(tmp_path / "copy") if not fault.warning] == []
    changed = read_image(tmp_path / "copy", ref="v2", platform=ARM64)
    assert changed.config.config is not None
    assert changed.config.config.user == "nobody"
