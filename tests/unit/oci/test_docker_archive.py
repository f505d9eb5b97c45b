"""Archives for `docker load`: the same bytes for the same image, and both of their forms agree."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from rearch.errors import ExitCode, UsageError
from rearch.formats.archive_errors import CannotWrite
from rearch.formats.hashing import sha256_file
from rearch.model.digest import Digest
from rearch.model.platform import parse_platform
from rearch.oci.docker_archive import BadArchiveName, write_docker_archive
from rearch.oci.layout import blob_path, put_bytes, read_image, write_index_json
from rearch.oci.layout_errors import WrongBlob
from rearch.oci.types import OCI_MANIFEST, Index, Manifest, document_bytes, layer_type
from tests.support.archives import zstd
from tests.support.layouts import File, make_image, make_tar

ARM64 = parse_platform("arm64")
LAYERS = [[File("usr/bin/tool", b"tool" * 5000)], [File("etc/conf", b"x")]]


def members(data: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        entries = [(entry, tar.extractfile(entry)) for entry in tar]
        assert {(entry.uid, entry.gid, entry.uname, entry.mtime) for entry, _ in entries} == {(0, 0, "", 0)}
        return {entry.name: stream.read() for entry, stream in entries if stream is not None}


def test_both_forms_name_the_same_blobs(tmp_path: Path) -> None:
    image = make_image(tmp_path / "layout", ARM64, LAYERS, compress=True)
    write_docker_archive(
        tmp_path / "layout", image, ["thing:v1", "example.org:5000/a/b:v2", "thing:v1"], tmp_path / "a"
    )
    found = members((tmp_path / "a").read_bytes())
    assert list(found)[:3] == ["oci-layout", "index.json", "manifest.json"]
    blobs = {name.rpartition("/")[2]: data for name, data in found.items() if name.startswith("blobs/sha256/")}
    assert all(Digest.of(data).hex == name for name, data in blobs.items())
    assert set(blobs) == {part.hex for part in (image.descriptor, image.manifest.config, *image.manifest.layers)}
    assert json.loads(found["manifest.json"]) == [
        {
            "Config": f"blobs/sha256/{image.manifest.config.hex}",
            "RepoTags": ["thing:v1", "example.org:5000/a/b:v2"],
            "Layers": [f"blobs/sha256/{layer.hex}" for layer in image.manifest.layers],
        }
    ]
    index = msgspec.json.decode(found["index.json"], type=Index)
    assert {entry.digest for entry in index.manifests} == {image.descriptor.digest}
    assert [entry.annotations for entry in index.manifests] == [
        {"io.containerd.image.name": "docker.io/library/thing:v1", "org.opencontainers.image.ref.name": "v1"},
        {"io.containerd.image.name": "example.org:5000/a/b:v2", "org.opencontainers.image.ref.name": "v2"},
    ]
    assert msgspec.json.decode(blobs[index.manifests[0].hex], type=Manifest) == image.manifest


@pytest.mark.parametrize(
    ("name", "short", "full"),
    [
        ("thing", "thing:latest", "docker.io/library/thing:latest"),
        ("team/thing:1", "team/thing:1", "docker.io/team/thing:1"),
        ("docker.io/library/thing:1", "thing:1", "docker.io/library/thing:1"),
        ("localhost/library/thing:1", "localhost/library/thing:1", "localhost/library/thing:1"),
    ],
)
def test_names_as_docker_shows_them(tmp_path: Path, name: str, short: str, full: str) -> None:
    image = make_image(tmp_path / "layout", ARM64, LAYERS)
    write_docker_archive(tmp_path / "layout", image, [name], tmp_path / "a")
    found = members((tmp_path / "a").read_bytes())
    assert json.loads(found["manifest.json"])[0]["RepoTags"] == [short]
    assert json.loads(found["index.json"])["manifests"][0]["annotations"]["io.containerd.image.name"] == full


def test_without_a_name(tmp_path: Path) -> None:
    image = make_image(tmp_path / "layout", ARM64, LAYERS)
    write_docker_archive(tmp_path / "layout", image, [], tmp_path / "a")
    found = members((tmp_path / "a").read_bytes())
    assert json.loads(found["manifest.json"])[0]["RepoTags"] is None
    (entry,) = json.loads(found["index.json"])["manifests"]
    assert "annotations" not in entry
    assert entry["platform"] == {"architecture": "arm64", "os": "linux"}


def test_the_same_bytes_to_a_file_and_to_a_stream(tmp_path: Path) -> None:
    for name in ("one", "two"):
        image = make_image(tmp_path / name, ARM64, LAYERS, compress=True)
        write_docker_archive(tmp_path / name, image, ["thing:1"], tmp_path / f"{name}.tar")
    stream = io.BytesIO()
    write_docker_archive(tmp_path / "one", image, ["thing:1"], stream)
    assert Digest.of(stream.getvalue()).hex == sha256_file(tmp_path / "one.tar") == sha256_file(tmp_path / "two.tar")


@pytest.mark.parametrize("name", ["", "UPPER:1", "thing@sha256:" + "0" * 64, f"thing:1@sha256:{'0' * 64}", "a b"])
def test_names_that_no_image_has(tmp_path: Path, name: str) -> None:
    image = make_image(tmp_path / "layout", ARM64, LAYERS)
    with pytest.raises(UsageError) as caught:
        write_docker_archive(tmp_path / "layout", image, [name], tmp_path / "a")
    assert isinstance(caught.value, BadArchiveName) == ("@" in name)
    assert caught.value.exit_code is ExitCode.USAGE
    assert not (tmp_path / "a").exists()


def test_a_damaged_blob_leaves_the_old_archive(tmp_path: Path) -> None:
    image = make_image(tmp_path / "layout", ARM64, LAYERS)
    (tmp_path / "a").write_text("old")
    path = blob_path(tmp_path / "layout", image.manifest.layers[1].digest)
    path.write_bytes(path.read_bytes().replace(b"conf", b"cont"))
    with pytest.raises(WrongBlob):
        write_docker_archive(tmp_path / "layout", image, ["thing:1"], tmp_path / "a")
    assert (tmp_path / "a").read_text() == "old"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a", "layout"]


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    image = make_image(tmp_path / "layout", ARM64, LAYERS)
    with pytest.raises(CannotWrite):
        write_docker_archive(tmp_path / "layout", image, ["thing:1"], tmp_path / "missing" / "a")


def test_zstd_is_unpacked_for_old_engines_and_the_config_stays(tmp_path: Path) -> None:
    layout, plain = tmp_path / "layout", make_tar(LAYERS[0])
    made = make_image(layout, ARM64, LAYERS)
    first = put_bytes(layout, zstd(plain), layer_type("oci", "zstd"))
    manifest = replace(made.manifest, layers=(first, made.manifest.layers[1]))
    described = put_bytes(layout, document_bytes(manifest), OCI_MANIFEST, platform=made.descriptor.platform)
    write_index_json(layout, [described])
    before = sorted(path.name for path in layout.rglob("*"))
    write_docker_archive(layout, read_image(layout), ["thing:1"], tmp_path / "a")
    assert sorted(path.name for path in layout.rglob("*")) == before
    found = members((tmp_path / "a").read_bytes())
    (listed,) = json.loads(found["manifest.json"])
    assert [found[name] for name in listed["Layers"]] == [plain, make_tar(LAYERS[1])]
    assert listed["Config"].endswith(made.manifest.config.hex)
    (entry,) = msgspec.json.decode(found["index.json"], type=Index).manifests
    assert msgspec.json.decode(found[f"blobs/sha256/{entry.hex}"], type=Manifest).layers == made.manifest.layers
