"""Layouts, packages, versions and stamps of a compile, without a compiler."""

from __future__ import annotations

from pathlib import Path

import pytest

from rearch.model.step import ModulesInputs, StepKind
from rearch.steps.compile_errors import (
    BadOutput,
    BadPackage,
    BadRequires,
    NotAProgram,
    StampMissing,
    TreeNotFound,
    UnexpectedOutputs,
    UnknownStamp,
    WrongGo,
    first_lines,
)
from rearch.steps.compile_flags import read_stamp
from rearch.steps.compile_outputs import add_links, take_outputs
from rearch.steps.compile_packages import Package, Program, batches, package_arguments, programs, read_listing
from rearch.steps.compile_stamps import check_stamped, check_variable, holds, resolve
from rearch.steps.compile_tree import Tree, find_source, go_lines
from rearch.steps.compile_version import SHIPPED, check_go_mod, check_range, fits, fitting
from tests.support.compiling import source_need, write_tree
from tests.support.workspace import make_need

TOOLCHAINS = Path(__file__).parents[3] / "toolchains"


def tree_of(base: Path, *files: str, directory: str = ".", layout: str | None = None) -> Tree:
    need = source_need(base, dict.fromkeys(files, "x"), "example.org/tool")
    inputs = ModulesInputs(place="example.org/tool", directory=directory, proxy="", sumdb="")
    return find_source(need, inputs, layout)


def test_no_go_mod_is_a_gopath(tmp_path: Path) -> None:
    tree = tree_of(tmp_path, "main.go")
    assert (tree.layout, tree.mod, tree.import_path) == ("gopath", None, "example.org/tool")
    assert tree.gopath == (tmp_path / "gopath",)


def test_a_godeps_workspace_comes_first(tmp_path: Path) -> None:
    tree = tree_of(tmp_path, "Godeps/_workspace/src/a/a.go")
    assert tree.gopath == (tree.folder / "Godeps/_workspace", tmp_path / "gopath")


@pytest.mark.parametrize(
    ("files", "mod"),
    [
        (("go.mod",), "readonly"),
        (("go.mod", "vendor/modules.txt"), "vendor"),
        (("go.mod", "vendor/a/a.go"), "readonly"),
    ],
)
def test_modules(tmp_path: Path, files: tuple[str, ...], mod: str) -> None:
    assert tree_of(tmp_path, *files).mod == mod


def test_what_the_recipe_says_wins(tmp_path: Path) -> None:
    assert tree_of(tmp_path, "go.mod", layout="gopath").layout == "gopath"


def test_what_the_patch_step_found_is_used(tmp_path: Path) -> None:
    source_need(tmp_path, {"main.go": "x"}, "example.org/tool")
    need = make_need(tmp_path, StepKind.PATCH, facts={"layout": "module"})
    inputs = ModulesInputs(place="example.org/tool", directory=".", proxy="", sumdb="")
    assert find_source(need, inputs).layout == "module"


def test_a_sub_folder_has_its_own_layout(tmp_path: Path) -> None:
    tree = tree_of(tmp_path, "main.go", "sub/go.mod", directory="sub")
    assert tree.layout == "module"
    assert tree.folder.name == "sub"


def test_a_missing_sub_folder_names_what_is_there(tmp_path: Path) -> None:
    with pytest.raises(TreeNotFound) as caught:
        tree_of(tmp_path, "cmd/main.go", "README", directory="sub")
    assert caught.value.details == ("the source holds README, cmd",)


@pytest.mark.parametrize(("first", "used"), [("## workspace\n", True), ("# a v1\n", False)])
def test_a_go_work_counts_only_when_it_is_vendored(tmp_path: Path, first: str, used: bool) -> None:
    need = source_need(tmp_path, {"go.mod": "x", "go.work": "x", "vendor/modules.txt": first}, "p")
    tree = find_source(need, ModulesInputs(place="p", directory=".", proxy="", sumdb=""))
    assert (tree.workspace is not None) is used


def test_go_lines() -> None:
    assert go_lines("module m\n\ngo 1.21 // why\n\ntoolchain go1.24.1\n// go 1.99\n") == {
        "go": "1.21",
        "toolchain": "1.24.1",
    }


def test_the_shipped_versions_are_the_files() -> None:
    found = {}
    for path in TOOLCHAINS.glob("go-1.*.yaml"):
        found[path.stem] = path.read_text().partition('version: "')[2].partition('"')[0]
    assert found == SHIPPED


