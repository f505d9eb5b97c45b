"""All files or none."""

from __future__ import annotations

from pathlib import Path

import pytest

from rearch.engine import rewrite as module
from rearch.engine.rewrite import ChangedMeanwhile, Rewrite, rewrite


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def files(tmp_path: Path) -> dict[Path, Rewrite]:
    (tmp_path / "a").write_bytes(b"1")
    (tmp_path / "a").chmod(0o640)
    (tmp_path / "gone").write_bytes(b"2")
    return {
        tmp_path / "a": Rewrite(old=b"1", new=b"one"),
        tmp_path / "new": Rewrite(old=None, new=b"3"),
        tmp_path / "gone": Rewrite(old=b"2", new=None),
    }


def test_written_replaced_removed(tmp_path: Path, files: dict[Path, Rewrite]) -> None:
    rewrite(files)
    assert contents(tmp_path) == {"a": b"one", "new": b"3"}
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640


def test_somebody_was_there_before(tmp_path: Path, files: dict[Path, Rewrite]) -> None:
    (tmp_path / "gone").write_bytes(b"other")
    with pytest.raises(ChangedMeanwhile):
        rewrite(files)
    assert contents(tmp_path) == {"a": b"1", "gone": b"other"}


@pytest.mark.parametrize("stop", [OSError("disk full"), KeyboardInterrupt()], ids=["full", "interrupt"])
@pytest.mark.parametrize("after", [1, 2])
def test_whatever_comes_between_nothing_has_changed(
    tmp_path: Path, files: dict[Path, Rewrite], monkeypatch: pytest.MonkeyPatch, stop: BaseException, after: int
) -> None:
    real, calls = module._put, []

    def put(path: Path, data: bytes | None) -> None:
        calls.append(path)
        real(path, data)
        if len(calls) == after + 1:
            raise stop

    monkeypatch.setattr(module, "_put", put)
    with pytest.raises(type(stop)):
        rewrite(files)
    assert contents(tmp_path) == {"a": b"1", "gone": b"2"}
    assert len(calls) == 2 * (after + 1)


def test_links_are_followed(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"1")
    (tmp_path / "link").symlink_to("real")
    rewrite({tmp_path / "link": Rewrite(old=b"1", new=b"2")})
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"2"
