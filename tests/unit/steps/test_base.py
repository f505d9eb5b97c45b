"""The base step: one image of the platform in a layout, whatever it was made of."""

# ruff: noqa: ARG002 - the fakes have the arguments of the protocols
from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
from msgspec.structs import replace

from rearch.errors import ExitCode, VerificationError
from rearch.model.image import Accounts, Directory, User
from rearch.model.platform import Platform, parse_platform
from rearch.model.source import DebianFile, DebianPackage
from rearch.model.step_images import BaseInputs, DebianOrigin, DiskOrigin, RegistryOrigin
from rearch.oci.base_layers import BadBaseLayer, WrongBaseDiffId, WrongLayerCount
from rearch.oci.disk_image import disk_digest
from rearch.oci.image_tree_index import recall
from rearch.oci.layout import put_bytes, read_image, start_layout, write_index_json
from rearch.oci.layout_errors import NoSuchPlatform
from rearch.oci.types import (
    DOCKER_CONFIG,
    DOCKER_MANIFEST,
    OCI_CONFIG,
    OCI_MANIFEST,
    ImageConfig,
    Manifest,
    PlatformObject,
    RootFs,
    descriptor_of,
    document_bytes,
)
from rearch.steps.base import WrongBase, run_base
from rearch.steps.base_extras import DeclaredTwice
from rearch.steps.context import FileChanged
from rearch.steps.ports import Outcome, Workspace
from tests.support.layouts import File, Thing, make_image
from tests.support.workspace import make_workspace

ARM64, ARMV7, ARMV6 = parse_platform("arm64"), parse_platform("arm/v7"), parse_platform("arm/v6")
TIME = 1_600_000_000
PACKAGE = DebianPackage(
    name="app", version="1:2-3", architecture="arm64", file=DebianFile(path="pool/a.deb", size=1, sha256="0" * 64)
)
ORIGIN = DebianOrigin(
    suite="bookworm",
    packages=(PACKAGE,),
    accounts=Accounts(users={"app": User(uid="101", gid="102")}),
    links={"/bin/sh": "dash"},
    directories={"/run/app": Directory(owner="app:app", mode="2775")},
    ca_certificates=False,
    time=TIME,
)


class FakeRootFs:
    """A tree with a file, a program with its setuid bit, and a hard link."""

    def unpack(self, origin: DebianOrigin, platform: Platform, tree: Path, work: Workspace) -> Mapping[str, str]:
        (tree / "usr/bin").mkdir(parents=True)
        (tree / "bin").symlink_to("usr/bin")
        (tree / "usr/bin/app").write_text("program")
        os.link(tree / "usr/bin/app", tree / "usr/bin/bpp")
        (tree / "usr/bin/dash").write_text("shell")
        for path in sorted(tree.rglob("*"), reverse=True):
            path.chmod(0o755)
            os.utime(path, (TIME - 9, TIME - 9))
        return {"usr/bin/app": "0:42:4755", "usr/bin/bpp": "0:42:4755"}


@dataclass
class FakePuller:
    """An image as Docker wrote it, whose config says `config`."""

    config: ImageConfig

    def document(self) -> tuple[bytes, bytes]:
        config = document_bytes(self.config)
        manifest = Manifest(media_type=DOCKER_MANIFEST, config=descriptor_of(DOCKER_CONFIG, config), layers=())
        return config, document_bytes(manifest)

    def pull(self, origin: RegistryOrigin, platform: Platform, layout: Path, work: Workspace) -> None:
        config, manifest = self.document()
        put_bytes(layout, config, DOCKER_CONFIG)
        put_bytes(layout, manifest, DOCKER_MANIFEST)


class NoPuller:
    def pull(self, origin: RegistryOrigin, platform: Platform, layout: Path, work: Workspace) -> None:
        raise AssertionError("nothing is pulled")


def debian(origin: DebianOrigin, base: Path) -> tuple[Outcome, Path]:
    work = make_workspace(base)
    return run_base(BaseInputs(platform=ARM64, origin=origin), work, NoPuller(), FakeRootFs()), work.files


