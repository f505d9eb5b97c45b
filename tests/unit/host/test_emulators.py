"""Which emulator for which platform on which host, without starting one."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from rearch.formats.elf import match_platform, read_elf_stream
from rearch.host.emulators import MISSING, Emulators, binfmt_handler, tiny_program
from rearch.model.platform import PLATFORMS, Platform, parse_platform

AMD64, I386, ARM64, V7, V6 = (parse_platform(name) for name in ("amd64", "386", "arm64", "arm/v7", "arm/v6"))


class Host:
    """A host of one kind with some programs on its PATH; `asked` are the platforms that were tried."""

    def __init__(self, folder: Path, host: Platform | None, programs: tuple[str, ...] = (), *, starts: bool = True):
        self.asked: list[Platform] = []
        for name in programs:
            (folder / name).write_text("")
            (folder / name).chmod(0o755)

        def start(platform: Platform) -> bool:
            self.asked.append(platform)
            return starts

        self.emulators = Emulators(host, str(folder), start)


def test_the_host_s_own_platform_needs_none_and_nothing_is_started(tmp_path: Path) -> None:
    host = Host(tmp_path, AMD64)
    assert host.emulators.name(AMD64) is None
    assert host.emulators.name(ARM64) == MISSING
    assert host.asked == []


@pytest.mark.parametrize(("own", "other"), [(AMD64, I386), (ARM64, V7), (ARM64, V6), (V7, V6)], ids=str)
def test_a_second_architecture_is_tried_once(tmp_path: Path, own: Platform, other: Platform) -> None:
    host = Host(tmp_path, own)
    assert [host.emulators.name(other) for _ in range(3)] == [None] * 3
    assert host.asked == [other]
    assert host.emulators.name(parse_platform("s390x")) == MISSING


def test_a_kernel_without_the_second_architecture(tmp_path: Path) -> None:
    host = Host(tmp_path, AMD64, ("qemu-i386-static",), starts=False)
    assert host.emulators.name(I386) == "qemu-i386-static"


def test_static_qemu_is_preferred(tmp_path: Path) -> None:
    host = Host(tmp_path, AMD64, ("qemu-aarch64", "qemu-aarch64-static"))
    emulator = host.emulators.find(ARM64)
    assert emulator is not None
    assert (emulator.name, emulator.argv) == ("qemu-aarch64-static", (str(tmp_path / "qemu-aarch64-static"),))


def test_dynamic_qemu_will_do(tmp_path: Path) -> None:
    assert Host(tmp_path, AMD64, ("qemu-aarch64",)).emulators.name(ARM64) == "qemu-aarch64"


def test_arm_variants_get_the_processor_that_they_name(tmp_path: Path) -> None:
    host = Host(tmp_path, AMD64, ("qemu-arm-static",))
    assert host.emulators.name(V6) == "qemu-arm-static -cpu arm1176"
    assert host.emulators.name(V7) == "qemu-arm-static -cpu cortex-a7"
    emulator = host.emulators.find(V6)
    assert emulator is not None
    assert emulator.argv == (str(tmp_path / "qemu-arm-static"), "-cpu", "arm1176")


def test_no_linux_no_native_programs(tmp_path: Path) -> None:
    host = Host(tmp_path, None)
    assert {host.emulators.name(platform) for platform in PLATFORMS} == {MISSING}


def test_binfmt_handlers(tmp_path: Path) -> None:
    (tmp_path / "qemu-aarch64").write_text("enabled\ninterpreter /usr/bin/qemu-aarch64-static\n")
    (tmp_path / "qemu-s390x").write_text("disabled\n")
    assert binfmt_handler(ARM64, tmp_path) == "qemu-aarch64"
    assert binfmt_handler(parse_platform("s390x"), tmp_path) is None
    assert binfmt_handler(V7, tmp_path / "not mounted") is None


@pytest.mark.parametrize("platform", [I386, V7], ids=str)
def test_the_program_that_is_tried_is_one_of_the_platform(platform: Platform) -> None:
    facts = read_elf_stream(io.BytesIO(tiny_program(platform.arch.elf_machine, b"code")), "tiny")
    assert facts is not None
    assert facts.static
    assert match_platform(facts, platform) == ()
