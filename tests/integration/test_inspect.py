"""`inspect` on a real registry, on layouts, archives and images of output/."""

from __future__ import annotations

import json
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from rearch.app.targets import NoSuchTarget
from rearch.errors import ExitCode
from rearch.host.process import Processes
from rearch.model.platform import parse_platform
from rearch.oci.docker_archive import write_docker_archive
from rearch.oci.layout import blob_path, start_layout, write_index_json
from rearch.oci.layout_errors import AmbiguousImage, NoSuchImage, WrongBlob
from rearch.oci.types import (
    OCI_INDEX,
    OCI_MANIFEST,
    REF_NAME,
    Descriptor,
    Index,
    PlatformObject,
    descriptor_of,
    document_bytes,
    readable,
)
from rearch.registry import errors
from tests.support.cli import Cli
from tests.support.elves import make_elf
from tests.support.joining import Desk, attestation, document_of
from tests.support.layouts import File, add_image, make_image
from tests.support.registry import Server, run_registry
from tests.support.registry_faults import Fault, run_between
from tests.support.registry_images import layer_bytes, put_image, put_index

ARM64, AMD64 = parse_platform("arm64"), parse_platform("amd64")
LAYER = layer_bytes("layer", 5_000)
PROVENANCE = "https://slsa.dev/provenance/v0.2"


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Processes, "pause", lambda _self, _seconds: None)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with run_registry(tmp_path_factory.mktemp("registry"), delete=True) as found:
        yield found


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def with_annotations(entry: Descriptor, **more: str) -> Descriptor:
    return replace(entry, annotations={name.replace("_", "."): text for name, text in more.items()})


def test_an_index_with_all_that_belongs_to_it(server: Server, desk: Desk) -> None:
    amd64 = put_image(server, "all/app", "amd64", layers=(LAYER,)).manifest
    arm64 = put_image(server, "all/app", "arm64", layers=(LAYER, layer_bytes("own", 9_000)))
    provenance = attestation(server, "all/app", arm64.manifest, PROVENANCE)
    base = "docker.io/library/debian:bookworm"
    entries = (
        with_annotations(amd64, org_opencontainers_image_base_name=base, org_example_x="\x1b[31mred"),
        arm64.manifest,
        provenance,
    )
    index = Index(manifests=entries, annotations={"org.example.of": "the index"})
    server.put_manifest("all/app", "1", document_bytes(index), OCI_INDEX)
    found = desk.inspect(f"{server.host}/all/app:1")
    assert not found.faults
    text = "\n".join(found.lines)
    row = next(line for line in found.lines if line.startswith("linux/arm64 "))
    assert row.split()[1] == arm64.manifest.digest
    assert row.split()[4:6] == ["2", "provenance"]
    assert f"attestation {provenance.digest} about {arm64.manifest.digest}: provenance" in text
    assert "  org.example.of=the index" in text
    assert next(line for line in found.lines if line.startswith("linux/amd64 ")).endswith(base)
    assert "\x1b" not in text
    image = found.document["images"][1]
    assert image["attestations"] == [PROVENANCE]
    assert image["total_size"] == arm64.manifest.size + sum(layer.size for layer in arm64.layers) + config_size(
        server, arm64.manifest
    )
    assert found.document["annotations"] == {"org.example.of": "the index"}
    assert [other["kind"] for other in found.document["others"]] == ["attestation"]


def config_size(server: Server, manifest: Descriptor) -> int:
    place = server.storage / "docker/registry/v2/blobs/sha256" / manifest.hex[:2] / manifest.hex / "data"
    return int(json.loads(place.read_text())["config"]["size"])


def test_what_is_wrong_is_told_with_exit_code_3(server: Server, tmp_path: Path) -> None:
    gone = put_image(server, "ill/app", "arm64", layers=(LAYER,)).manifest
    liar = put_image(
        server, "ill/app", "linux/arm/v7", layers=(LAYER,), config_platform=PlatformObject.of(AMD64)
    ).manifest
    put_index(server, "ill/app", "1", (gone, liar))
    request = urllib.request.Request(f"{server.url}/v2/ill/app/manifests/{gone.digest}", method="DELETE")
    urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=20).close()
    rearch = Cli(tmp_path, tmp_path / "cache")
    ran = rearch.run("inspect", f"{server.host}/ill/app:1", code=3)
    assert f"{gone.digest}: it is not there" in ran.out
    assert f"{liar.digest}: it is labelled linux/arm/v7, and its config says linux/amd64" in ran.out
    assert ran.out.count("linux/arm") >= 2, "and the rest is shown all the same"


def test_raw_is_the_bytes_as_they_are(server: Server, tmp_path: Path) -> None:
    image = put_image(server, "raw/app", "arm64", layers=(LAYER,)).manifest
    entry = readable(image)
    odd = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "odd": "\u00e9", "manifests": [entry]}, indent=7)
    server.put_manifest("raw/app", "1", odd.encode(), OCI_INDEX)
    rearch = Cli(tmp_path, tmp_path / "cache")
    argv = rearch.argv("inspect", f"{server.host}/raw/app:1", "--raw")
    done = subprocess.run(argv, cwd=tmp_path, env=rearch.environment(), capture_output=True, check=True)
    assert done.stdout == odd.encode() == document_of(server, "raw/app", "1")


