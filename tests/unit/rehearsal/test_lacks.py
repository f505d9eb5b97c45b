"""What the machine lacks, and what is said of it."""

from __future__ import annotations

from rearch.errors import ExitCode
from rearch.model.platform import parse_platform
from rearch.rehearsal.lacks import Lack, MachineLacks, NotInstalled, missing, packages_of

ARM64 = parse_platform("arm64")
ALL = {"git", "docker-registry", "dockerd", "containerd", "qemu-aarch64-static", "update-binfmts"}


def lacks(there: set[str], *, engine: bool = False, root: bool = True, emulate: bool = True) -> tuple[Lack, ...]:
    return missing((ARM64,) if emulate else (), engine=engine, root=root, find=there.__contains__)


def test_nothing_is_missing() -> None:
    assert lacks(ALL) == ()


def test_a_new_machine() -> None:
    found = lacks(set())
    assert packages_of(found) == ("git", "docker-registry", "docker.io", "qemu-user-static", "binfmt-support")
    error = MachineLacks(found)
    assert "apt-get install git docker-registry docker.io qemu-user-static binfmt-support" in (error.hint or "")
    assert "--install" in (error.hint or "")
    assert error.exit_code is ExitCode.FAILED
    assert len(error.details) == len(found)


def test_an_engine_that_is_there_needs_no_dockerd() -> None:
    assert lacks(ALL - {"dockerd", "containerd"}, engine=True) == ()
    assert packages_of(lacks(ALL - {"containerd"})) == ("docker.io",)


def test_a_machine_that_runs_both_needs_no_emulator() -> None:
    assert lacks(ALL - {"qemu-aarch64-static", "update-binfmts"}, emulate=False) == ()


def test_no_package_makes_a_user_root() -> None:
    (lack,) = lacks(ALL, root=False)
    assert (lack.what, lack.package) == ("root", "")
    hint = MachineLacks([lack]).hint or ""
    assert "as root" in hint
    assert "apt-get" not in hint


def test_apt_that_fails_may_be_tried_later() -> None:
    error = NotInstalled(("git",), "one\n" * 20 + "E: no archive\n")
    assert error.exit_code is ExitCode.TEMPORARY
    assert error.details[-1] == "E: no archive"
    assert len(error.details) == 8
