"""Remembered YAML is what the file says, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rearch.config.memory import YamlMemory
from rearch.config.project import load_project
from rearch.config.yaml_tree import read_yaml
from rearch.errors import UsageError
from rearch.model.platform import parse_platforms
from rearch.model.stack import Project

STACK = """\
name: s
summary: tests
platforms: [linux/arm64, linux/amd64]
defaults: {vars: {a: "1"}, build: {toolchain: go-test}}
"""
RECIPE = """\
name: x
summary: ${{ vars.a }}
version: 1.10
source: {path: src}
build: {go: {binaries: {x: .}, tags: [one]}}
platforms: {amd64: {build: {go: {tags: [two]}}}}
"""
TOOLCHAIN = 'name: go-test\nkind: go\nsystem: "*"\n'


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    (root / "recipes/s/src").mkdir(parents=True)
    (root / "toolchains").mkdir()
    (root / "recipes/s/stack.yaml").write_text(STACK)
    (root / "recipes/s/x.yaml").write_text(RECIPE)
    (root / "toolchains/go-test.yaml").write_text(TOOLCHAIN)
    return root


def _load(project: Path, memory: Path | None) -> Project:
    return load_project(project, stacks=None, platforms=parse_platforms("arm64,amd64"), memory=memory)


def test_the_project_is_the_same_with_and_without(project: Path, tmp_path: Path) -> None:
    memory = tmp_path / "memory.json"
    plain = _load(project, None)
    assert _load(project, memory) == plain
    written = memory.read_bytes()
    assert _load(project, memory) == plain
    assert memory.read_bytes() == written


def test_what_is_remembered_is_what_the_text_says(project: Path, tmp_path: Path) -> None:
    memory = tmp_path / "memory.json"
    _load(project, memory)
    kept = json.loads(memory.read_text())["files"]
    for text in (STACK, RECIPE, TOOLCHAIN):
        name, data = YamlMemory(memory).recall(text)
        assert kept[name] == data == read_yaml(text)[0]


def test_another_text_is_read(project: Path, tmp_path: Path) -> None:
    memory = tmp_path / "memory.json"
    _load(project, memory)
    (project / "recipes/s/x.yaml").write_text(RECIPE.replace("1.10", "1.20"))
    assert _load(project, memory).stacks[0].components[0].recipe.version == "1.20"


def test_a_file_with_faults_is_not_remembered(project: Path, tmp_path: Path) -> None:
    memory = tmp_path / "memory.json"
    (project / "recipes/s/x.yaml").write_text(RECIPE + "name: x\n")
    for _ in range(2):
        with pytest.raises(UsageError, match="problem"):
            _load(project, memory)


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"format": "yaml-0", "files": {"a": 1}}', '{"format": "yaml-1", "files": 3}']
)
def test_a_torn_memory_costs_nothing_but_time(project: Path, tmp_path: Path, text: str) -> None:
    memory = tmp_path / "memory.json"
    memory.write_text(text)
    assert _load(project, memory) == _load(project, None)


def test_what_is_not_used_any_more_goes(tmp_path: Path) -> None:
    path = tmp_path / "memory.json"
    first = YamlMemory(path)
    for number in range(200):
        first.learn(str(number), {"a": "b"})
    first.save()
    second = YamlMemory(path)
    second.recall("something else")
    second.learn("new", {"a": "b"})
    second.save()
    assert json.loads(path.read_text())["files"].keys() == {"new"}