@pytest.mark.parametrize(
    ("version", "requires", "fit"),
    [
        ("1.24.11", ">=1.9, <1.25", True),
        ("1.25.0", ">=1.9, <1.25", False),
        ("1.27.3", ">=1.9,<1.25", False),
        ("1.21.13", "~=1.21", True),
        ("1.24.1", "==1.24.*", True),
        ("1.28rc1", ">=1.21", True),
        ("devel-x", ">=1.21", True),
    ],
)
def test_ranges(version: str, requires: str, fit: bool) -> None:
    assert fits(version, requires) is fit


def test_the_error_names_a_toolchain_that_fits() -> None:
    with pytest.raises(WrongGo) as caught:
        check_range("1.27.3", ">=1.9, <1.25")
    assert caught.value.fitting == fitting("<1.25") == ("go-1.24", "go-1.23", "go-1.22", "go-1.21")
    assert caught.value.hint == "set `build.toolchain: go-1.24`"
    check_range("1.27.3", None)


def test_a_range_that_nothing_shipped_fits() -> None:
    with pytest.raises(WrongGo) as caught:
        check_range("1.27.3", "<1.5")
    assert caught.value.fitting == ()
    assert "toolchains/" in str(caught.value.hint)


def test_a_range_that_is_none() -> None:
    with pytest.raises(BadRequires):
        check_range("1.27.3", "newer than 1.9")


def test_go_mod_wants_newer(tmp_path: Path) -> None:
    (tmp_path / "go.mod").write_text("module m\n\ngo 1.25.1\n")
    with pytest.raises(WrongGo, match=r"go\.mod"):
        check_go_mod("1.24.11", tmp_path)
    assert check_go_mod("1.25.5", tmp_path) is None


def test_no_go_mod_asks_for_nothing(tmp_path: Path) -> None:
    assert check_go_mod("1.9", tmp_path) is None


def package(path: str, name: str = "main", output: str | None = None, deps: tuple[str, ...] = ()) -> Package:
    return Package(
        import_path=path,
        name=name,
        folder=Path("/m") / path,
        output=output or path.rpartition("/")[2],
        sources=(),
        deps=frozenset(deps),
    )


GOPATH = Tree(layout="gopath", folder=Path("/g/src/p"), import_path="p", gopath=(Path("/g"),))


@pytest.mark.parametrize(
    ("written", "argument"),
    [(".", "p"), ("./", "p"), ("cmd/x", "p/cmd/x"), ("./cmd/x", "p/cmd/x"), ("p/cmd/x", "p/cmd/x")],
)
def test_packages_of_a_gopath_are_whole_import_paths(written: str, argument: str) -> None:
    assert package_arguments({"tool": written}, GOPATH) == {"tool": argument}


@pytest.mark.parametrize(
    ("written", "argument"), [(".", "./."), ("cmd/x", "./cmd/x"), ("./cmd/x", "./cmd/x"), ("q/cmd/x", "q/cmd/x")]
)
def test_packages_of_a_module(tmp_path: Path, written: str, argument: str) -> None:
    (tmp_path / "cmd/x").mkdir(parents=True)
    tree = Tree(layout="module", folder=tmp_path, import_path="p", gopath=(), mod="readonly")
    assert package_arguments({"tool": written}, tree) == {"tool": argument}


@pytest.mark.parametrize("written", ["-x", "/abs", "../up", "a/../../up", "./...", "main.go"])
def test_bad_packages(written: str) -> None:
    with pytest.raises(BadPackage):
        package_arguments({"tool": written}, GOPATH)


@pytest.mark.parametrize("name", ["", "a/b", "..", "-x", "a\0b", "a\nb"])
def test_bad_names(name: str) -> None:
    with pytest.raises(BadOutput):
        package_arguments({name: "."}, GOPATH)


def test_one_package_under_two_names_is_one_program() -> None:
    found = programs({"b": "p/x", "a": "p/x", "c": "p/y"}, (package("p/x"), package("p/y")), GOPATH)
    assert [program.names for program in found] == [("a", "b"), ("c",)]
    assert len(batches(found)) == 1


def test_equal_base_names_are_built_apart() -> None:
    made = batches(tuple(Program(package=package(path), names=(path,)) for path in ("a/x", "b/x", "c/y", "d/x")))
    assert [[program.package.import_path for program in batch] for batch in made] == [["a/x", "c/y"], ["b/x"], ["d/x"]]


