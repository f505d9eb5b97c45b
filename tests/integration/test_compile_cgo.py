"""cgo for another architecture: zig's static musl binaries, and Debian's cross gcc with and without a sysroot.

zig builds musl once for each target, in about two minutes; it stays in the tests' cache.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from rearch.formats.elf import ElfFacts, read_elf
from rearch.formats.elf_match import match_platform
from rearch.host.tools import Tools
from rearch.host.tools_system import system_tool
from rearch.model.platform import Platform, parse_platform
from rearch.model.step import StepKind, SysrootInputs, ToolchainInputs
from rearch.steps.compile_errors import CompileFailed, NoCompilerFor
from rearch.steps.ports import Need, Workspace
from rearch.steps.sysroot import run_sysroot
from rearch.steps.toolchain import run_toolchain
from tests.integration.test_toolchains import HOST, shipped
from tests.support.compiling import Bench, cold_caches, compiler_caches, write_tree
from tests.support.golang import download_cache
from tests.support.needs import need_program
from tests.support.workspace import log_of, make_need, make_workspace

ARM64 = parse_platform("arm64")
MAIN = """package main

/*
#include <stdio.h>
#include <stdlib.h>
static int twice(int n) { return 2 * n; }
static void shout(const char *text) { printf("C says %s\\n", text); fflush(stdout); }
*/
import "C"

import (
	"fmt"
	"net"
)

var VERSION = "dev"

func main() {
	C.shout(C.CString("hello"))
	_, err := net.LookupHost("nowhere.invalid")
	fmt.Println(VERSION, int(C.twice(21)), err != nil)
}
"""
PRINTED = "C says hello\nv1 42 true\n"
STAMPS = {"main.VERSION": "v1"}


def facts(bench: Bench) -> ElfFacts:
    elf = read_elf(bench.binary("tool"))
    assert elf is not None
    return elf


def answer(binary: Path, platform: Platform, root: str = "/") -> str:
    """What the program prints under qemu-user."""
    qemu = need_program(f"qemu-{platform.arch.qemu}-static", "qemu-user-static")
    return subprocess.run((qemu, "-L", root, str(binary)), capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="session")
def zig(tmp_path_factory: pytest.TempPathFactory) -> Need:
    """The shipped zig, as its toolchain step leaves it. It stays where it is: zig's cache is for one place of zig."""
    tool = shipped("zig-0.15")
    kept = download_cache() / f"zig-{tool.version}"
    kept.parent.mkdir(parents=True, exist_ok=True)
    with kept.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            work = make_workspace(tmp_path_factory.mktemp("zig"))
            run_toolchain(tool, work, Tools(download_cache(), os.environ))
            shutil.copytree(work.files, kept.with_suffix(".new"))
            kept.with_suffix(".new").rename(kept)
    return make_need(kept, StepKind.TOOLCHAIN, key=f"zig-{tool.version}")


@pytest.fixture
def gcc(tmp_path: Path) -> Need:
    """Debian's cross compiler for arm64, as its toolchain step leaves it."""
    need_program(f"{ARM64.arch.gnu}-gcc", "gcc-aarch64-linux-gnu libc6-dev-arm64-cross")
    origin = system_tool("gcc", "*", ARM64)
    work = make_workspace(tmp_path / "gcc")
    run_toolchain(ToolchainInputs(name="gcc-cross", kind="gcc", version="", host=HOST, origin=origin), work, _NoFetch())
    return make_need(work.files, StepKind.TOOLCHAIN, key="gcc")


class _NoFetch(Tools):
    """Only links are made in these tests."""

    def __init__(self) -> None:
        super().__init__(Path("/nowhere"), {})


@pytest.mark.parametrize("platform", [ARM64, parse_platform("arm/v7")], ids=lambda platform: platform.slug)
def test_zig_makes_static_binaries_that_run(tmp_path: Path, zig: Need, platform: Platform) -> None:
    bench = Bench(tmp_path, needs={"cc": zig})
    outcome = bench.compile({"main.go": MAIN}, cgo_kind="zig", cgo_link="static", stamps=STAMPS, platform=platform)
    assert facts(bench).static
    assert match_platform(facts(bench), platform) == ()
    assert outcome.facts["libraries"] == []
    assert answer(bench.binary("tool"), platform) == PRINTED


