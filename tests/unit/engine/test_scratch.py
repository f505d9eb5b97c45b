"""Scratch that is gone when its run is, however it ended."""

from __future__ import annotations

from pathlib import Path

import pytest

from rearch.engine.scratch import scratch, sweep


def left(cache: Path) -> list[str]:
    return sorted(path.name for path in (cache / "upkeep").iterdir())


def test_it_is_empty_and_then_gone(tmp_path: Path) -> None:
    with scratch(tmp_path) as folder:
        assert list(folder.iterdir()) == []
        (folder / "sub").mkdir()
        (folder / "sub").chmod(0o500)
    assert left(tmp_path) == []
    with pytest.raises(KeyboardInterrupt), scratch(tmp_path):
        raise KeyboardInterrupt
    assert left(tmp_path) == []


def test_what_lives_stays_and_what_is_dead_goes(tmp_path: Path) -> None:
    sweep(tmp_path / "none")
    with scratch(tmp_path) as one:
        dead = tmp_path / "upkeep/dead"
        (dead / "work/files").mkdir(parents=True)
        (dead / ".held").touch()
        (tmp_path / "upkeep/hardly").mkdir()
        with scratch(tmp_path) as two:
            assert one.is_dir()
            assert left(tmp_path) == sorted([one.parent.name, two.parent.name])
        sweep(tmp_path)
        assert one.is_dir()
    assert left(tmp_path) == []
