"""What the flags of `volumes` come to: the volumes, the platform, the exit code."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from rearch.app.request import Request
from rearch.app.volumes import (
    FilledVolume,
    NoVolumes,
    SharedVolume,
    UnknownVolume,
    VolumesOrder,
    VolumesResult,
    WhichPlatform,
    choose,
    fill_volumes,
    platform_for,
)
from rearch.errors import RearchError, StepError, TemporaryError, VerificationError
from rearch.host.building.emulation import Runner
from rearch.host.docker.engine import Engine, EngineFacts
from rearch.model.platform import Platform
from rearch.model.volumes import Volume, VolumeFolder
from rearch.report import Event, Said, silent
from rearch.volumes.content import Declared
from rearch.volumes.errors import WrongEngine
from tests.support.volumes import AMD64, ARM64, ARMV7, volume_project


class Far:
    """What is asked of an engine before a volume is looked at."""

    name = "ssh://pi4"

    def __init__(self, machine: str) -> None:
        self.facts = EngineFacts(version="20.10", runner=Runner(machine=machine, kernel="6.1"), bridge=True)


def chosen(machine: str, asked: Platform | None) -> tuple[Platform, list[str]]:
    said: list[str] = []

    def report(event: Event) -> None:
        assert isinstance(event, Said)
        said.append(event.level)

    return platform_for(cast("Engine", Far(machine)), asked, report), said


@pytest.mark.parametrize(
    ("machine", "asked", "platform", "said"),
    [
        ("aarch64", None, ARM64, []),
        ("aarch64", ARM64, ARM64, []),
        ("x86_64", None, AMD64, []),
        ("armv7l", ARMV7, ARMV7, []),
        # Raspberry Pi OS with 32-bit programs has a 64-bit kernel on a Pi 3 and 4.
        ("aarch64", ARMV7, ARMV7, ["warning"]),
    ],
)
def test_the_platform_is_the_engines_or_one_that_its_kernel_may_run(
    machine: str, asked: Platform | None, platform: Platform, said: list[str]
) -> None:
    assert chosen(machine, asked) == (platform, said)


@pytest.mark.parametrize(
    ("machine", "asked", "words"),
    [
        ("x86_64", ARM64, "is on linux/amd64, which does not run linux/arm64 programs"),
        ("armv7l", ARM64, "is on linux/arm/v7, which does not run linux/arm64 programs"),
        ("mips", None, "is on mips, for which nothing can be built"),
        ("mips", ARM64, "is on mips, which does not run linux/arm64 programs"),
    ],
)
def test_an_engine_of_another_architecture(machine: str, asked: Platform | None, words: str) -> None:
    with pytest.raises(WrongEngine, match=words) as caught:
        chosen(machine, asked)
    assert caught.value.exit_code == 3


def volume(stack: str, name: str) -> Declared:
    return Declared(stack=stack, name=name, volume=Volume(directories={"a": VolumeFolder()}), files=Path("/none"))


def test_which_volumes() -> None:
    both = (volume("one", "a"), volume("one", "b"))
    assert choose(both, (), ()) == both
    assert choose(both, ("b",), ()) == both[1:]
    with pytest.raises(UnknownVolume, match="a volume c"):
        choose(both, ("a", "c"), ())
    with pytest.raises(NoVolumes, match="declared in one, two"):
        choose((), (), ("one", "two"))
    with pytest.raises(SharedVolume, match="a is declared by one and two"):
        choose((*both, volume("two", "a")), (), ())
    assert choose((*both, volume("two", "a")), ("b",), ()) == both[1:]


DONE = FilledVolume(name="a", place="x", platform=ARM64, new=False, changes=())


@pytest.mark.parametrize(
    ("done", "errors", "code"),
    [
        ((DONE,), (), 0),
        ((DONE,), (StepError("full"),), 4),
        ((DONE,), (TemporaryError("gone"),), 4),
        ((DONE,), (VerificationError("wrong"), StepError("full")), 3),
        ((), (StepError("full"),), 1),
        ((), (TemporaryError("gone"),), 75),
    ],
)
def test_exit_codes(done: tuple[FilledVolume, ...], errors: tuple[RearchError, ...], code: int) -> None:
    assert VolumesResult(volumes=done, errors=tuple(("b", error) for error in errors)).exit_code == code


def run(base: Path, **order: Any) -> VolumesResult:
    request = Request(project=base / "project", platforms=(ARM64,), environment={"REARCH_CACHE": str(base / "cache")})
    return fill_volumes(request, VolumesOrder(to=base / "to", **order), silent)


def test_folders_for_another_architecture_than_this_machines(tmp_path: Path) -> None:
    volume_project(tmp_path, ARM64, AMD64)
    assert [one.new for one in run(tmp_path, write=False).volumes] == [True, True]
    assert not (tmp_path / "to").exists()
    first = run(tmp_path)
    assert first.exit_code == 0
    assert (tmp_path / "to/demo-bin/bin/hello").read_bytes() == (
        tmp_path / "project/output/bin/linux_arm64/hello"
    ).read_bytes()
    again = run(tmp_path, names=True)
    assert [one.todo for one in again.volumes] == [(), ()]
    (tmp_path / "to/demo-more/own").write_text("x")
    assert [one.others for one in run(tmp_path, names=True).volumes] == [(), ("own",)]


def test_one_volume_that_fails_does_not_keep_the_others(tmp_path: Path) -> None:
    volume_project(tmp_path, ARM64)
    (tmp_path / "to").mkdir()
    (tmp_path / "to/demo-bin").write_text("in the way")
    result = run(tmp_path)
    assert [one.name for one in result.volumes] == ["demo-more"]
    assert [name for name, _ in result.errors] == ["demo-bin"]
    assert result.exit_code == 4


@pytest.mark.parametrize("platforms", [None, (ARM64, AMD64)])
def test_a_folder_wants_one_platform(tmp_path: Path, platforms: tuple[Platform, ...] | None) -> None:
    project = volume_project(tmp_path, ARM64)
    with pytest.raises(WhichPlatform):
        fill_volumes(
            Request(project=project, platforms=platforms, environment={"REARCH_CACHE": str(tmp_path / "cache")}),
            VolumesOrder(to=tmp_path / "to"),
            silent,
        )
