"""The note that there was nothing to do: anything that differs makes it void."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from rearch.engine import stamp as module
from rearch.engine.stamp import Settled, Stamp

FLAGS = {"arch": "arm64"}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(module, "_code", lambda: "the same code")
    (tmp_path / "recipes" / "stack").mkdir(parents=True)
    (tmp_path / "recipes" / "stack" / "a.yaml").write_text("name: a")
    (tmp_path / "result.json").write_text("{}")
    (tmp_path / "run.json").write_text("{}")
    (tmp_path / "bin").mkdir()
    _age(tmp_path)
    return tmp_path


def _age(root: Path) -> None:
    for path in (root, *root.rglob("*")):
        os.utime(path, (1_600_000_000, 1_600_000_000))


def _stamp(project: Path, flags: dict[str, object] | None = None, **environment: str) -> Stamp:
    known = {"REARCH_CACHE": str(project / "cache"), "PATH": str(project / "bin")}
    return Stamp(project, flags or FLAGS, known | environment)


def _leave(project: Path) -> None:
    watched = [project / "recipes", project / "rearch.lock"]
    _stamp(project).leave(watched=watched, results=[project / "result.json"], settled=_settled(project))


def _settled(project: Path) -> Settled:
    return Settled(("nothing",), project / "run.json", 13)


def test_nothing_changed(project: Path) -> None:
    assert _stamp(project).settled() is None
    _leave(project)
    assert _stamp(project).settled() == _settled(project)


CHANGES: dict[str, Callable[[Path], object]] = {
    "content": lambda root: (root / "recipes/stack/a.yaml").write_text("name: b"),
    "one file more": lambda root: (root / "recipes/stack/b.yaml").write_text("name: b"),
    "one file less": lambda root: (root / "recipes/stack/a.yaml").unlink(),
    "mode": lambda root: (root / "recipes/stack/a.yaml").chmod(0o700),
    "a file that was not there": lambda root: (root / "rearch.lock").write_text("{}"),
    "result gone": lambda root: (root / "result.json").unlink(),
    "record of the run gone": lambda root: (root / "run.json").unlink(),
    "program installed": lambda root: (root / "bin/qemu").write_text(""),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_any_change_makes_it_void(project: Path, change: Callable[[Path], object]) -> None:
    _leave(project)
    change(project)
    assert _stamp(project).settled() is None


def test_other_flags_or_settings_are_another_build(project: Path) -> None:
    _leave(project)
    assert _stamp(project, {"arch": "amd64"}).settled() is None
    assert _stamp(project, REARCH_JOBS="1").settled() is None
    assert _stamp(project, SOURCE_DATE_EPOCH="1").settled() is None
    assert _stamp(project, UNRELATED="1").settled() == _settled(project)


def test_other_code_of_rearch(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _leave(project)
    monkeypatch.setattr(module, "_code", lambda: "other code")
    assert _stamp(project).settled() is None


def test_a_file_that_was_just_changed_is_not_trusted(project: Path) -> None:
    (project / "recipes/stack/a.yaml").write_text("name: c")
    _leave(project)
    assert _stamp(project).settled() is None


def test_a_torn_note_is_no_note(project: Path) -> None:
    _leave(project)
    (note,) = (project / "cache/stamps").iterdir()
    for text in ("", "[]", "{", '{"asked": 1}'):
        note.write_text(text)
        assert _stamp(project).settled() is None


def test_a_login_is_not_written_down(tmp_path: Path) -> None:
    environment = {"REARCH_CACHE": str(tmp_path / "cache"), "REARCH_LOGIN_PASSWORD": "hunter2"}
    watched = tmp_path / "file"
    watched.write_text("x")
    os.utime(watched, (1, 1))
    Stamp(tmp_path, {}, environment).leave(watched=[watched], results=[], settled=_settled(tmp_path))
    files = [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert files
    assert all(b"hunter2" not in path.read_bytes() for path in files)