def test_zig_gives_the_same_bytes_elsewhere(
    tmp_path: Path, zig: Need, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Another checkout, another Go build cache, another key of zig: so another name of the C compiler."""
    (tmp_path / "moved").mkdir()
    (tmp_path / "moved" / "zig").symlink_to(zig.files / "zig")
    other = make_need(tmp_path / "moved", StepKind.TOOLCHAIN, key="another-key")
    caches = cold_caches(tmp_path_factory)
    shared = compiler_caches() / "zig" / zig.result.key  # musl is built once for all tests
    shared.mkdir(parents=True, exist_ok=True)
    (caches / "zig").mkdir(parents=True, exist_ok=True)
    (caches / "zig" / "another-key").symlink_to(shared)
    here = Bench(tmp_path / "here", needs={"cc": zig})
    there = Bench(tmp_path / "some/where/else", needs={"cc": other}, caches=caches)
    for bench in (here, there):
        bench.compile({"main.go": MAIN}, cgo_kind="zig", cgo_link="static", stamps=STAMPS, strip=False)
        assert b".debug_" not in bench.binary("tool").read_bytes(), "debug information of zig's libc has paths in it"
    assert here.binary("tool").read_bytes() == there.binary("tool").read_bytes()
    assert str(tmp_path).encode() not in here.binary("tool").read_bytes()


def test_zig_does_not_link_dynamically(tmp_path: Path, zig: Need) -> None:
    with pytest.raises(NoCompilerFor, match="statically"):
        Bench(tmp_path, needs={"cc": zig}).compile({"main.go": MAIN}, cgo_kind="zig", cgo_link="dynamic")


def test_gcc_dynamic_names_the_libraries(tmp_path: Path, gcc: Need) -> None:
    bench = Bench(tmp_path, needs={"cc": gcc})
    outcome = bench.compile({"main.go": MAIN}, cgo_kind="gcc", cgo_link="dynamic", stamps=STAMPS)
    assert facts(bench).interpreter == ARM64.arch.glibc_loader
    assert "libc.so.6" in outcome.facts["libraries"]
    assert answer(bench.binary("tool"), ARM64, f"/usr/{ARM64.arch.triplet}") == PRINTED


def test_gcc_static(tmp_path: Path, gcc: Need) -> None:
    bench = Bench(tmp_path, needs={"cc": gcc})
    bench.compile({"main.go": MAIN}, cgo_kind="gcc", cgo_link="static", stamps=STAMPS)
    assert facts(bench).static
    assert bench.work is not None
    assert "netgo" in log_of(bench.work)
    assert answer(bench.binary("tool"), ARM64) == PRINTED


def test_gcc_gives_the_same_bytes_elsewhere(
    tmp_path: Path, gcc: Need, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """One with the build cache of all test runs, whose packages were compiled elsewhere; one with that of this run."""
    here = Bench(tmp_path / "here", needs={"cc": gcc})
    there = Bench(tmp_path / "some/where/else", needs={"cc": gcc}, caches=cold_caches(tmp_path_factory))
    for link in ("static", "dynamic"):
        for bench in (here, there):
            bench.compile({"main.go": MAIN}, cgo_kind="gcc", cgo_link=link, strip=False)
        assert here.binary("tool").read_bytes() == there.binary("tool").read_bytes()
        assert str(tmp_path).encode() not in here.binary("tool").read_bytes()


def test_gcc_is_refused_where_debian_has_no_port(tmp_path: Path, gcc: Need) -> None:
    with pytest.raises(NoCompilerFor, match="linux/arm/v6"):
        Bench(tmp_path, needs={"cc": gcc}).compile(
            {"main.go": MAIN}, platform=parse_platform("arm/v6"), cgo_kind="gcc", cgo_link="static"
        )


def test_what_the_c_compiler_says_is_in_the_error(tmp_path: Path, gcc: Need) -> None:
    broken = MAIN.replace("stdlib.h", "no-such-header.h")
    with pytest.raises(CompileFailed) as caught:
        Bench(tmp_path, needs={"cc": gcc}).compile({"main.go": broken}, cgo_kind="gcc", cgo_link="dynamic")
    assert "no-such-header.h" in "\n".join(caught.value.details)


LIBRARY = "int answer(void) { return 42; }\n"
PC = "prefix=/usr\nName: answer\nDescription: x\nVersion: 1\nCflags: -I${prefix}/include/answer\nLibs: -lanswer\n"
USER = """package main

// #cgo pkg-config: answer
// #include <answer.h>
import "C"

func main() { println(int(C.answer())) }
"""


class _Packages:
    """A foreign package with a shared library, laid out as Debian does, with an absolute link."""

    def unpack(self, _packages: object, into: Path, work: Workspace) -> None:
        triplet = ARM64.arch.triplet
        lib = into / "usr" / "lib" / triplet
        write_tree(
            into, {"usr/include/answer/answer.h": "int answer(void);\n", f"usr/lib/{triplet}/pkgconfig/answer.pc": PC}
        )
        source = work.scratch / "answer.c"
        source.write_text(LIBRARY)
        real = into / "lib" / triplet / "libanswer.so.1"
        real.parent.mkdir(parents=True)
        flags = ("-shared", "-fPIC", "-Wl,-soname,libanswer.so.1", "-o", str(real))
        subprocess.run((f"{ARM64.arch.gnu}-gcc", *flags, str(source)), check=True)
        (lib / "libanswer.so").symlink_to(f"/lib/{triplet}/libanswer.so.1")


def test_gcc_with_a_sysroot(tmp_path: Path, gcc: Need) -> None:
    need_program("pkg-config", "pkg-config")
    work = make_workspace(tmp_path / "sysroot")
    run_sysroot(SysrootInputs(packages=(), platform=ARM64), work, _Packages())
    sysroot = make_need(work.files, StepKind.SYSROOT, key="sysroot")
    bench = Bench(tmp_path, needs={"cc": gcc, "sysroot": sysroot})
    outcome = bench.compile({"main.go": USER}, cgo_kind="gcc", cgo_link="dynamic")
    assert "libanswer.so.1" in outcome.facts["libraries"]
