"""The worker as a process: it is stopped when a pattern takes for ever, and needs nothing of the environment."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from rearch.formats.edit import EditTools, EditTooSlow, apply_edit
from rearch.host.process import Processes
from rearch.model.recipe import Edit


def test_an_edit_through_the_real_worker(tmp_path: Path) -> None:
    root, scratch = tmp_path / "root", tmp_path / "scratch"
    root.mkdir()
    scratch.mkdir()
    (root / "ä b.go").write_bytes(b"one \xff\nanother\n")
    tools = EditTools(run=Processes().run, scratch=scratch)
    done = apply_edit(root, Edit(file="*.go", pattern=r"(?m)^(\w+)her$", replace=r"\1", count=1, why="x"), tools)
    assert done.count == 1
    assert (root / "ä b.go").read_bytes() == b"one \xff\nanot\n"


def test_a_pattern_that_takes_for_ever_is_stopped(tmp_path: Path) -> None:
    root, scratch = tmp_path / "root", tmp_path / "scratch"
    root.mkdir()
    scratch.mkdir()
    (root / "a.go").write_text("a" * 60 + "!\n")
    tools = EditTools(run=Processes().run, scratch=scratch, limit=1.0)
    started = time.monotonic()
    with pytest.raises(EditTooSlow):
        apply_edit(root, Edit(file="a.go", pattern=r"^(a+)+$", replace="b", count=1, why="x"), tools)
    assert time.monotonic() - started < 15
    assert (root / "a.go").read_text() == "a" * 60 + "!\n"


def test_a_replacement_that_grows_without_end_is_stopped(tmp_path: Path) -> None:
    root, scratch = tmp_path / "root", tmp_path / "scratch"
    root.mkdir()
    scratch.mkdir()
    (root / "a.go").write_text("a" * 1_000_000)
    grow = Edit(file="a.go", pattern=r"^(a+)$", replace=r"\1" * 5000, count=1, why="x")
    with pytest.raises(EditTooSlow):
        apply_edit(root, grow, EditTools(run=Processes().run, scratch=scratch, limit=20.0), at_least=True)
    assert (root / "a.go").stat().st_size == 1_000_000
