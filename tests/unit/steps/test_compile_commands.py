"""The go commands and their environment, as values."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from rearch.model.go_flags import is_protected
from rearch.model.platform import PLATFORMS, Platform, parse_platform
from rearch.model.step import StepKind
from rearch.steps.compile_cgo import gcc_setup, sysroot_flags, zig_setup
from rearch.steps.compile_command import GoCall, build_command, into_file, linker_flags, list_command
from rearch.steps.compile_environment import (
    Folders,
    GoTool,
    base_environment,
    prepare_folders,
    target_environment,
    with_own,
)
from rearch.steps.compile_errors import NoCompilerFor, ProtectedVariable
from rearch.steps.compile_flags import Stamp
from rearch.steps.compile_tree import Tree
from tests.support.workspace import make_need, make_workspace

GO = GoTool(root=Path("/store/go"), cache=Path("/caches/go-build/key"))
GOPATH_TREE = Tree(layout="gopath", folder=Path("/s/src/p"), import_path="p", gopath=(Path("/s/Godeps"), Path("/s")))
MODULE_TREE = Tree(layout="module", folder=Path("/s/src/p"), import_path="p", gopath=(Path("/s"),), mod="readonly")
FOLDERS = Folders(home=Path("/w/home"), temporary=Path("/w/tmp"))
GOLDEN_GOPATH = {
    "GO111MODULE": "off",
    "GOCACHE": "/caches/go-build/key",
    "GOENV": "off",
    "GOFLAGS": "",
    "GOMODCACHE": "/w/home/modules",
    "GOPATH": "/s/Godeps:/s",
    "GOPROXY": "off",
    "GOROOT": "/store/go",
    "GOSUMDB": "off",
    "GOTOOLCHAIN": "local",
    "GOVCS": "*:off",
    "GOWORK": "off",
    "HOME": "/w/home",
    "LC_ALL": "C",
    "PATH": "/store/go/bin:/usr/bin:/bin",
    "TMPDIR": "/w/tmp",
}
VARIANTS = {
    "amd64": "v1",
    "arm64": "v8.0",
    "arm/v7": "7",
    "arm/v6": "6",
    "386": "sse2",
    "ppc64le": "power8",
    "riscv64": "rva20u64",
}


def test_the_environment_is_this_and_nothing_else() -> None:
    assert base_environment(GO, GOPATH_TREE, FOLDERS) == GOLDEN_GOPATH


def test_modules_have_a_gopath_of_their_own() -> None:
    changed = {"GO111MODULE": "on", "GOPATH": "/w/home/go"}
    assert base_environment(GO, MODULE_TREE, FOLDERS) == GOLDEN_GOPATH | changed


@pytest.mark.parametrize("platform", PLATFORMS, ids=str)
def test_the_target(platform: Platform) -> None:
    env = target_environment(platform, {}, 7)
    assert env["CGO_ENABLED"] == "0"
    assert env["SOURCE_DATE_EPOCH"] == "7"
    assert (env["GOOS"], env["GOARCH"]) == ("linux", platform.arch.goarch)
    variant = VARIANTS.get(platform.arch_name)
    assert [
        value for name, value in env.items() if platform.arch.go_variant and name == platform.arch.go_variant[0]
    ] == ([variant] if variant else [])


def test_own_variables_come_beside_ours() -> None:
    assert with_own({"HOME": "/w"}, {"CGO_CFLAGS": "-O1"}) == (("CGO_CFLAGS", "-O1"), ("HOME", "/w"))


@pytest.mark.parametrize(
    ("name", "instead"), [("HOME", "take it out"), ("GOFLAGS", "build.go.tags"), ("CC", "build.go.cgo")]
)
def test_ours_are_protected(name: str, instead: str) -> None:
    with pytest.raises(ProtectedVariable) as caught:
        with_own(base_environment(GO, GOPATH_TREE, FOLDERS), {name: "x"})
    assert caught.value.name == name
    assert instead in str(caught.value.hint)


def test_build_of_a_module() -> None:
    call = GoCall(go=GO, tree=MODULE_TREE, env=(("A", "b"),), tags=("x", "y"), parallel=1)
    command = build_command(call, ("p/a", "p/b"), "-s", Path("/w/out"))
    assert command.argv == (
        *("/store/go/bin/go", "build", "-mod=readonly", "-tags=x,y", "-trimpath", "-buildvcs=false", "-p=1"),
        *("-ldflags=-s", "-o", "/w/out/", "p/a", "p/b"),
    )
    assert command.cwd == MODULE_TREE.folder
    assert command.env == (("A", "b"),)


def test_build_in_a_gopath_has_no_mod() -> None:
    call = GoCall(go=GO, tree=GOPATH_TREE, env=())
    assert not [
        word
        for word in build_command(call, ("p",), "", Path("/o")).argv
        if word.startswith(("-mod", "-p", "-t")) and word != "-trimpath"
    ]


def test_deps_are_listed_only_when_wanted() -> None:
    call = GoCall(go=GO, tree=GOPATH_TREE, env=())
    assert "Deps" not in list_command(call, ("p",), deps=False).argv[2]
    assert list_command(call, ("p",), deps=True).argv[2].endswith(",Deps")


def test_a_listing_goes_into_a_file() -> None:
    command = into_file(list_command(GoCall(go=GO, tree=GOPATH_TREE, env=()), ("p",), deps=False), Path("/w/list"))
    assert command.argv[:5] == ("/bin/sh", "-c", 'out=$1; shift; exec "$@" >"$out"', "sh", "/w/list")
    assert command.argv[5] == "/store/go/bin/go"


def test_linker_flags_are_ours_then_theirs() -> None:
    stamps = (Stamp("main", "V", "a b", "main.V"),)
    text = linker_flags(strip=True, cgo=("-linkmode", "external"), stamps=stamps, own=("-extldflags", "-z now"))
    assert text == "-s -w -buildid= -linkmode external -X 'main.V=a b' -extldflags '-z now'"
    assert linker_flags(strip=False, cgo=(), stamps=(), own=()) == "-buildid="


def test_telemetry_is_off(tmp_path: Path) -> None:
    folders = prepare_folders(make_workspace(tmp_path))
    assert (folders.home / ".config/go/telemetry/mode").read_text() == "off"
    assert folders.temporary.is_dir()


def zig_of(tmp_path: Path, platform: str, key: str = "k") -> Mapping[str, str]:
    need = make_need(tmp_path, StepKind.TOOLCHAIN, key=key)
    return zig_setup(need, "static", parse_platform(platform), make_workspace(tmp_path)).scripts


def test_zig_is_told_the_target(tmp_path: Path) -> None:
    (script,) = (text for name, text in zig_of(tmp_path, "arm64").items() if name.endswith("-cc"))
    assert script == (
        f'#!/bin/sh\nexec {tmp_path}/zig/zig cc -target aarch64-linux-musl -ffile-prefix-map={tmp_path}/zig=/zig "$@"\n'
    )
    (script,) = (text for name, text in zig_of(tmp_path, "arm/v6").items() if name.endswith("-cc"))
    assert "-target arm-linux-musleabihf -mcpu=arm1176jzf_s" in script


def test_the_compilers_name_changes_with_what_it_is_and_not_with_where(tmp_path: Path) -> None:
    one = zig_of(tmp_path / "a", "arm64")
    assert set(one) == set(zig_of(tmp_path / "b", "arm64"))
    assert set(one).isdisjoint(zig_of(tmp_path / "a", "arm64", key="other"))
    assert set(one).isdisjoint(zig_of(tmp_path / "a", "arm/v7"))


def test_the_compilers_name_changes_with_the_sysroot(tmp_path: Path) -> None:
    (tmp_path / "gcc").symlink_to("/usr/bin/aarch64-linux-gnu-gcc")
    compiler = make_need(tmp_path, StepKind.TOOLCHAIN, key="k")
    names = []
    for key in ("one", "two"):
        sysroot = make_need(tmp_path, StepKind.SYSROOT, key=key)
        setup = gcc_setup(compiler, sysroot, "dynamic", parse_platform("arm64"), tmp_path)
        names.append(setup.env["CC"])
        assert setup.env["PKG_CONFIG_SYSROOT_DIR"] == f"{tmp_path}/sysroot"
        assert (
            f"exec /usr/bin/aarch64-linux-gnu-g++ -isystem {tmp_path}/sysroot/usr/include"
            in setup.scripts[setup.env["CXX"]]
        )
    assert names[0] != names[1]


def test_a_whole_sysroot_is_one(tmp_path: Path) -> None:
    arm64 = parse_platform("arm64")
    assert "--sysroot" not in " ".join(sysroot_flags(tmp_path, arm64))
    crt = tmp_path / "usr/lib/aarch64-linux-gnu/crt1.o"
    crt.parent.mkdir(parents=True)
    crt.touch()
    assert sysroot_flags(tmp_path, arm64)[0] == f"--sysroot={tmp_path}"


def test_gcc_does_not_do_what_debian_has_no_port_for(tmp_path: Path) -> None:
    compiler = make_need(tmp_path, StepKind.TOOLCHAIN)
    with pytest.raises(NoCompilerFor, match="linux/arm/v6"):
        gcc_setup(compiler, None, "static", parse_platform("arm/v6"), tmp_path)


@pytest.mark.parametrize("tree", [GOPATH_TREE, MODULE_TREE], ids=["gopath", "module"])
def test_recipes_are_refused_what_the_step_sets(tree: Tree) -> None:
    names = {*base_environment(GO, tree, FOLDERS)}
    names |= {name for platform in PLATFORMS for name in target_environment(platform, {}, 7)}
    assert [name for name in sorted(names) if not is_protected(name)] == []