def tar_names(layout: Path, number: int) -> list[tuple[str, str, int, int, int, int, str]]:
    layer = read_image(layout).manifest.layers[number]
    with tarfile.open(fileobj=io.BytesIO((layout / "blobs/sha256" / layer.hex).read_bytes())) as tar:
        return [
            (each.name, each.type.decode(), each.mode, each.uid, each.gid, int(each.mtime), each.linkname)
            for each in tar
        ]


def test_packages_and_what_is_declared_are_two_layers(tmp_path: Path) -> None:
    outcome, layout = debian(ORIGIN, tmp_path)
    assert tar_names(layout, 0) == [
        ("bin", "2", 0o777, 0, 0, TIME, "usr/bin"),
        ("usr", "5", 0o755, 0, 0, TIME - 9, ""),
        ("usr/bin", "5", 0o755, 0, 0, TIME - 9, ""),
        ("usr/bin/app", "0", 0o4755, 0, 42, TIME - 9, ""),
        ("usr/bin/bpp", "1", 0o4755, 0, 42, TIME - 9, "usr/bin/app"),
        ("usr/bin/dash", "0", 0o755, 0, 0, TIME - 9, ""),
    ]
    assert tar_names(layout, 1) == [
        ("etc", "5", 0o755, 0, 0, TIME, ""),
        ("etc/group", "0", 0o644, 0, 0, TIME, ""),
        ("etc/passwd", "0", 0o644, 0, 0, TIME, ""),
        ("run", "5", 0o755, 0, 0, TIME, ""),
        ("run/app", "5", 0o2775, 101, 102, TIME, ""),
        ("usr/bin/sh", "2", 0o777, 0, 0, TIME, "dash"),
    ]
    assert outcome.facts["packages"] == [["app", "1:2-3", "arm64"]]
    assert outcome.facts["name"] == "Debian packages of bookworm"


def test_the_config_says_platform_time_and_history(tmp_path: Path) -> None:
    work = make_workspace(tmp_path)
    outcome = run_base(BaseInputs(platform=ARMV7, origin=ORIGIN), work, NoPuller(), FakeRootFs())
    image = read_image(work.files, platform=ARMV7)
    assert (image.config.os, image.config.architecture, image.config.variant) == ("linux", "arm", "v7")
    assert image.config.created == "2020-09-13T12:26:40Z"
    assert len(image.config.history or ()) == len(image.config.rootfs.diff_ids) == 2
    assert image.config.config is not None
    assert image.config.config.env == ("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",)
    assert outcome.facts["digest"] == image.descriptor.digest
    (top,) = json.loads((work.files / "index.json").read_bytes())["manifests"]
    assert top["platform"] == {"architecture": "arm", "os": "linux", "variant": "v7"}


def test_every_file_of_the_layout_is_recorded_with_its_digest(tmp_path: Path) -> None:
    outcome, layout = debian(ORIGIN, tmp_path)
    files = sorted(path.relative_to(layout).as_posix() for path in layout.rglob("*") if path.is_file())
    assert [artifact.path for artifact in outcome.artifacts or ()] == files
    for artifact in outcome.artifacts or ():
        assert artifact.digest == hashlib.sha256((layout / artifact.path).read_bytes()).hexdigest()


def test_the_same_twice(tmp_path: Path) -> None:
    first, _layout = debian(ORIGIN, tmp_path / "a")
    second, _layout = debian(ORIGIN, tmp_path / "b")
    assert first == second


def test_another_account_leaves_the_packages_layer_alone(tmp_path: Path) -> None:
    _first, one = debian(ORIGIN, tmp_path)
    changed = replace(ORIGIN, accounts=Accounts(users={"app": User(uid="201", gid="102")}))
    _second, two = debian(changed, tmp_path)
    before, after = read_image(one).manifest.layers, read_image(two).manifest.layers
    assert before[0] == after[0]
    assert before[1] != after[1]
    blob = f"blobs/sha256/{before[0].hex}"
    assert (one / blob).samefile(two / blob)


