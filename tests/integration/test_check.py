"""`rearch check`: each rule finds what it is for, at its place; comments silence; the project's own recipes pass."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rearch.app.check import check
from rearch.app.request import Request
from rearch.upkeep.lint_values import Severity
from tests.support.cli import ROOT, Cli
from tests.support.go_project import make_go_project, write_file

RECIPE = """\
name: hello
summary: Says good day to whoever asks
version: v1.0.0
source: {path: src/hello}
build:
  go:
    binaries: {hello: .}
smoke:
  - {run: [hello], expect: hello}
"""
STACK = """\
name: demo
summary: Programs for tests
platforms: [linux/arm64]
defaults:
  build: {toolchain: go-1.27}
"""
IMAGE = "image:\n  repository: hello\n  smoke: [{run: [/hello]}]\n  files: [{binary: hello, to: /}]\n"


def clean(base: Path) -> Cli:
    """A project that has nothing to find: one recipe, one toolchain."""
    root = make_go_project(base / "project")
    for path in (root / "toolchains").iterdir():
        if path.name != "go-1.27.yaml":
            path.unlink()
    write_file(root / "recipes/demo/hello.yaml", RECIPE)
    write_file(root / "recipes/demo/stack.yaml", STACK)
    return Cli(root, base / "cache")


def found(rearch: Cli, *, errors: int = 0) -> list[tuple[str, str, int]]:
    """Rule, file and line of every finding, of which so many are errors. In this process: starting one takes longer."""
    checked = check(Request(project=rearch.project, environment={"REARCH_CACHE": str(rearch.cache)}))
    assert checked.count(Severity.ERROR) == errors
    return [(one.rule, one.place.file, one.place.line) for one in checked.findings]


def test_nothing_to_find(tmp_path: Path) -> None:
    rearch = clean(tmp_path)
    done = rearch.run("check", "--strict")
    assert done.out == ""
    assert done.err == "0 errors, 0 warnings\n"


def test_the_command(tmp_path: Path) -> None:
    rearch = clean(tmp_path)
    write_file(rearch.project / HELLO, RECIPE + "patch: {fuzz: 1}\n")
    done = rearch.run("check", "--strict", code=1)
    assert done.out.splitlines() == [
        f"{HELLO}:10:9: warning: patches may be put 1 lines off what they say [fuzz]",
        "    why: a patch can land in the wrong place and still compile",
        "    do: refresh the patches, then remove `fuzz`",
    ]
    assert done.err == "0 errors, 1 warning\n"


HELLO, STACK_FILE = "recipes/demo/hello.yaml", "recipes/demo/stack.yaml"


@pytest.mark.parametrize(
    ("file", "text", "wanted", "code"),
    [
        (HELLO, RECIPE.replace("{path: src/hello}", "{git: https://example.org/x, ref: main}"),
         [("branch", HELLO, 4), ("unlocked", HELLO, 4)], 1),
        (HELLO, RECIPE.replace("{path: src/hello}", "{git: https://example.org/x, ref: 3fa85f6}"),
         [("short-commit", HELLO, 4), ("unlocked", HELLO, 4)], 0),
        (HELLO, RECIPE.replace("{path: src/hello}", "{archive: 'http://example.org/x.tgz', sha256: " + "a" * 64 + "}"),
         [("plain-http", HELLO, 4)], 0),
        (HELLO, RECIPE + "vars: {used: a, vain: b}\nfixes: []\n",
         [("unused-var", HELLO, 10), ("unused-var", HELLO, 10)], 0),
        (HELLO, RECIPE.replace("Says good day to whoever asks", "hello"), [("poor-summary", HELLO, 2)], 0),
        (HELLO, RECIPE.replace("smoke:\n  - {run: [hello], expect: hello}\n", ""), [("no-smoke", HELLO, 7)], 0),
        (HELLO, RECIPE.replace("expect: hello", "expect: 'a*'"), [("empty-expect", HELLO, 9)], 1),
        (HELLO, RECIPE + "patch: {fuzz: 1}\n", [("fuzz", HELLO, 10)], 0),
        (HELLO, RECIPE + "verify: {glibc: '2.28'}\n", [("needless-allowance", HELLO, 10)], 0),
        (HELLO, RECIPE + "verify: {link: any}\n", [("needless-allowance", HELLO, 10)], 0),
        (HELLO, RECIPE + "platforms: {arm/v7: {verify: {link: static}}}\n", [("unreachable-override", HELLO, 10)], 0),
        (HELLO, RECIPE.replace("build:\n", "build:\n  toolchain: go-1.27\n"),
         [("same-value", HELLO, 6), ("shadowed-default", STACK_FILE, 5)], 0),
        (HELLO, RECIPE + "edits:\n  - {file: a.go, pattern: '30', replace: '60', why: x}\n"
         "  - {file: a.go, pattern: '30', replace: '90', why: y}\n", [("dead-edit", HELLO, 12)], 1),
        (HELLO, RECIPE + "edits:\n  - {file: a.go, pattern: 'x*', replace: '60', why: x}\n",
         [("empty-pattern", HELLO, 11)], 1),
        (HELLO, RECIPE + IMAGE.replace("  smoke: [{run: [/hello]}]\n", ""), [("no-image-smoke", HELLO, 10)], 0),
        (HELLO, RECIPE + IMAGE + "  audit: [{path: '/usr/**', reason: x}]\n", [("wide-allowance", HELLO, 14)], 1),
        (HELLO, RECIPE + IMAGE + "  base: {registry: docker.io/library/debian}\n",
         [("floating-base", HELLO, 14), ("unlocked", HELLO, 14)], 0),
        (STACK_FILE, STACK + "recipes: []\n", None, 0),
        ("recipes/demo/files/forgotten.sh", "echo\n", [("unused-file", "recipes/demo/files/forgotten.sh", 0)], 0),
        ("toolchains/other.yaml", "name: other\nkind: gcc\nsystem: '*'\n",
         [("unused-toolchain", "toolchains/other.yaml", 1)], 0),
        ("templates/old.Dockerfile.j2", "FROM scratch\n", [("unused-template", "templates/old.Dockerfile.j2", 1)], 0),
    ],
)  # fmt: skip
def test_each_rule(tmp_path: Path, file: str, text: str, wanted: list[tuple[str, str, int]] | None, code: int) -> None:
    rearch = clean(tmp_path)
    write_file(rearch.project / file, text)
    rules = found(rearch, errors=code)
    if wanted is None:
        wanted = [("unlisted-recipe", HELLO, 0), ("unused-toolchain", "toolchains/go-1.27.yaml", 2)]
    assert rules == wanted


def test_patches(tmp_path: Path) -> None:
    rearch = clean(tmp_path)
    folder = rearch.project / "recipes/demo/patches/hello"
    write_file(folder / "series", "one.patch\n")
    for name in ("one", "two"):
        write_file(
            folder / f"{name}.patch", "--- a/main.go\n+++ b/main.go\n@@ -1 +1 @@\n-package main\n+package  main\n"
        )
    assert found(rearch, errors=1) == [("unused-patch", "recipes/demo/patches/hello/two.patch", 0)]


def test_run_in_a_template(tmp_path: Path) -> None:
    """A stage of the build host is not under emulation."""
    rearch = clean(tmp_path)
    template = "FROM --platform=$BUILDPLATFORM golang AS one\nRUN go build \\\n  ./...\n"
    template += "{% if env %}\nFROM {{ base }}\nRUN apt-get install -y curl\n{% endif %}\n"
    write_file(rearch.project / "templates/mine.Dockerfile.j2", template)
    image = IMAGE.replace("image:\n", "image:\n  template: mine\n  builder: docker\n")
    write_file(rearch.project / HELLO, RECIPE + image)
    assert found(rearch) == [("foreign-run", "templates/mine.Dockerfile.j2", 6)]
    write_file(rearch.project / HELLO, RECIPE + image.replace("  builder: docker\n", ""))
    assert found(rearch, errors=1) == [("run-embedded", "templates/mine.Dockerfile.j2", 6)]


def test_comments(tmp_path: Path) -> None:
    rearch = clean(tmp_path)
    text = RECIPE.replace("Says good day to whoever asks", "hello")
    write_file(
        rearch.project / HELLO, text.replace("hello\nversion", "hello  # rearch: ignore=poor-summary a test\nversion")
    )
    assert found(rearch) == []
    write_file(rearch.project / HELLO, text.replace("summary", "# rearch: ignore=poor-summary a test\nsummary"))
    assert found(rearch) == []
    write_file(rearch.project / HELLO, text.replace("hello\nversion", "hello  # rearch: ignore=poor-summary\nversion"))
    assert found(rearch, errors=1) == [("poor-summary", HELLO, 2), ("bad-ignore", HELLO, 2)]
    write_file(rearch.project / HELLO, RECIPE + "# rearch: ignore=nonsense x\n# rearch: ignore=fuzz not here\n")
    assert found(rearch, errors=1) == [("bad-ignore", HELLO, 10), ("unused-ignore", HELLO, 11)]


def test_what_does_not_load(tmp_path: Path) -> None:
    rearch = clean(tmp_path)
    write_file(rearch.project / HELLO, RECIPE + "nonsense: 1\n")
    assert f"{HELLO}:10:1" in rearch.run("check", code=2).err


def test_the_projects_own_recipes(tmp_path: Path) -> None:
    """Rancher's repositories cannot be locked everywhere; beyond that there is nothing."""
    done = Cli(ROOT, tmp_path / "cache").run("check", "--json")
    rules = {one["rule"] for one in json.loads(done.out)["findings"]}
    assert rules <= {"unlocked", "unused-lock"}
