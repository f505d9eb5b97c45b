"""Real programs for every platform: compiled by Go, verified, and started under qemu-user or natively."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rearch.formats.elf import describe, match_platform, read_elf
from rearch.host.emulators import Emulators, kernel_starts
from rearch.model.platform import PLATFORMS, Platform, parse_platform
from rearch.model.smoke import Smoke
from rearch.model.step import SmokeInputs, StepKind, VerifyInputs
from rearch.steps.ports import Outcome
from rearch.steps.smoke import run_smoke
from rearch.steps.smoke_errors import SmokeFailed
from rearch.steps.verify import WrongBinary, run_verify
from tests.support.golang import VERSION, Go, go_compiler
from tests.support.needs import elsewhere, need_program, unmet
from tests.support.workspace import log_of, make_need, make_workspace

PROGRAM = """package main

import (
	"fmt"
	"io"
	"os"
	"time"
)

var VERSION = "none"

func main() {
	ratio := 1.5 * float64(len(os.Args))
	switch os.Args[1] {
	case "version":
		fmt.Println("tool", VERSION, ratio)
	case "exit":
		fmt.Fprintln(os.Stderr, "no such thing")
		os.Exit(3)
	case "panic":
		var list []string
		fmt.Println(list[len(os.Args)])
	case "crash":
		var number *int
		fmt.Println(*number)
	case "read":
		text, _ := io.ReadAll(os.Stdin)
		fmt.Printf("read %d bytes, A=%s, B=%s\\n", len(text), os.Getenv("A"), os.Getenv("HOME"))
	case "folder":
		names, err := os.ReadDir(".")
		fmt.Println(len(names), err)
	case "serve":
		fmt.Println("starting")
		time.Sleep(200 * time.Millisecond)
		fmt.Println("listening on :8080")
		time.Sleep(time.Hour)
	}
}
"""
ARM64, V7, V6, AMD64 = (parse_platform(name) for name in ("arm64", "arm/v7", "arm/v6", "amd64"))


@pytest.fixture(scope="module")
def go() -> Go:
    return go_compiler()


@pytest.fixture(scope="module")
def built(go: Go, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Platform], Path]:
    """The folder of a compile result for a platform, made when it is first asked for."""
    base = tmp_path_factory.mktemp("built")

    def build(platform: Platform) -> Path:
        folder = base / platform.slug
        if not folder.exists():
            flags = ("-ldflags", "-s -w -X main.VERSION=v1.2.3")
            go.build({"main.go": PROGRAM}, platform, folder / "bin/tool", flags=flags)
            (folder / "bin/alias").symlink_to("tool")
        return folder

    return build


def emulators() -> Emulators:
    return Emulators.of_this_host(os.environ["PATH"])


def smoke(files: Path, platform: Platform, base: Path, *checks: dict[str, Any], sysroot: Path | None = None) -> Outcome:
    name = emulators().name(platform)
    if name == "missing":
        unmet(f"qemu-{platform.arch.qemu} (apt-get install qemu-user-static)")
    needs = {"binaries": make_need(files, StepKind.COMPILE)}
    if sysroot is not None:
        needs["sysroot"] = make_need(sysroot, StepKind.SYSROOT)
    inputs = SmokeInputs(
        platform=platform, checks=tuple(Smoke.model_validate(check) for check in checks), emulator=name
    )
    return run_smoke(inputs, make_workspace(base, needs=needs), emulators().find(platform))


def verify(files: Path, platform: Platform, base: Path, **more: Any) -> Outcome:
    defaults = {"names": ("tool",), "link": "static", "glibc": None, "libraries": None}
    work = make_workspace(base, needs={"binaries": make_need(files, StepKind.COMPILE)})
    outcome = run_verify(VerifyInputs(platform=platform, **(defaults | more)), work)
    assert "ELF" in log_of(work)
    return outcome


@pytest.mark.parametrize("platform", PLATFORMS, ids=str)
def test_what_is_compiled_for_a_platform_verifies_and_runs(
    built: Callable[[Platform], Path], platform: Platform, tmp_path: Path
) -> None:
    files = built(platform)
    facts = verify(files, platform, tmp_path).facts["binaries"]
    assert facts.keys() == {"tool", "alias"}
    outcome = smoke(
        files,
        platform,
        tmp_path,
        {"run": ["tool", "version"], "expect": r"^tool v1\.2\.3 3$"},
        {"run": ["alias", "exit"], "exit": 3, "expect": "no such thing"},
        {"run": ["tool", "panic"], "exit": 2, "expect": "index out of range"},
        {
            "run": ["tool", "read"],
            "stdin": "x" * 70000,
            "env": {"A": "b c"},
            "expect": "^read 70000 bytes, A=b c, B=$",
        },
        {"run": ["tool", "folder"], "expect": "^0 <nil>$"},
        {"run": ["tool", "serve"], "stop": True, "expect": "^listening on", "timeout": "30s"},
    )
    assert outcome.facts["outcome"] == "passed"
    assert "6 checks passed" in outcome.note


@pytest.mark.parametrize("platform", PLATFORMS, ids=str)
def test_build_information_is_what_go_itself_reads(
    go: Go, built: Callable[[Platform], Path], platform: Platform, tmp_path: Path
) -> None:
    path = built(platform) / "bin/tool"
    facts = read_elf(path)
    assert facts is not None
    assert facts.go is not None
    lines = [line.split("\t") for line in go.run("version", "-m", str(path), cwd=tmp_path).splitlines()]
    wanted = dict(line[2].split("=", 1) for line in lines if line[1:2] == ["build"])
    assert dict(facts.go.settings) == wanted
    assert wanted["GOARCH"] == platform.arch.goarch
    assert (facts.go.version, facts.go.path) == (f"go{VERSION}", "example.org/tool")
    variant = platform.arch.go_variant
    assert variant is None or facts.go.setting(variant[0]) == variant[1]
    assert facts.go_build_id
    assert [str(other) for other in PLATFORMS if not match_platform(facts, other)][-1] in (str(platform), str(V6))


def test_v7_code_is_found_wrong_on_v6_by_reading_and_by_running(
    go: Go, built: Callable[[Platform], Path], tmp_path: Path
) -> None:
    files = built(V7)
    with pytest.raises(WrongBinary) as caught:
        verify(files, V6, tmp_path)
    assert "GOARM: found 7, wanted 6 or lower" in caught.value.render()
    if emulators().native(V6):
        elsewhere("a host that emulates arm/v6: this one runs it natively")
    with pytest.raises(SmokeFailed) as failed:
        smoke(files, V6, tmp_path, {"run": ["tool", "version"]})
    assert "killed by signal 4" in failed.value.render()
    assert "newer processor" in (failed.value.hint or "")


def test_a_program_that_crashes_is_blamed_itself(built: Callable[[Platform], Path], tmp_path: Path) -> None:
    with pytest.raises(SmokeFailed) as caught:
        smoke(built(ARM64), ARM64, tmp_path, {"run": ["tool", "crash"]})
    text = caught.value.render()
    assert "tool crash: exit code 2, wanted exit code 0" in text
    assert "nil pointer dereference" in text


def test_the_line_of_the_error_can_be_run_in_a_shell(built: Callable[[Platform], Path], tmp_path: Path) -> None:
    check = {"run": ["tool", "read"], "stdin": "a 'b'", "env": {"A": "$x y"}, "exit": 9}
    with pytest.raises(SmokeFailed) as caught:
        smoke(built(ARM64), ARM64, tmp_path, check)
    (failure,) = caught.value.failures
    done = subprocess.run(("/bin/sh", "-c", failure.trial.line), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "read 5 bytes, A=$x y, B=\n")


def test_a_server_that_is_not_meant_to_be_one(built: Callable[[Platform], Path], tmp_path: Path) -> None:
    with pytest.raises(SmokeFailed) as caught:
        smoke(built(ARM64), ARM64, tmp_path, {"run": ["tool", "serve"], "timeout": "2s"})
    assert "still running after 2 s" in caught.value.render()
    assert "| listening on :8080" in caught.value.render()
    assert "stop: true" in (caught.value.hint or "")


def test_a_foreign_binary_without_emulator_is_no_traceback(built: Callable[[Platform], Path], tmp_path: Path) -> None:
    foreign = next(p for p in (ARM64, AMD64) if not emulators().native(p))
    inputs = SmokeInputs(platform=foreign, checks=(Smoke(run=("tool", "version")),), emulator=None)
    work = make_workspace(tmp_path, needs={"binaries": make_need(built(foreign), StepKind.COMPILE)})
    if Path(f"/proc/sys/fs/binfmt_misc/qemu-{foreign.arch.qemu}").exists():
        elsewhere("a host without a binfmt_misc handler for it")
    from rearch.host.process import CannotStart

    with pytest.raises(CannotStart, match="exec format error"):
        run_smoke(inputs, work, None)


# Dynamic programs, with the C library of Debian's cross compiler as the sysroot.


@pytest.fixture
def dynamic(tmp_path: Path) -> tuple[Path, Path]:
    """A compile result with a dynamic C program for arm64, and the files of its sysroot step."""
    compiler = need_program(f"{ARM64.arch.triplet}-gcc", "gcc-aarch64-linux-gnu libc6-dev-arm64-cross")
    files = tmp_path / "compiled"
    (files / "bin").mkdir(parents=True)
    (tmp_path / "hello.c").write_text(
        "#include <math.h>\n#include <stdio.h>\nint main(int n, char **a) "
        '{ printf("%.1f\\n", pow(n, 0.5)); return 0; }\n'
    )
    argv = (compiler, "-o", str(files / "bin/tool"), str(tmp_path / "hello.c"), "-lm")
    subprocess.run(argv, check=True)
    (tmp_path / "root").mkdir()
    (tmp_path / "root/sysroot").symlink_to(f"/usr/{ARM64.arch.triplet}")
    return files, tmp_path / "root"


def test_a_dynamic_program_runs_with_its_sysroot(dynamic: tuple[Path, Path], tmp_path: Path) -> None:
    files, root = dynamic
    facts = verify(files, ARM64, tmp_path, link="dynamic", go=False).facts["binaries"]["tool"]
    assert facts["interpreter"] == ARM64.arch.glibc_loader
    assert facts["needed"] == ["libm.so.6", "libc.so.6"]
    assert facts["glibc"] is not None
    assert (
        smoke(files, ARM64, tmp_path, {"run": ["tool"], "expect": "^1.0$"}, sysroot=root).facts["outcome"] == "passed"
    )
    with pytest.raises(WrongBinary) as caught:
        verify(files, ARM64, tmp_path, link="dynamic", go=False, glibc="2.17", libraries=("libc.so.6",))
    assert {m.what for m in caught.value.files[0].mismatches} == {"glibc", "library"}


def test_a_dynamic_program_without_its_sysroot(dynamic: tuple[Path, Path], tmp_path: Path) -> None:
    if emulators().native(ARM64):
        elsewhere("a host that emulates arm64")
    with pytest.raises(SmokeFailed) as caught:
        smoke(dynamic[0], ARM64, tmp_path, {"run": ["tool"]})
    assert f"it is dynamic and {ARM64.arch.glibc_loader} is not there" in (caught.value.hint or "")


def test_the_host_s_own_programs_are_described() -> None:
    facts = read_elf(Path("/proc/self/exe"))
    assert facts is not None
    assert describe(facts).startswith("ELF ")
    assert emulators().native(next(p for p in PLATFORMS if not match_platform(facts, p)))


def test_whether_the_kernel_runs_a_second_architecture_is_seen_by_trying() -> None:
    own = Emulators.of_this_host("")
    for platform in PLATFORMS:
        if kernel_starts(platform):
            assert platform.arch.bits == 32
            assert own.native(platform) or platform.arch_name == "386"
    assert not kernel_starts(parse_platform("s390x"))
