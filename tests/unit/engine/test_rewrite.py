"""All files or none."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from rearch.engine import rewrite as module
from rearch.engine.rewrite import ChangedMeanwhile, rewrite
from rearch.engine.undo import JOURNAL, BadJournal, CannotUndo, Journal, Rewrite, Undone, changing, undo
from rearch.engine.undo import put as real_put


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
    rewrite(tmp_path, files)
    assert contents(tmp_path) == {"a": b"one", "new": b"3"}
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640


def test_somebody_was_there_before(tmp_path: Path, files: dict[Path, Rewrite]) -> None:
    (tmp_path / "a").write_bytes(b"one")
    (tmp_path / "gone").write_bytes(b"other")
    with pytest.raises(ChangedMeanwhile):
        rewrite(tmp_path, files)
    assert contents(tmp_path) == {"a": b"one", "gone": b"other"}


@pytest.mark.parametrize("stop", [OSError("disk full"), KeyboardInterrupt()], ids=["full", "interrupt"])
@pytest.mark.parametrize("after", [1, 2, 3])
def test_whatever_comes_between_nothing_has_changed(
    tmp_path: Path, files: dict[Path, Rewrite], monkeypatch: pytest.MonkeyPatch, stop: BaseException, after: int
) -> None:
    calls = []

    def put(path: Path, data: bytes | None) -> None:
        calls.append(path)
        real_put(path, data)
        if len(calls) == after:
            raise stop

    monkeypatch.setattr(module, "put", put)
    with pytest.raises(type(stop)):
        rewrite(tmp_path, files)
    assert contents(tmp_path) == {"a": b"1", "gone": b"2"}
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640
    assert len(calls) == after


def test_what_cannot_be_undone_now_is_undone_by_the_next_command(
    tmp_path: Path, files: dict[Path, Rewrite], monkeypatch: pytest.MonkeyPatch
) -> None:
    def put(path: Path, data: bytes | None) -> None:
        if path.name == "new" or data == b"1":
            raise OSError(28, "No space left on device", str(path))
        real_put(path, data)

    with monkeypatch.context() as full:
        full.setattr(module, "put", put)
        full.setattr("rearch.engine.undo.put", put)
        with pytest.raises(CannotUndo, match="No space left on device"):
            rewrite(tmp_path, files)
        assert contents(tmp_path).keys() == {"a", "gone", JOURNAL}
        with pytest.raises(CannotUndo):
            undo(tmp_path)
    done = undo(tmp_path)
    assert list(done.lines(tmp_path)) == ["a run was killed while it wrote: a as before it now"]
    assert contents(tmp_path) == {"a": b"1", "gone": b"2"}
    assert undo(tmp_path) == Undone()


def test_links_are_followed(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"1")
    (tmp_path / "link").symlink_to("real")
    rewrite(tmp_path, {tmp_path / "link": Rewrite(old=b"1", new=b"2")})
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"2"


# --- the journal of a run that was killed


def killed(root: Path, files: dict[Path, Rewrite], done: int) -> None:
    """As it is when `done` of the files were written."""
    with (root / JOURNAL).open("xb") as file:
        Journal(root, file).note(files)
    for path, change in list(files.items())[:done]:
        real_put(path, change.new)


@pytest.mark.parametrize("done", [0, 1, 2, 3])
def test_half_is_undone_and_all_is_kept(tmp_path: Path, files: dict[Path, Rewrite], done: int) -> None:
    killed(tmp_path, files, done)
    (tmp_path / ".a.abcd1234").write_bytes(b"on")
    (tmp_path / ".a.mine").write_bytes(b"mine")
    found = undo(tmp_path)
    assert [path.name for path in found.restored] == (["a", "new", "gone"][:done] if done < 3 else [])
    whole = {"a": b"one", "new": b"3"} if done == 3 else {"a": b"1", "gone": b"2"}
    assert contents(tmp_path) == {**whole, ".a.mine": b"mine"}


def test_what_was_edited_since_is_nobodys_to_undo(tmp_path: Path, files: dict[Path, Rewrite]) -> None:
    killed(tmp_path, files, 2)
    (tmp_path / "a").write_bytes(b"by hand")
    (line,) = undo(tmp_path).lines(tmp_path)
    assert "and a was edited since" in line
    assert contents(tmp_path) == {"a": b"by hand", "new": b"3", "gone": b"2"}


def test_a_journal_that_was_cut_off_means_nothing(tmp_path: Path, files: dict[Path, Rewrite]) -> None:
    killed(tmp_path, files, 0)
    whole = (tmp_path / JOURNAL).read_bytes()
    for size in (0, 10, len(whole) - 1):
        (tmp_path / JOURNAL).write_bytes(whole[:size])
        assert undo(tmp_path) == Undone()
    assert contents(tmp_path) == {"a": b"1", "gone": b"2"}


def test_the_next_change_undoes_first(tmp_path: Path, files: dict[Path, Rewrite]) -> None:
    killed(tmp_path, files, 1)
    rewrite(tmp_path, files)
    assert contents(tmp_path) == {"a": b"one", "new": b"3"}


@pytest.mark.parametrize("name", ["../x", "/etc/x", ".git/hooks/x", "", "out/x", "a/../../x", "./a"])
def test_a_journal_of_somebody_else_writes_nothing_but_the_project(tmp_path: Path, name: str) -> None:
    root = tmp_path / "project"
    root.mkdir()
    (root / "out").symlink_to(tmp_path)
    body = json.dumps([[name, "eA==", None]]).encode()
    (root / JOURNAL).write_bytes(hashlib.sha256(body).hexdigest().encode() + b"\n" + body)
    with pytest.raises(BadJournal, match="no file of this project"):
        undo(root)
    assert {path.name for path in tmp_path.iterdir()} == {"project"}


@pytest.mark.parametrize("body", [b"{}x", b"[1]", b'[["a", 1, null]]', b'[["a", "*", null]]', b"[[]]", b"null"])
def test_a_journal_that_is_none(tmp_path: Path, body: bytes) -> None:
    (tmp_path / JOURNAL).write_bytes(hashlib.sha256(body).hexdigest().encode() + b"\n" + body)
    with pytest.raises(BadJournal, match="not a journal"):
        undo(tmp_path)


def test_a_file_outside_is_undone_by_the_run_itself_only(tmp_path: Path) -> None:
    root = tmp_path / "project"
    root.mkdir()
    (tmp_path / "outside").write_bytes(b"1")
    (root / "link").symlink_to(tmp_path / "outside")
    files = {(root / "link").resolve(): Rewrite(old=b"1", new=b"2")}

    def change() -> None:
        with changing(root) as journal:
            journal.note(files)
            assert b"outside" not in (root / JOURNAL).read_bytes()
            real_put(tmp_path / "outside", b"2")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        change()
    assert (tmp_path / "outside").read_bytes() == b"1"
