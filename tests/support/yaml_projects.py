"""Projects of YAML files, written by tests; and what config says of them."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from rearch.config.problems import ConfigProblems, Problem
from rearch.config.project import load_project
from rearch.model.stack import Project

STACK = """\
name: s
summary: a stack
platforms: [arm64, arm/v7]
"""

RECIPE = """\
name: a
summary: a component
version: v1.2.3
source: {git: https://example.org/a, ref: "${{ version }}"}
build:
  toolchain: go-1
  go:
    binaries: {a: .}
"""

TOOLCHAIN = """\
name: go-1
kind: go
system: ">=1.21"
"""

GOOD = {"recipes/s/stack.yaml": STACK, "recipes/s/a.yaml": RECIPE, "toolchains/go-1.yaml": TOOLCHAIN}


def write(root: Path, files: Mapping[str, str | bytes | None]) -> Path:
    """A project of GOOD files with others over them; None leaves a file out. Texts may be indented."""
    for name, text in {**GOOD, **files}.items():
        if text is None:
            continue
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else textwrap.dedent(text).encode())
    return root


def load(root: Path, files: Mapping[str, str | bytes | None], **options: Any) -> Project:
    """The project that the files make."""
    return load_project(write(root, files), **{"stacks": None, "platforms": None, **options})


def problems(root: Path, files: Mapping[str, str | bytes | None], **options: Any) -> tuple[Problem, ...]:
    """What is wrong with the files; fails when nothing is."""
    with pytest.raises(ConfigProblems) as caught:
        load(root, files, **options)
    return caught.value.problems


def said(found: tuple[Problem, ...]) -> list[str]:
    """Each problem in one line, without the picture."""
    return [problem.render().splitlines()[0] for problem in found]
