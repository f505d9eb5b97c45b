"""Who can run what: the kernel, binfmt_misc, or nobody that can be seen from here."""

from __future__ import annotations

from pathlib import Path

import pytest

from rearch.host.building.emulation import NoEmulation, Runner, why_not
from rearch.model.platform import parse_platform

ARM64, AMD64, I386 = (parse_platform(name) for name in ("arm64", "amd64", "386"))
HERE = Runner(machine="x86_64", kernel="6.1.0")


@pytest.fixture
def binfmt(tmp_path: Path) -> Path:
    (tmp_path / "status").write_text("enabled\n")
    return tmp_path


def handler(folder: Path, state: str = "enabled", flags: str = "OCF") -> None:
    (folder / "qemu-aarch64").write_text(
        f"{state}\ninterpreter /usr/bin/qemu-aarch64-static\nflags: {flags}\noffset 0\n"
    )


def test_native_programs_need_nothing(binfmt: Path) -> None:
    assert why_not(AMD64, HERE, HERE, binfmt) is None
    assert why_not(I386, HERE, HERE, binfmt) is None


def test_without_a_handler_it_says_so(binfmt: Path) -> None:
    reason = why_not(ARM64, HERE, HERE, binfmt)
    assert reason is not None
    assert "x86_64" in reason
    assert "no emulator registered" in reason


def test_a_handler_that_is_switched_off_does_not_count(binfmt: Path) -> None:
    handler(binfmt, state="disabled")
    assert why_not(ARM64, HERE, HERE, binfmt) is not None


def test_a_fixed_handler_serves(binfmt: Path) -> None:
    handler(binfmt)
    assert why_not(ARM64, HERE, HERE, binfmt) is None


def test_a_handler_that_is_not_fixed_is_of_no_use_in_containers(binfmt: Path) -> None:
    handler(binfmt, flags="OC")
    assert "flag F" in (why_not(ARM64, HERE, HERE, binfmt) or "")


@pytest.mark.parametrize(
    "runner",
    [Runner(machine="x86_64", kernel="6.1.0-linuxkit"), Runner(machine="riscv128", kernel="7.0")],
    ids=["another kernel", "another machine"],
)
def test_what_cannot_be_seen_is_tried(binfmt: Path, runner: Runner) -> None:
    assert why_not(ARM64, runner, HERE, binfmt) is None


def test_without_binfmt_misc_to_look_at_it_is_tried(tmp_path: Path) -> None:
    assert why_not(ARM64, HERE, HERE, tmp_path) is None


def test_the_error_says_how_to_register() -> None:
    text = NoEmulation(ARM64, "this host", "x.j2:4", "no handler").render()
    assert "x.j2:4: RUN" in text
    assert "apt-get install qemu-user-static" in text
    assert "--install arm64" in text
    assert "builders: {linux/arm64: ssh://" in text