def test_no_time_is_later_than_the_archive(tmp_path: Path) -> None:
    _outcome, layout = debian(replace(ORIGIN, time=TIME - 100), tmp_path)
    assert {entry[5] for number in (0, 1) for entry in tar_names(layout, number)} == {TIME - 100}


def test_a_declared_thing_that_is_there_already(tmp_path: Path) -> None:
    with pytest.raises(DeclaredTwice) as caught:
        debian(replace(ORIGIN, links={"/usr/bin/app": "dash"}), tmp_path)
    assert caught.value.render().startswith(
        "error: /usr/bin/app is there already: a file\n  base.links wants a link to"
    )


def pull(platform: Platform, tmp_path: Path, architecture: str, variant: str | None = None) -> tuple[Outcome, Path]:
    puller = FakePuller(ImageConfig(os="linux", architecture=architecture, variant=variant))
    digest = f"sha256:{hashlib.sha256(puller.document()[1]).hexdigest()}"
    work = make_workspace(tmp_path)
    origin = RegistryOrigin(reference="docker.io/library/debian:bookworm-slim", digest=digest)
    return run_base(BaseInputs(platform=platform, origin=origin), work, puller, FakeRootFs()), work.files


def test_a_pulled_image_keeps_its_bytes_and_types(tmp_path: Path) -> None:
    outcome, layout = pull(ARM64, tmp_path, architecture="arm64", variant="v8")
    image = read_image(layout, platform=ARM64)
    assert image.descriptor.media_type == DOCKER_MANIFEST
    assert outcome.facts == {
        "name": "docker.io/library/debian:bookworm-slim",
        "digest": image.descriptor.digest,
        "packages": [],
    }


def on_disk(project: Path, *architectures: str) -> Path:
    """A layout `base` with an image for each architecture."""
    layout = project / "base"
    start_layout(layout)
    images = []
    for name in architectures:
        config = put_bytes(layout, document_bytes(ImageConfig(os="linux", architecture=name)), OCI_CONFIG)
        manifest = document_bytes(Manifest(config=config, layers=()))
        platform = PlatformObject(architecture=name, os="linux")
        images.append(put_bytes(layout, manifest, OCI_MANIFEST, platform=platform))
    write_index_json(layout, images)
    return layout


def load(project: Path, tmp_path: Path, digest: str) -> tuple[Outcome, Path]:
    work = make_workspace(tmp_path / "work", project=project)
    origin = DiskOrigin(path="base", kind="layout", ref="", digest=digest)
    return run_base(BaseInputs(platform=ARM64, origin=origin), work, NoPuller(), FakeRootFs()), work.files


def test_an_image_on_disk_is_taken_for_its_platform(tmp_path: Path) -> None:
    digest = disk_digest(on_disk(tmp_path, "amd64", "arm64"), "layout")
    outcome, layout = load(tmp_path, tmp_path, digest)
    image = read_image(layout)
    assert image.config.platform == ARM64
    assert outcome.facts == {"name": "base", "digest": image.descriptor.digest, "packages": []}


def test_an_image_on_disk_without_the_platform(tmp_path: Path) -> None:
    digest = disk_digest(on_disk(tmp_path, "amd64", "s390x"), "layout")
    with pytest.raises(NoSuchPlatform) as caught:
        load(tmp_path, tmp_path, digest)
    assert caught.value.platforms == ("linux/amd64", "linux/s390x")


def test_an_image_on_disk_that_changed_since_the_plan(tmp_path: Path) -> None:
    digest = disk_digest(on_disk(tmp_path, "arm64", "amd64"), "layout")
    on_disk(tmp_path, "arm64")
    with pytest.raises(FileChanged):
        load(tmp_path, tmp_path, digest)


def test_an_old_image_for_arm_names_no_variant(tmp_path: Path) -> None:
    _outcome, layout = pull(ARMV6, tmp_path, architecture="arm")
    assert read_image(layout, platform=ARMV6).config.variant is None