def test_a_library_is_no_program() -> None:
    with pytest.raises(NotAProgram, match="package lib"):
        programs({"a": "p/x"}, (package("p/x", name="lib"),), GOPATH)


def test_a_package_that_go_did_not_list() -> None:
    with pytest.raises(BadPackage):
        programs({"a": "p/z"}, (package("p/x"),), GOPATH)


def test_read_listing() -> None:
    text = (
        '{"ImportPath": "p/v2", "Name": "main", "Dir": "/m", "Target": "/g/bin/p", "GoFiles": ["a.go"]}\n{"ImportPath"'
    )
    text += ': "q", "Dir": "/q", "CgoFiles": ["c.go"], "Deps": ["x"]}\n'
    first, second = read_listing(text)
    assert (first.output, first.sources) == ("p", (Path("/m/a.go"),))
    assert (second.output, second.sources, second.deps) == ("q", (Path("/q/c.go"),), frozenset({"x"}))


def one(path: str, *deps: str) -> tuple[Program, ...]:
    return (Program(package=package(path, deps=deps), names=("tool",)),)


@pytest.mark.parametrize("written", ["q/v", "p/vendor/q/v"])
def test_stamps_find_their_package_in_both_layouts(written: str) -> None:
    stamp = read_stamp(f"{written}.V", "1")
    assert resolve(stamp, one("p", "p/vendor/q/v")).package == "p/vendor/q/v"
    assert resolve(stamp, one("p", "q/v")).package == "q/v"


def test_a_package_that_nothing_links() -> None:
    with pytest.raises(UnknownStamp) as caught:
        resolve(read_stamp("example.org/verion.V", "1"), one("p", "p/vendor/example.org/version", "fmt"))
    assert caught.value.near == ("p/vendor/example.org/version.V",)


def test_variables_are_looked_up_in_the_files_that_are_built(tmp_path: Path) -> None:
    write_tree(tmp_path, {"a.go": "package main\nvar Version string\n", "b.go": "package main\nvar Other string\n"})
    built = Package(
        import_path="p", name="main", folder=tmp_path, output="p", sources=(tmp_path / "a.go",), deps=frozenset()
    )
    check_variable(read_stamp("main.Version", "1"), built)
    with pytest.raises(UnknownStamp, match="has no variable Other"):
        check_variable(read_stamp("main.Other", "1"), built)
    with pytest.raises(UnknownStamp) as caught:
        check_variable(read_stamp("main.VERSION", "1"), built)
    assert caught.value.near == ("main.Version",)


def test_texts_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"..v1.2..")
    assert holds(path, b"v1.2")
    assert not holds(path, b"v1.3")
    assert holds(path, b"")
    path.write_bytes(b"")
    assert not holds(path, b"v")


def test_a_stamp_counts_only_for_binaries_that_hold_its_package(tmp_path: Path) -> None:
    holds_it, without, other = (
        Program(package=package(name, deps=deps), names=(name,))
        for name, deps in (("a", ("q",)), ("b", ("q",)), ("c", ()))
    )
    write_tree(tmp_path, {"a": "..v1..", "b": "nothing", "c": "nothing"})
    stamp = read_stamp("q.V", "v1")
    assert check_stamped(stamp, (holds_it, without, other), tmp_path) == ("b",)
    with pytest.raises(StampMissing) as caught:
        check_stamped(stamp, (without, other), tmp_path)
    assert caught.value.binaries == ("b",)


def test_outputs_that_nobody_asked_for(tmp_path: Path) -> None:
    out, binaries = tmp_path / "out", tmp_path / "bin"
    write_tree(out, {"other": "x"})
    binaries.mkdir()
    with pytest.raises(UnexpectedOutputs) as caught:
        take_outputs(one("p"), out, binaries)
    assert (caught.value.missing, caught.value.unexpected) == (("p",), ("other",))


def test_links_are_names(tmp_path: Path) -> None:
    add_links({"b": "a"}, tmp_path)
    assert (tmp_path / "b").readlink() == Path("a")
    for links in ({"../x": "a"}, {"c": "../../etc/passwd"}):
        with pytest.raises(BadOutput):
            add_links(links, tmp_path)


def test_the_first_lines_of_a_long_output() -> None:
    lines = first_lines("\n".join(f"line {number}" for number in range(50)))
    assert lines[0] == "line 0"
    assert lines[-1] == "... and 30 more lines in the log"
    assert len(lines) == 21
