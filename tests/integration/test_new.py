"""`rearch new` on real repositories: the recipes that it writes build, and the binaries are what they should be."""

from __future__ import annotations

from pathlib import Path

import pytest

from rearch.app.prepare import load, prepare
from rearch.app.request import Request
from rearch.app.wiring import Adapters
from rearch.engine.store import Store
from rearch.formats.elf import match_platform
from rearch.model.frozen import FrozenDict
from rearch.model.platform import parse_platform
from rearch.model.step import Result, StepKind, ToolchainInputs
from rearch.planning.keys import keys_of
from rearch.report import silent
from rearch.steps.ports import Need
from tests.integration.test_compile_cgo import zig  # noqa: F401
from tests.support import upstream_shapes
from tests.support.binaries import elf_of, start
from tests.support.cli import Cli
from tests.support.compiling import compiler_caches
from tests.support.go_project import GIT_HOST, copy_toolchains, write_file
from tests.support.needs import need_program
from tests.support.repositories import Content, empty_repository, make_repository
from tests.support.warm_cache import warm_cache

ARM64 = parse_platform("arm64")
_STACK = "name: mine\nsummary: Programs for tests\nplatforms: [linux/arm64]\n"


def project(base: Path, files: dict[str, Content], name: str, *toolchains: str, stack: str = _STACK) -> Cli:
    """A project with toolchains and, perhaps, an empty stack; the repository lies behind GIT_HOST."""
    root = base / "project"
    repository = make_repository(base / "upstreams" / name, files, tag="v0.9.0")
    repository.tag("v0.10.0")
    repository.tag("v1.0.0-rc1")
    copy_toolchains(root)
    if stack:
        write_file(root / "recipes/mine/stack.yaml", stack)
    (root / "recipes").mkdir(exist_ok=True)
    write_file(root / "rearch.yaml", f"mirrors: {{{GIT_HOST}: 'file://{base / 'upstreams'}'}}\n")
    return Cli(root, warm_cache(base / "cache", *toolchains))


def binary(rearch: Cli, component: str, name: str) -> Path:
    return rearch.binaries / "linux/arm64" / component / name


def test_a_module(tmp_path: Path) -> None:
    rearch = project(tmp_path, upstream_shapes.module(), "twins", stack="")
    done = rearch.run("new", f"{GIT_HOST}/twins", "--stack", "fresh")
    assert done.out.splitlines() == ["recipes/fresh/twins.yaml", "recipes/fresh/stack.yaml", "rearch.lock"]
    text = (rearch.project / "recipes/fresh/twins.yaml").read_text()
    assert "version: v0.10.0\n" in text
    assert "summary: Two programs that say hello to each other\n" in text
    assert "./tools/gen" in text
    rearch.run("build", "--arch", "arm64", "--locked")
    for name in ("left", "right"):
        assert match_platform(elf_of(binary(rearch, "twins", name)), ARM64) == ()
    assert start(binary(rearch, "twins", "right"), ARM64).text == "v0.10.0\n"


def test_a_gopath(tmp_path: Path) -> None:
    """Vendored with godep; its stamps are those that there are variables for."""
    rearch = project(tmp_path, upstream_shapes.vendored(), "porter", "go-1.21")
    done = rearch.run("new", f"{GIT_HOST}/porter")
    assert "doubtful: scripts/build:2 stamps main.GONE, but . has no variable GONE." in done.err
    text = (rearch.project / "recipes/mine/porter.yaml").read_text()
    assert "import_path: example.org/team/porter\n" in text
    assert "Go 1.6.2 (.travis.yml:4)" in text
    rearch.run("build", "--arch", "arm64")
    commit = (tmp_path / "upstreams/porter/refs/tags/v0.10.0").read_text().strip()
    assert start(binary(rearch, "porter", "porter"), ARM64).text == f"porter\nv0.10.0\n{commit}\n"


def test_dapper(tmp_path: Path) -> None:
    rearch = project(tmp_path, upstream_shapes.dapper(), "keeper", "go-1.21")
    rearch.run("new", f"{GIT_HOST}/keeper", "--no-image", "--ref", "v0.9.0")
    text = (rearch.project / "recipes/mine/keeper.yaml").read_text()
    assert "version: v0.9.0\n" in text
    assert "arm (Dockerfile.dapper:2: FROM armhf/ubuntu:16.04)" in text
    assert "Go 1.9.4 (Dockerfile.dapper:6)" in text
    rearch.run("build", "--arch", "arm64")
    assert start(binary(rearch, "keeper", "keeper"), ARM64, "--version").text == "v0.9.0\n"


