"""`rearch check` as a command: what it prints, its exit codes, comments that silence; the project's own recipes pass.

The rules one by one are in tests/unit/upkeep/test_lint_rules.py.
"""

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


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        (HELLO, "name: [\n", f"{HELLO}:2:1"),
        (STACK_FILE, STACK + "recipes: [gone]\n", "gone"),
        ("templates/mine.Dockerfile.j2", b"FROM \xff\n", "templates/mine.Dockerfile.j2"),
        ("rearch.lock", "{", "rearch.lock"),
        ("recipes/demo/patches/hello/series", "gone.patch\n", "recipes/demo/patches/hello/series:1"),
    ],
)
def test_bad_input_is_told_with_its_place(tmp_path: Path, file: str, text: str | bytes, said: str) -> None:
    """With --json too: nothing half comes out on stdout."""
    rearch = clean(tmp_path)
    path = rearch.project / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    write_file(rearch.project / HELLO, path.read_text() if file == HELLO else RECIPE + IMAGE + "  template: mine\n")
    done = rearch.run("check", "--json", code=2)
    assert said in done.err
    assert done.out == ""


def test_json_and_unknown_stacks(tmp_path: Path) -> None:
    rearch = clean(tmp_path)
    write_file(rearch.project / HELLO, RECIPE + "patch: {fuzz: 1}\n")
    (one,) = json.loads(rearch.run("check", "--json").out)["findings"]
    assert (one["rule"], one["severity"], one["file"], one["line"], one["column"]) == ("fuzz", "warning", HELLO, 10, 9)
    assert "demo" in rearch.run("check", "--stack", "dmo", code=2).err


def test_the_projects_own_recipes(tmp_path: Path) -> None:
    """Rancher's repositories cannot be locked everywhere: one row says so, until somebody has. Beyond that nothing."""
    done = Cli(ROOT, tmp_path / "cache").run("check", "--json")
    found = [(one["rule"], one["file"]) for one in json.loads(done.out)["findings"]]
    assert found in ([], [("unlocked", "recipes/rancher/stack.yaml")])
