"""The compile step with the real Go compiler: layouts, outputs, stamps, and what it refuses."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rearch.formats.elf import read_elf
from rearch.formats.elf_match import match_platform
from rearch.formats.tree import tree_digest
from rearch.model.platform import PLATFORMS, Platform, parse_platform
from rearch.steps.compile_errors import (
    BadPackage,
    CompileFailed,
    NotAProgram,
    ProtectedVariable,
    StampMissing,
    UnknownStamp,
    WrongGo,
)
from tests.support.compiling import PLACE, Bench, cold_caches, source_need
from tests.support.workspace import log_of

MAIN = 'package main\n\nvar VERSION = "dev"\n\nfunc main() { println(VERSION) }\n'
MOD = f"module {PLACE}\n\ngo 1.21\n"
GREET = 'package greet\n\nvar Greeting = "hello"\n\nfunc Say() { println(Greeting) }\n'
GREETER = """package main

import "example.org/greet"

var VERSION string

func main() { greet.Say(); println(VERSION) }
"""
VENDORED = {"vendor/modules.txt": "# example.org/greet v1.0.0\n## explicit\nexample.org/greet\n"}
GREET_MOD = MOD + "\nrequire example.org/greet v1.0.0\n"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def machine(path: Path) -> int:
    elf = read_elf(path)
    assert elf is not None
    return elf.machine


@pytest.mark.parametrize("platform", PLATFORMS, ids=lambda platform: platform.slug)
def test_every_platform_gets_its_own_static_binary(bench: Bench, platform: Platform) -> None:
    bench.compile({"main.go": MAIN}, platform=platform)
    elf = read_elf(bench.binary("tool"))
    assert elf is not None
    assert elf.static
    assert match_platform(elf, platform) == ()


def test_gopath_with_vendor(bench: Bench) -> None:
    outcome = bench.compile(
        {"main.go": GREETER, "vendor/example.org/greet/greet.go": GREET},
        stamps={"main.VERSION": "v1 of gopath", "example.org/greet.Greeting": "good day, gopath"},
    )
    assert outcome.facts["layout"] == "gopath"
    assert outcome.facts["stamps"] == {
        f"{PLACE}/vendor/example.org/greet.Greeting": "good day, gopath",
        "main.VERSION": "v1 of gopath",
    }
    data = bench.binary("tool").read_bytes()
    assert b"good day, gopath" in data
    assert b"v1 of gopath" in data


def test_godeps_workspace(bench: Bench) -> None:
    files = {"main.go": GREETER, "Godeps/_workspace/src/example.org/greet/greet.go": GREET}
    outcome = bench.compile(files, stamps={"example.org/greet.Greeting": "good day, godeps"})
    assert outcome.facts["layout"] == "gopath"
    assert b"good day, godeps" in bench.binary("tool").read_bytes()


def test_vendored_module_takes_the_gopath_spelling_of_a_stamp_too(bench: Bench) -> None:
    files = {"main.go": GREETER, "go.mod": GREET_MOD, "vendor/example.org/greet/greet.go": GREET, **VENDORED}
    outcome = bench.compile(files, stamps={f"{PLACE}/vendor/example.org/greet.Greeting": "good day, module"})
    assert outcome.facts["layout"] == "module"
    assert outcome.facts["stamps"] == {"example.org/greet.Greeting": "good day, module"}


def test_old_go_mod_with_vendor_uses_vendor(bench: Bench) -> None:
    mod = GREET_MOD.replace("go 1.21", "go 1.12")
    files = {"main.go": GREETER, "go.mod": mod, "vendor/example.org/greet/greet.go": GREET, **VENDORED}
    assert "-mod=vendor" in bench.compile(files).facts["commands"][0]["argv"]


def test_module_in_a_folder_beside_a_go_work(bench: Bench) -> None:
    files = {"go.work": "go 1.21\n\nuse ./nowhere\n", "sub/go.mod": MOD, "sub/cmd/tool/main.go": MAIN}
    outcome = bench.compile(files, directory="sub", binaries={"tool": "cmd/tool"})
    assert outcome.facts["packages"] == {"tool": f"{PLACE}/cmd/tool"}


def test_several_binaries_take_one_go_build(bench: Bench) -> None:
    files = {"go.mod": MOD, "a/main.go": MAIN, "b/main.go": MAIN}
    outcome = bench.compile(files, binaries={"one": "./a", "two": "./b", "again": "a"}, links={"three": "two"})
    assert len(outcome.facts["commands"]) == 1
    assert bench.binary("one").read_bytes() == bench.binary("again").read_bytes()
    assert bench.binary("three").readlink() == Path("two")
    assert sorted(path.name for path in bench.binary("x").parent.iterdir()) == ["again", "one", "three", "two"]


def test_packages_of_one_base_name_are_kept_apart(bench: Bench) -> None:
    other = MAIN.replace("dev", "the other one")
    files = {"go.mod": MOD, "a/cmd/main.go": MAIN, "b/cmd/main.go": other}
    outcome = bench.compile(files, binaries={"one": "./a/cmd", "two": "./b/cmd"})
    assert len(outcome.facts["commands"]) == 2
    assert b"the other one" in bench.binary("two").read_bytes()
    assert b"the other one" not in bench.binary("one").read_bytes()


def test_version_folder_is_named_after_its_parent(bench: Bench) -> None:
    files = {"go.mod": f"module {PLACE}/v2\n\ngo 1.21\n", "main.go": MAIN}
    bench.compile(files, binaries={"renamed": "."})
    assert bench.binary("renamed").is_file()


def test_two_places_give_the_same_bytes(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """One with the build cache of all test runs, whose packages were compiled elsewhere; one with that of this run."""
    files = {"main.go": MAIN, "go.mod": MOD}
    here = Bench(tmp_path / "here")
    there = Bench(tmp_path / "some/where/else", caches=cold_caches(tmp_path_factory))
    for bench in (here, there):
        bench.compile(files, stamps={"main.VERSION": "v1"}, strip=False)
    assert here.binary("tool").read_bytes() == there.binary("tool").read_bytes()
    assert str(tmp_path).encode() not in here.binary("tool").read_bytes()


def test_the_source_is_not_written_to(bench: Bench, tmp_path: Path) -> None:
    files = {"main.go": GREETER, "go.mod": GREET_MOD, "vendor/example.org/greet/greet.go": GREET, **VENDORED}
    need = source_need(tmp_path / "kept", files)
    before = tree_digest(need.files)
    for path in (need.files, *need.files.rglob("*")):
        path.chmod(path.stat().st_mode & 0o555)
    try:
        bench.compile(need)
    finally:
        for path in (need.files, *need.files.rglob("*")):
            if path.is_dir():
                path.chmod(0o755)
    assert tree_digest(need.files) == before


def test_nothing_of_the_callers_environment_enters(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"GOARCH": "386", "GOFLAGS": "-nonsense", "CGO_ENABLED": "1", "GOROOT": "/nowhere"}.items():
        monkeypatch.setenv(name, value)
    outcome = bench.compile({"main.go": MAIN})
    assert machine(bench.binary("tool")) == parse_platform("arm64").arch.elf_machine
    assert os.environ["HOME"] not in outcome.facts["commands"][0]["env"].values()


def test_strip_leaves_out_symbols(bench: Bench) -> None:
    bench.compile({"main.go": MAIN}, strip=False)
    whole = bench.binary("tool").stat().st_size
    bench.compile({"main.go": MAIN}, strip=True)
    assert bench.binary("tool").stat().st_size < whole * 0.8


def test_tags_choose_files(bench: Bench) -> None:
    tagged = "//go:build special\n\npackage main\n\nfunc init() { println(`a special one`) }\n"
    files = {"main.go": MAIN, "special.go": tagged}
    bench.compile(files, tags=("special", "other"))
    assert b"a special one" in bench.binary("tool").read_bytes()
    bench.compile(files)
    assert b"a special one" not in bench.binary("tool").read_bytes()


def test_a_stamp_with_spaces_in_ldflags(bench: Bench) -> None:
    bench.compile({"main.go": MAIN}, ldflags=("-X 'main.VERSION=built by hand'",))
    assert b"built by hand" in bench.binary("tool").read_bytes()


@pytest.mark.parametrize(
    ("stamp", "near"),
    [("main.Version", "main.VERSION"), ("main.NOTHING", None), ("example.org/gret.Greeting", "greet.Greeting")],
)
@pytest.mark.parametrize("how", ["stamps", "ldflags"])
def test_a_stamp_of_nothing_is_refused(bench: Bench, stamp: str, near: str | None, how: str) -> None:
    files = {"main.go": GREETER, "vendor/example.org/greet/greet.go": GREET}
    changes = {"stamps": {stamp: "v1"}} if how == "stamps" else {"ldflags": (f"-X {stamp}=v1",)}
    with pytest.raises(UnknownStamp) as caught:
        bench.compile(files, **changes)
    assert stamp in caught.value.summary
    if near:
        assert near in str(caught.value.hint)


def test_a_stamp_in_ldflags_under_another_layouts_path_is_refused(bench: Bench) -> None:
    files = {"main.go": GREETER, "vendor/example.org/greet/greet.go": GREET}
    with pytest.raises(UnknownStamp) as caught:
        bench.compile(files, ldflags=("-X example.org/greet.Greeting=x",))
    assert caught.value.near == (f"{PLACE}/vendor/example.org/greet.Greeting",)


def test_a_stamp_of_the_programs_own_path_says_main(bench: Bench) -> None:
    with pytest.raises(UnknownStamp) as caught:
        bench.compile({"main.go": MAIN}, stamps={f"{PLACE}.VERSION": "v1"})
    assert caught.value.near == ("main.VERSION",)


@pytest.mark.parametrize("declared", ['const VERSION = "x"', "var VERSION = len(`x`)", "var VERSION = []string{}"])
def test_a_stamp_that_cannot_be_set_is_refused(bench: Bench, declared: str) -> None:
    with pytest.raises(UnknownStamp, match="cannot be stamped"):
        bench.compile(
            {"main.go": f"package main\n\n{declared}\n\nfunc main() {{ println(VERSION) }}\n"},
            stamps={"main.VERSION": "v1"},
        )


def test_a_stamp_that_the_linker_drops_is_found(bench: Bench) -> None:
    unread = "package main\n\nvar VERSION string\n\nfunc main() { println(`hello`) }\n"
    with pytest.raises(StampMissing) as caught:
        bench.compile({"main.go": unread}, stamps={"main.VERSION": "v1.2.3-of-nobody"})
    assert caught.value.binaries == ("tool",)


def test_requires_is_checked_before_anything_runs(bench: Bench) -> None:
    with pytest.raises(WrongGo) as caught:
        bench.compile({"main.go": "no go at all"}, requires=">=1.9, <1.25")
    assert caught.value.fitting[0] == "go-1.24"
    assert "go-1.24" in str(caught.value.hint)
    assert bench.work is not None
    assert log_of(bench.work) == ""


def test_a_newer_go_mod_is_the_same_kind_of_error(bench: Bench) -> None:
    with pytest.raises(WrongGo, match=r"go\.mod wants >=1\.99"):
        bench.compile({"main.go": MAIN, "go.mod": MOD.replace("1.21", "1.99")})


def test_a_newer_toolchain_line_is_a_remark(bench: Bench) -> None:
    bench.compile({"main.go": MAIN, "go.mod": MOD + "\ntoolchain go1.99.1\n"})
    assert bench.work is not None
    assert "would like Go 1.99.1" in log_of(bench.work)


def test_what_the_compiler_says_is_in_the_error(bench: Bench) -> None:
    with pytest.raises(CompileFailed) as caught:
        bench.compile({"main.go": "package main\n\nfunc main() { undefinedThing() }\n"})
    assert any("main.go:3:15: undefined: undefinedThing" in line for line in caught.value.details)
    assert "go build" in caught.value.summary


def test_a_known_ill_gives_a_hint(bench: Bench) -> None:
    with pytest.raises(CompileFailed) as caught:
        bench.compile({"main.go": MAIN}, ldflags=("-linkmode external -extldflags -static",))
    assert "build.go.ldflags" in str(caught.value.hint)


def test_a_missing_package_says_so(bench: Bench) -> None:
    with pytest.raises(CompileFailed) as caught:
        bench.compile({"main.go": GREETER})
    assert "example.org/greet" in "\n".join(caught.value.details)


def test_a_library_is_no_binary(bench: Bench) -> None:
    with pytest.raises(NotAProgram, match="package greet, not main"):
        bench.compile({"main.go": GREET})


@pytest.mark.parametrize("package", ["./...", "-x", "/abs", "../other", "main.go", "a\nb"])
def test_packages_that_are_none_are_refused(bench: Bench, package: str) -> None:
    with pytest.raises((BadPackage, CompileFailed)):
        bench.compile({"main.go": MAIN}, binaries={"tool": package})


@pytest.mark.parametrize("name", ["GOARCH", "GOARM64", "PATH", "CC", "GOFLAGS", "ZIG_LIB_DIR", "GOCACHE", "LD_PRELOAD"])
def test_protected_variables(bench: Bench, name: str) -> None:
    with pytest.raises(ProtectedVariable, match=name):
        bench.compile({"main.go": MAIN}, env={name: "x"})


def test_own_variables_reach_the_compiler(bench: Bench) -> None:
    outcome = bench.compile({"main.go": MAIN}, env={"GOEXPERIMENT": "none"})
    assert outcome.facts["commands"][0]["env"]["GOEXPERIMENT"] == "none"