def test_c_code(tmp_path: Path) -> None:
    """With gcc as the only C toolchain of the project, since zig's libc takes minutes to build."""
    need_program("aarch64-linux-gnu-gcc", "gcc-aarch64-linux-gnu")
    rearch = project(tmp_path, upstream_shapes.with_c(), "mixed")
    (rearch.project / "toolchains/zig-0.15.yaml").unlink()
    rearch.run("new", f"{GIT_HOST}/mixed")
    rearch.run("build", "--arch", "arm64")
    elf = elf_of(binary(rearch, "mixed", "mixed"))
    assert match_platform(elf, ARM64) == ()
    assert not elf.static


def test_c_code_by_zig(tmp_path: Path, zig: Need) -> None:  # noqa: F811
    """The project has both C toolchains; a program without C libraries gets zig's static one, and starts anywhere."""
    rearch = project(tmp_path, upstream_shapes.with_c(), "mixed")
    rearch.run("new", f"{GIT_HOST}/mixed")
    text = (rearch.project / "recipes/mine/mixed.yaml").read_text()
    assert "    cgo:\n      toolchain: zig-0.15\n" in text
    _keep_zig(rearch, zig)
    rearch.run("build", "--arch", "arm64", "--locked")
    made = binary(rearch, "mixed", "mixed")
    elf = elf_of(made)
    assert match_platform(elf, ARM64) == ()
    assert elf.static
    assert start(made, ARM64).text == "42\n"


def _keep_zig(rearch: Cli, zig: Need) -> None:  # noqa: F811
    """The toolchain step's result as the tests keep it, at its place, with its cache: musl takes minutes to build."""
    request = Request(project=rearch.project, environment={"REARCH_CACHE": str(rearch.cache)})
    checked = load(request)
    steps = prepare(request, checked, Adapters(request, checked.settings, silent), silent).steps
    step = next(one for one in steps if isinstance(one.inputs, ToolchainInputs) and one.inputs.kind == "zig")
    key = keys_of(steps)[step.id]
    scratch = rearch.cache / "zig-made"
    (scratch / "files").mkdir(parents=True)
    (scratch / "files/zig").symlink_to(zig.files / "zig")
    result = Result(key=key, kind=StepKind.TOOLCHAIN, artifacts=(), facts=FrozenDict({"version": "kept", "system": ""}))
    Store(rearch.cache).commit(result, {}, scratch)
    kept = compiler_caches() / "zig" / zig.result.key
    kept.mkdir(parents=True, exist_ok=True)
    (rearch.cache / "zig").mkdir()
    (rearch.cache / "zig" / key).symlink_to(kept)


def test_a_workspace(tmp_path: Path) -> None:
    """The build does not read go.work, so that go.mod has to say what it joins: the recipe edits it."""
    rearch = project(tmp_path, upstream_shapes.workspace(), "joined")
    done = rearch.run("new", f"{GIT_HOST}/joined")
    assert "go.mod does not require example.org/team/words" in done.err
    rearch.run("build", "--arch", "arm64", "--locked")
    assert start(binary(rearch, "joined", "app"), ARM64).text == "joined\n"


def test_a_vendored_workspace(tmp_path: Path) -> None:
    """All its programs in one build, though there is no go.mod at the root."""
    rearch = project(tmp_path, upstream_shapes.vendored_workspace(), "joined")
    rearch.run("new", f"{GIT_HOST}/joined")
    rearch.run("build", "--arch", "arm64", "--locked")
    assert start(binary(rearch, "joined", "one"), ARM64).text == "one joined\n"
    assert start(binary(rearch, "joined", "two"), ARM64).text == "two\n"