@pytest.mark.parametrize(
    ("platform", "config", "found"),
    [
        (ARM64, {"architecture": "amd64"}, "linux/amd64"),
        (ARMV6, {"architecture": "arm", "variant": "v7"}, "linux/arm/v7"),
        (ARM64, {"architecture": "wasm"}, "linux/wasm"),
    ],
)
def test_a_base_that_is_for_another_platform(
    platform: Platform, config: dict[str, str], found: str, tmp_path: Path
) -> None:
    with pytest.raises(WrongBase) as caught:
        pull(platform, tmp_path, **config)
    assert caught.value.summary == (
        f"the base docker.io/library/debian:bookworm-slim is for {found}, not for {platform}"
    )
    assert not (tmp_path / "work-1/files/index.json").exists()


Way = Literal["layout", "archive", "registry"]
WAYS: tuple[Way, ...] = ("layout", "archive", "registry")


@dataclass
class LayoutPuller:
    """A registry that has what is in a layout."""

    layout: Path

    def pull(self, origin: RegistryOrigin, platform: Platform, layout: Path, work: Workspace) -> None:
        for blob in (self.layout / "blobs/sha256").iterdir():
            (layout / "blobs/sha256" / blob.name).write_bytes(blob.read_bytes())


def taken_in(way: Way, project: Path, layers: list[list[Thing]], diff_ids: list[str] | None) -> tuple[Outcome, Path]:
    """The base step for an image with these layers, whose config says these diff IDs, or the right ones."""
    layout = project / "base"
    image = make_image(layout, ARM64, layers, compress=True)
    if diff_ids is not None:
        config = replace(image.config, rootfs=RootFs(diff_ids=tuple(diff_ids)))
        manifest = replace(image.manifest, config=put_bytes(layout, document_bytes(config), OCI_CONFIG))
        write_index_json(layout, [put_bytes(layout, document_bytes(manifest), OCI_MANIFEST)])
    if way == "archive":
        with tarfile.open(project / "base.tar", "w") as tar:
            for each in sorted(layout.rglob("*")):
                tar.add(each, each.relative_to(layout).as_posix(), recursive=False)
    work = make_workspace(project / "work", project=project)
    return run_base(
        BaseInputs(platform=ARM64, origin=origin_of(way, project)), work, LayoutPuller(layout), FakeRootFs()
    ), (work.caches)


def origin_of(way: Way, project: Path) -> DiskOrigin | RegistryOrigin:
    if way == "registry":
        (top,) = json.loads((project / "base/index.json").read_bytes())["manifests"]
        return RegistryOrigin(reference="base", digest=top["digest"])
    path = "base" if way == "layout" else "base.tar"
    return DiskOrigin(path=path, kind=way, ref="", digest=disk_digest(project / path, way))


ZEROS = f"sha256:{'0' * 64}"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("diff_ids", "error"), [([ZEROS], WrongBaseDiffId), ([], WrongLayerCount), ([ZEROS] * 2, WrongLayerCount)]
)
def test_a_base_whose_config_is_not_about_its_layers(
    way: Way, diff_ids: list[str], error: type[VerificationError], tmp_path: Path
) -> None:
    with pytest.raises(error) as caught:
        taken_in(way, tmp_path, [[File("f", b"f")]], diff_ids)
    assert caught.value.exit_code is ExitCode.VERIFICATION
    assert "the base base" in caught.value.summary


@pytest.mark.parametrize("way", WAYS)
def test_a_hostile_name_in_a_base_is_found_when_it_is_taken_in(way: Way, tmp_path: Path) -> None:
    with pytest.raises(BadBaseLayer) as caught:
        taken_in(way, tmp_path, [[File("f")], [File("../f")]], None)
    assert caught.value.exit_code is ExitCode.VERIFICATION
    assert (caught.value.number, caught.value.entry) == (2, "../f")
    assert caught.value.summary.startswith("the base base")


@pytest.mark.parametrize("way", WAYS)
def test_what_is_in_a_base_is_remembered_for_the_builder(way: Way, tmp_path: Path) -> None:
    _outcome, caches = taken_in(way, tmp_path, [[File("f")]], None)
    (layer,) = read_image(tmp_path / "base").manifest.layers
    assert [entry.path for entry in recall(caches / "layers", layer) or ()] == ["f"]
