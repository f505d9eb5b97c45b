"""Whether what a tag names is what would be built, asked of layouts on disk."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from rearch.model.platform import parse_platform
from rearch.oci.layout import put_bytes, start_layout, write_index_json
from rearch.oci.made_from import entry_annotations, labelled
from rearch.oci.types import (
    DOCKER_CONFIG,
    DOCKER_INDEX,
    DOCKER_MANIFEST,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_MANIFEST,
    REF_NAME,
    Descriptor,
    ImageConfig,
    Index,
    Manifest,
    PlatformObject,
    document_bytes,
)
from rearch.planning.publish_targets import LayoutTarget
from rearch.publishing.layout_side import LayoutSide
from rearch.publishing.standing import Stands, Wanted, Where, stands

MADE = {"linux/amd64": "sha256:" + "a" * 64, "linux/arm64": "sha256:" + "b" * 64}


class Folder:
    """A target, with one repository in it."""

    def __init__(self, base: Path, *, docker: bool) -> None:
        self.docker = docker
        self.target = LayoutTarget(path=str(base))
        self.layout = base / "hello"
        start_layout(self.layout)
        self.entries = {name: self.image(name, text) for name, text in MADE.items()}

    def image(self, name: str, made_from: str, author: str = "") -> Descriptor:
        platform = PlatformObject.of(parse_platform(name))
        config = ImageConfig(architecture=platform.architecture, os=platform.os, author=author or None)
        kind = DOCKER_CONFIG if self.docker else OCI_CONFIG
        data = document_bytes(labelled(config, made_from if self.docker else ""))
        manifest = Manifest(
            media_type=DOCKER_MANIFEST if self.docker else OCI_MANIFEST,
            config=put_bytes(self.layout, data, kind),
            layers=(),
        )
        made = put_bytes(self.layout, document_bytes(manifest), manifest.media_type, platform=platform)
        return made if self.docker else replace(made, annotations=entry_annotations(made_from, made.digest))

    def name(self, *entries: Descriptor, single: dict[str, Descriptor] | None = None) -> None:
        index = Index(media_type=DOCKER_INDEX if self.docker else OCI_INDEX, manifests=entries)
        top = put_bytes(self.layout, document_bytes(index), index.media_type, annotations={REF_NAME: "nightly"})
        tags = [replace(entry, annotations={REF_NAME: tag}) for tag, entry in (single or {}).items()]
        write_index_json(self.layout, [top, *tags])

    def ask(self, *, merge: bool = False, per_arch: bool = False) -> tuple[Stands, ...]:
        wanted = Wanted(component="s/hello", repository="hello", made_from=MADE, docker=self.docker)
        where = Where(targets=(self.target,), tag="nightly", merge=merge, per_arch=per_arch)
        return stands(LayoutSide(self.target), self.target, wanted, where)


@pytest.fixture(params=["oci", "docker"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Folder:
    return Folder(tmp_path / "images", docker=request.param == "docker")


def test_a_tag_that_names_what_would_be_made(folder: Folder) -> None:
    assert folder.ask() == ()
    folder.name(*folder.entries.values())
    (found,) = folder.ask()
    assert str(found.place) == f"{folder.target}/hello:nightly"
    assert found.platforms == {name: entry.digest for name, entry in folder.entries.items()}


def test_an_image_made_from_something_else(folder: Folder) -> None:
    amd64, arm64 = folder.entries.values()
    folder.name(amd64, folder.image("linux/arm64", MADE["linux/amd64"]))
    assert folder.ask() == ()
    folder.name(amd64, folder.image("linux/arm64", ""))
    assert folder.ask() == ()
    # Somebody else's image in its place, with the annotations that the entry had.
    other = folder.image("linux/arm64", "", "somebody else")
    folder.name(amd64, replace(other, annotations=arm64.annotations))
    assert folder.ask() == ()


def test_other_platforms(folder: Folder) -> None:
    amd64, arm64 = folder.entries.values()
    more = folder.image("linux/riscv64", "")
    folder.name(amd64)
    assert folder.ask() == folder.ask(merge=True) == ()
    folder.name(amd64, arm64, more)
    assert folder.ask() == ()
    assert len(folder.ask(merge=True)) == 1
    folder.name(amd64, arm64, arm64)
    assert folder.ask() == folder.ask(merge=True) == ()


def test_a_single_image_and_something_beside_the_images(folder: Folder) -> None:
    amd64, arm64 = folder.entries.values()
    write_index_json(folder.layout, [replace(amd64, annotations={REF_NAME: "nightly"})])
    assert folder.ask() == ()
    folder.name(amd64, arm64, replace(arm64, platform=None, artifact_type="application/example"))
    assert folder.ask() == ()


def test_the_tags_of_single_platforms_are_asked_for_where_they_are_wanted(folder: Folder) -> None:
    amd64, arm64 = folder.entries.values()
    folder.name(amd64, arm64)
    assert folder.ask(per_arch=True) == ()
    folder.name(amd64, arm64, single={"nightly_amd64": amd64, "nightly_arm64": amd64})
    assert folder.ask(per_arch=True) == ()
    folder.name(amd64, arm64, single={"nightly_amd64": amd64, "nightly_arm64": arm64})
    tags = [found.place.tag for found in folder.ask(per_arch=True)]
    assert tags == ["nightly_amd64", "nightly_arm64", "nightly"]
