"""Whatever the files hold: a project, or ConfigProblems. Nothing else, and soon."""

from __future__ import annotations

import contextlib
import sys
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rearch.config.problems import ConfigProblems, Problem
from rearch.config.project import load_project
from rearch.config.settings import leaves, settings_origins
from rearch.model.recipe import Build, Cgo, Check, Edit, GoBuild, Patches, Recipe
from rearch.model.settings import Settings
from rearch.model.smoke import Smoke
from rearch.model.stack import StackFile
from rearch.model.toolchain import PypiTool, Toolchain
from tests.support.yaml_projects import GOOD, RECIPE, STACK, TOOLCHAIN, load, problems, write

TARGETS = (*GOOD, "rearch.yaml", "recipes/s/patches/a/series", "recipes/s/more.yaml")


def outcome(files: dict[str, str | bytes | None]) -> tuple[Problem, ...]:
    """The problems of a project; none when it is right. Anything else that is raised fails the test."""
    with tempfile.TemporaryDirectory() as folder:
        root = write(Path(folder), files)
        try:
            load_project(root, stacks=None, platforms=None)
        except ConfigProblems as error:
            return error.problems
    return ()


def check(files: dict[str, str | bytes | None]) -> None:
    """Every problem says something, names its file, and shows nothing that a terminal would obey."""
    for problem in outcome(files):
        assert problem.text
        assert problem.file
        assert all(letter.isprintable() for letter in problem.render().splitlines()[0])


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.sampled_from(TARGETS), st.binary(max_size=300))
def test_any_bytes(target: str, data: bytes) -> None:
    check({target: data})


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.sampled_from(TARGETS), st.text(max_size=200))
def test_any_text(target: str, text: str) -> None:
    check({target: text.encode("utf-8", "surrogatepass")})


TEXTS = ("a", "go-1", "v1", "1.10", "no", "~", "''", "*", "((", "-x", "../x", "/x", "x/y", "0", "9" * 20, "30s", "\\0")
VALUES = (
    "true",
    "static",
    "gopath",
    "arm64",
    "armhf",
    "z80",
    "${{ version }}",
    "$${{ x }}",
    "${{ commit }}",
    "${{ x|y }}",
)
WORDS = st.sampled_from(TEXTS + VALUES)
MODELS = (Recipe, StackFile, Toolchain, Settings, GoBuild, Build, Cgo, Check, Smoke, Edit, Patches, PypiTool)
SOURCES = ("git", "ref", "archive", "sha256", "debian", "path")
NAMES = {*SOURCES, "arm64", "armhf", "z80", "a", "x", *(name for model in MODELS for name in model.model_fields)}
KEYS = st.sampled_from(sorted(NAMES))


def _flow(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return f'"{value}"'


TREES = st.recursive(
    WORDS,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(KEYS, below, max_size=4),
    max_leaves=25,
)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.sampled_from(TARGETS), st.dictionaries(KEYS, TREES, max_size=6))
def test_any_tree_of_known_keys(target: str, tree: dict[str, object]) -> None:
    check({target: "\n".join(f"{key}: {_flow(value)}" for key, value in tree.items()) + "\n"})


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.sampled_from([STACK, RECIPE, TOOLCHAIN]), st.integers(0, 200), st.integers(0, 8), st.text(max_size=6))
def test_good_files_with_a_cut(text: str, at: int, length: int, other: str) -> None:
    target = {STACK: "recipes/s/stack.yaml", RECIPE: "recipes/s/a.yaml", TOOLCHAIN: "toolchains/go-1.yaml"}[text]
    check({target: (text[:at] + other + text[at + length :]).encode("utf-8", "surrogatepass")})


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.dictionaries(st.sampled_from(["REARCH_JOBS", "REARCH_MIRRORS", "REARCH_STACKS", "REARCH_X"]), st.text()))
def test_any_environment(environment: dict[str, str]) -> None:
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(ConfigProblems):
        found, origins = settings_origins(Path(folder), environment=environment, flags={})
        assert isinstance(found, Settings)
        assert len(origins) == len(list(leaves()))


def test_a_bomb_of_aliases_in_a_recipe(tmp_path: Path) -> None:
    lines = ["name: a", "x0: &x0 [y]"] + [f"x{n}: &x{n} [{','.join([f'*x{n - 1}'] * 9)}]" for n in range(1, 10)]
    started = time.monotonic()
    (problem,) = problems(tmp_path, {"recipes/s/a.yaml": "\n".join(lines)})
    assert "with its aliases the file has more than" in problem.text
    assert time.monotonic() - started < 20


@pytest.mark.parametrize("name", ["a\x1b[2J", "x\ny", "ü", "a" * 200])
def test_file_names_from_elsewhere(name: str, tmp_path: Path) -> None:
    for problem in problems(tmp_path, {f"recipes/s/{name}.yaml": RECIPE}):
        assert "\x1b" not in problem.render()


def test_a_good_project_needs_no_slow_imports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("jinja2", "difflib", "rearch.config.sandbox"):
        monkeypatch.setitem(sys.modules, name, None)
    assert load(tmp_path, {}).stacks