def test_repositories_that_cannot_be_read(tmp_path: Path) -> None:
    """Nothing there, nothing in it, a name that no component can have: each is said, and nothing is left."""
    rearch = project(tmp_path, upstream_shapes.module(), "twins")
    empty_repository(tmp_path / "upstreams/bare")
    write_file(tmp_path / "upstreams/plain/main.go", "package main\n")
    before = sorted(rearch.project.rglob("*"))
    assert "has no branch and no tag" in rearch.run("new", f"{GIT_HOST}/bare", code=2).err
    assert "nothing" in rearch.run("new", f"{GIT_HOST}/nothing", code=None).err
    assert rearch.run("new", f"{GIT_HOST}/plain", code=None).code in (1, 2)
    assert "--name NAME" in rearch.run("new", "https://git.example.org/..", code=2).err
    assert "--stack ../x: a name" in rearch.run("new", f"{GIT_HOST}/twins", "--stack", "../x", code=2).err
    assert rearch.run("new", "nonsense", code=2).err.count("\n") <= 3
    assert "v9" in rearch.run("new", f"{GIT_HOST}/twins", "--ref", "v9", code=None).err
    assert sorted(rearch.project.rglob("*")) == before


def test_the_default_branch_need_not_be_main(tmp_path: Path) -> None:
    rearch = project(tmp_path, {}, "none")
    upstream = make_repository(tmp_path / "upstreams/trunk", upstream_shapes.module(), tag="nightly", branch="trunk")
    commit = upstream.head
    text = rearch.run("new", f"{GIT_HOST}/trunk", "--print").out
    assert f"ref: {commit}" in text.replace('"', "")


def test_print_writes_nothing(tmp_path: Path) -> None:
    rearch = project(tmp_path, upstream_shapes.dapper(), "keeper")
    before = sorted(rearch.project.rglob("*"))
    done = rearch.run("new", f"{GIT_HOST}/keeper", "--print")
    assert "template: debian-service" in done.out
    assert 'entrypoint: [/usr/bin/tini, "--"]' in done.out
    assert sorted(rearch.project.rglob("*")) == before


def test_what_is_there_stays(tmp_path: Path) -> None:
    rearch = project(tmp_path, upstream_shapes.module(), "twins")
    mine = write_file(rearch.project / "recipes/mine/twins.yaml", "# mine\n")
    done = rearch.run("new", f"{GIT_HOST}/twins", code=2)
    assert "recipes/mine/twins.yaml is there already" in done.err
    assert mine.read_text() == "# mine\n"
    rearch.run("new", f"{GIT_HOST}/twins", "--force")
    assert mine.read_text().startswith("# yaml-language-server:")


def test_a_listed_stack_lists_it(tmp_path: Path) -> None:
    stack = _STACK + "recipes: []   # in this order\n"
    rearch = project(tmp_path, upstream_shapes.module(), "twins", stack=stack)
    rearch.run("new", f"{GIT_HOST}/twins")
    assert (rearch.project / "recipes/mine/stack.yaml").read_text().endswith("recipes: [twins]   # in this order\n")


@pytest.mark.parametrize("ref", ["main", ""])
def test_a_branch_becomes_a_commit(tmp_path: Path, ref: str) -> None:
    rearch = project(tmp_path, upstream_shapes.module(), "twins")
    upstream = tmp_path / "upstreams/twins"
    for tag in (upstream / "refs/tags").iterdir():
        tag.unlink()
    head = (upstream / "refs/heads/main").read_text().strip()
    rearch.run("new", f"{GIT_HOST}/twins", *(("--ref", ref) if ref else ()))
    text = (rearch.project / "recipes/mine/twins.yaml").read_text()
    assert f"version: 0-{head[:12]}\n" in text.replace('"', "")
    assert f"ref: {head}" in text.replace('"', "")


def test_failure_leaves_nothing(tmp_path: Path) -> None:
    """A stack that cannot be read with the new recipe: the name is in another stack already."""
    rearch = project(tmp_path, upstream_shapes.module(), "twins")
    write_file(rearch.project / "recipes/other/stack.yaml", _STACK.replace("mine", "other"))
    write_file(rearch.project / "recipes/other/broken.yaml", "name: broken\n")
    done = rearch.run("new", f"{GIT_HOST}/twins", "--stack", "other", code=2)
    assert "was taken away again" in done.err
    assert not (rearch.project / "recipes/other/twins.yaml").exists()
    assert not (rearch.project / "rearch.lock").exists()


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"go.mod": "module example.org/lib\n", "lib.go": "package lib\n"}, "there is no Go program in it"),
        ({}, "no Go program"),
    ],
)
def test_no_program(tmp_path: Path, files: dict[str, Content], said: str) -> None:
    rearch = project(tmp_path, files or {"setup.py": "pass\n"}, "lib")
    assert said in rearch.run("new", f"{GIT_HOST}/lib", code=2).err