def test_referrers_are_found_where_the_registry_has_no_api_for_them(server: Server, desk: Desk) -> None:
    image = put_image(server, "ref/app", "arm64", layers=(LAYER,), tag="1").manifest
    signature = {"mediaType": OCI_MANIFEST, "digest": image.digest, "size": image.size, "artifactType": "a/signature"}
    listed = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [signature]}
    server.put_manifest("ref/app", image.digest.replace(":", "-"), listed, OCI_INDEX)
    found = desk.inspect(f"{server.host}/ref/app:1", referrers=True)
    assert any("a/signature" in line for line in found.lines)
    assert [each["artifact_type"] for each in found.document["images"][0]["referrers"]] == ["a/signature"]
    assert not desk.inspect(f"{server.host}/ref/app:1").document["images"][0]["referrers"]


def test_a_page_and_a_manifest_without_an_end(server: Server, desk: Desk) -> None:
    put_image(server, "bad/app", "arm64", layers=(LAYER,), tag="1")
    page = Fault(path="/manifests/", status=200, headers=(("Content-Type", "text/html"),), body=b"<html>")
    with run_between(server) as between:
        between.faults += [page, Fault(path="/manifests/", status=200, body=b"{" + b" " * (5 << 20))]
        with pytest.raises(errors.NotARegistry):
            desk.inspect(f"{between.host}/bad/app:1")
        with pytest.raises(errors.TooLarge) as raised:
            desk.inspect(f"{between.host}/bad/app:1")
        assert raised.value.exit_code is ExitCode.VERIFICATION


# --- on disk


def layout_of_two(folder: Path, tag: str = "1") -> Descriptor:
    """An index of two images, called `tag`."""
    start_layout(folder)
    images = [
        add_image(folder, platform, [[File("tool", make_elf(platform))]], labels={BASE: "example.org/base:2"})
        for platform in (AMD64, ARM64)
    ]
    data = document_bytes(Index(manifests=tuple(images)))
    entry = descriptor_of(OCI_INDEX, data, annotations={REF_NAME: tag})
    blob_path(folder, entry.digest).write_bytes(data)
    write_index_json(folder, (entry,))
    return entry


BASE = "org.opencontainers.image.base.name"


def test_a_layout_and_an_image_of_output(desk: Desk) -> None:
    entry = layout_of_two(desk.folder / "output/images/team/app")
    layout = str(desk.folder / "output/images/team/app")
    for name in (layout, f"{layout}:1", "team/app", "team/app:1"):
        found = desk.inspect(name)
        assert found.document["digest"] == entry.digest, name
        assert [image["platform"]["architecture"] for image in found.document["images"]] == ["amd64", "arm64"]
        assert found.document["images"][0]["base"] == {"name": "example.org/base:2", "digest": None}
        assert desk.raw(name) == blob_path(Path(layout), entry.digest).read_bytes()
    with pytest.raises(NoSuchImage, match="no image called 'nope'"):
        desk.inspect("team/app:nope")
    with pytest.raises(NoSuchTarget) as raised:
        desk.inspect("team/ap")
    assert raised.value.hint == "did you mean team/app?"
    with pytest.raises(NoSuchTarget) as raised:
        desk.inspect("ubuntu:16.04")
    assert raised.value.hint == "if a registry has it, name that too: docker.io/library/ubuntu:16.04"


def test_a_layout_of_several_names_shows_each(desk: Desk) -> None:
    layout = desk.folder / "several"
    start_layout(layout)
    entries = [
        replace(add_image(layout, platform, [[File("tool", make_elf(platform))]]), annotations={REF_NAME: name})
        for platform, name in ((AMD64, "one"), (ARM64, "two"))
    ]
    write_index_json(layout, entries)
    found = desk.inspect(str(layout))
    assert [each["name"] for each in found.document] == [f"{layout}:one", f"{layout}:two"]
    assert desk.inspect(f"{layout}:two").document["digest"] == entries[1].digest
    with pytest.raises(AmbiguousImage, match="2 images"):
        desk.raw(str(layout))


def test_a_damaged_layout(desk: Desk) -> None:
    layout = desk.folder / "damaged"
    image = make_image(layout, ARM64, [[File("tool", make_elf(ARM64))]])
    blob_path(layout, image.manifest.config.digest).unlink()
    found = desk.inspect(str(layout))
    assert found.faults == (f"{image.descriptor.digest}: its config {image.manifest.config.digest} is not there",)
    place = blob_path(layout, image.descriptor.digest)
    place.write_bytes(place.read_bytes().replace(b"2", b"3", 1))
    with pytest.raises(WrongBlob):
        desk.inspect(str(layout))


def test_a_docker_archive(desk: Desk) -> None:
    image = make_image(desk.folder / "layout", ARM64, [[File("tool", make_elf(ARM64))]])
    archive = desk.folder / "image.tar"
    write_docker_archive(desk.folder / "layout", image, ["example.org/app:1"], archive)
    found = desk.inspect(str(archive))
    assert [each["platform"]["architecture"] for each in found.document["images"]] == ["arm64"]
