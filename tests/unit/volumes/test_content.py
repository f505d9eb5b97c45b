"""stack.yaml and build.json -> what each volume holds on a platform."""

from __future__ import annotations

from pathlib import Path

import pytest

from rearch.app.prepare import load
from rearch.app.request import Request
from rearch.engine.verified import verified_binaries
from rearch.model.platform import Platform
from rearch.volumes.content import Wanted, contents, declared
from rearch.volumes.errors import NotBuilt
from rearch.volumes.things import File, Folder, Link
from tests.support.volumes import AMD64, ARM64, ARMV7, STACK, volume_project


def wanted(tmp_path: Path, *built: Platform, platform: Platform = ARM64, stack: str = STACK) -> Wanted:
    project = volume_project(tmp_path, *built, stack=stack)
    environment = {"REARCH_CACHE": str(tmp_path / "cache")}
    stacks = load(Request(project=project, environment=environment)).stacks
    return contents(declared(stacks, project), verified_binaries(project / "output"), platform, 1000)


def test_folders_come_before_what_is_in_them_and_what_is_optional_may_be_missing(tmp_path: Path) -> None:
    found = wanted(tmp_path, ARM64, AMD64)
    assert [each.volume for each in found.contents] == ["demo-bin", "demo-more"]
    first = found.contents[0]
    assert [(type(thing), thing.path) for thing in first.things] == [
        (Folder, "bin"),
        (Folder, "conf"),
        (Folder, "deep"),
        (Folder, "deep/down"),
        (File, "bin/hello"),
        (File, "deep/down/hello"),
        (File, "readme"),
        (Link, "current"),
        (Link, "elsewhere"),
    ]
    assert found.left_out == (("demo-bin", "demo/later later"),)
    assert first.mtime == 1000
    assert first.things[1] == Folder(path="conf", mode=0o711, uid=3, gid=4)
    assert first.things[2] == Folder(path="deep", implied=True)


def test_a_file_is_the_binary_of_the_platform(tmp_path: Path) -> None:
    for platform in (ARM64, AMD64):
        one = next(
            each
            for each in wanted(tmp_path, ARM64, AMD64, platform=platform).contents[0].things
            if isinstance(each, File)
        )
        assert one.source == tmp_path / "project/output/bin" / platform.slug / "hello"
        assert one.platform == platform
        assert one.program


def test_all_that_is_not_built_is_told_at_once(tmp_path: Path) -> None:
    stack = STACK.replace(", optional: true", "").replace("binary: later", "binary: hello")
    with pytest.raises(NotBuilt) as caught:
        wanted(tmp_path, ARM64, platform=ARMV7, stack=stack)
    assert caught.value.missing == ("demo/hello hello",)
    assert caught.value.hint == "build them: `rearch build --arch arm/v7`"
    assert caught.value.exit_code == 2


def test_a_volume_of_which_nothing_is_left_is_left_out(tmp_path: Path) -> None:
    stack = STACK.partition("volumes:")[0] + "volumes: {only: {files: {later: {binary: later, optional: true}}}}\n"
    found = wanted(tmp_path, ARM64, stack=stack)
    assert found.contents == ()
    assert found.left_out == (("only", "demo/later later"),)
