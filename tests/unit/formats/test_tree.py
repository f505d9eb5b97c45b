from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rearch.formats import tree
from rearch.formats.tree import (
    SpecialFile,
    TreeChanged,
    TreeConflict,
    clone_tree,
    link_text,
    remove_tree,
    tree_digest,
    walk,
)

NOBODY = 65534


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "b/empty").mkdir(parents=True)
    (root / "b/run").write_text("#!")
    (root / "b/run").chmod(0o755)
    (root / "b.txt").write_text("text")
    (root / "a").symlink_to("./b//run")
    return root


def test_walk_has_one_order_by_bytes(root: Path) -> None:
    (root / os.fsdecode(b"\xe9")).touch()
    (root / "é").touch()
    assert [entry.path for entry in walk(root)] == ["a", "b", "b/empty", "b/run", "b.txt", "é", "\udce9"]
    assert [entry.path for entry in walk(root) if entry.executable] == ["b/run"]


def test_the_digest_is_this_one(root: Path) -> None:
    """Digests are in locks and keys: whoever changes them makes everybody build anew."""
    records = (b"L\0a\0./b//run\0", b"D\0b\0", b"D\0b/empty\0")
    wanted = hashlib.sha256(b"".join(records))
    for mode, path, content in ((b"x", b"b/run", b"#!"), (b"-", b"b.txt", b"text")):
        wanted.update(b"F\0" + mode + b"\0" + path + b"\0" + hashlib.sha256(content).hexdigest().encode() + b"\0")
    assert tree_digest(root) == wanted.hexdigest()


def other_target(root: Path) -> None:
    (root / "a").unlink()
    (root / "a").symlink_to("b/run")


def link_to_file(root: Path) -> None:
    (root / "a").unlink()
    (root / "a").write_text("#!")


def file_to_folder(root: Path) -> None:
    (root / "b.txt").unlink()
    (root / "b.txt").mkdir()


CHANGES: dict[str, Callable[[Path], object]] = {
    "content": lambda root: (root / "b.txt").write_text("texT"),
    "x bit": lambda root: (root / "b.txt").chmod(0o744),
    "name": lambda root: (root / "b.txt").rename(root / "c.txt"),
    "link target": other_target,
    "link to file": link_to_file,
    "empty folder": lambda root: (root / "b/empty").rmdir(),
    "file to folder": file_to_folder,
    "moved down": lambda root: (root / "b.txt").rename(root / "b/b.txt"),
}


@pytest.mark.parametrize("case", CHANGES)
def test_what_a_build_can_see_changes_the_digest(case: str, root: Path) -> None:
    before = tree_digest(root)
    CHANGES[case](root)
    assert tree_digest(root) != before


def test_times_owners_and_other_mode_bits_do_not(root: Path) -> None:
    before = tree_digest(root)
    os.utime(root / "b.txt", (1, 1))
    (root / "b.txt").chmod(0o600)
    (root / "b/run").chmod(0o700)
    (root / "b").chmod(0o700)
    assert tree_digest(root) == before


def test_what_is_ignored_is_not_even_looked_at(root: Path) -> None:
    before = tree_digest(root)
    (root / ".git/objects").mkdir(parents=True)
    os.mkfifo(root / ".git/fifo")
    assert tree_digest(root, ignore=lambda path: path == ".git") == before


def test_special_files_are_refused(root: Path) -> None:
    os.mkfifo(root / "b/fifo")
    with pytest.raises(SpecialFile, match="b/fifo"):
        tree_digest(root)


def test_a_file_that_grows_while_it_is_read(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(path: Path, before: os.stat_result, real: object = tree._steady_sha256) -> str:
        if path.name == "b.txt":
            path.write_text("longer text")
        assert callable(real)
        return str(real(path, before))

    monkeypatch.setattr(tree, "_steady_sha256", slow)
    with pytest.raises(TreeChanged, match="changed while") as caught:
        tree_digest(root)
    assert caught.value.path == root / "b.txt"


def walk_and(root: Path, act: Callable[[], None]) -> None:
    """Walk a tree, and do something when it comes to the folder `b`."""
    for entry in walk(root):
        if entry.path == "b":
            act()


def test_a_file_that_goes_while_the_tree_is_read(root: Path) -> None:
    with pytest.raises(TreeChanged):
        walk_and(root, (root / "b.txt").unlink)


def test_a_file_that_comes_while_the_tree_is_read(root: Path) -> None:
    os.utime(root, (1, 1))
    with pytest.raises(TreeChanged):
        walk_and(root, (root / "new").touch)


@pytest.mark.parametrize("how", ["link", "copy"])
def test_a_clone_is_the_same_tree(how: str, root: Path, tmp_path: Path) -> None:
    for path in (root / "b", root / "b.txt", root):
        os.utime(path, (1_500_000_000, 1_500_000_000))
    clone_tree(root, tmp_path / "x/clone", how=how)  # type: ignore[arg-type]
    assert tree_digest(tmp_path / "x/clone") == tree_digest(root)
    assert link_text(tmp_path / "x/clone/a") == "./b//run"
    assert {(tmp_path / "x/clone" / name).stat().st_mtime for name in ("", "b", "b.txt")} == {1_500_000_000}
    assert (tmp_path / "x/clone/b.txt").samefile(root / "b.txt") is (how == "link")


def test_a_copy_can_be_written_to(root: Path, tmp_path: Path) -> None:
    (root / "b.txt").chmod(0o444)
    (root / "b").chmod(0o555)
    clone_tree(root, tmp_path / "clone", how="copy")
    assert stat.S_IMODE((tmp_path / "clone/b.txt").stat().st_mode) == 0o644
    assert stat.S_IMODE((tmp_path / "clone/b").stat().st_mode) == 0o755
    (tmp_path / "clone/b.txt").write_text("new")
    assert (root / "b.txt").read_text() == "text"


def test_clones_laid_over_each_other(root: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    (other / "b/more").mkdir(parents=True)
    (other / "b/more/file").touch()
    clone_tree(root, tmp_path / "clone")
    clone_tree(other, tmp_path / "clone")
    assert {entry.path for entry in walk(tmp_path / "clone")} == {
        "a",
        "b",
        "b/empty",
        "b/run",
        "b/more",
        "b/more/file",
        "b.txt",
    }


@pytest.mark.parametrize("name", ["a", "b.txt", "b"])
@pytest.mark.parametrize("how", ["link", "copy"])
def test_a_clone_replaces_nothing(name: str, how: str, root: Path, tmp_path: Path) -> None:
    target = tmp_path / "clone"
    target.mkdir()
    (target / name).write_text("mine")
    with pytest.raises(TreeConflict, match=name):
        clone_tree(root, target, how=how)  # type: ignore[arg-type]
    assert (target / name).read_text() == "mine"


def test_a_clone_does_not_write_through_a_link(root: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "clone").mkdir()
    (tmp_path / "clone/b").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(TreeConflict):
        clone_tree(root, tmp_path / "clone")
    assert not any((tmp_path / "elsewhere").iterdir())


@pytest.mark.parametrize("number", [errno.EXDEV, errno.EMLINK])
def test_where_no_link_can_be_made_there_is_a_copy(
    number: int, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: object, **_more: object) -> None:
        raise OSError(number, "no link")

    monkeypatch.setattr(os, "link", fail)
    clone_tree(root, tmp_path / "clone")
    assert tree_digest(tmp_path / "clone") == tree_digest(root)
    assert not (tmp_path / "clone/b.txt").samefile(root / "b.txt")


def test_a_copy_without_help_of_the_kernel(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: object) -> int:
        raise OSError(errno.EXDEV, "other file system")

    (root / "big").write_bytes(b"0123456789" * 300_000)
    monkeypatch.setattr(os, "copy_file_range", fail)
    clone_tree(root, tmp_path / "clone", how="copy")
    assert tree_digest(tmp_path / "clone") == tree_digest(root)


def test_a_copy_that_fails_leaves_no_file(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_args: object) -> int:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "copy_file_range", full)
    with pytest.raises(OSError, match="full"):
        clone_tree(root, tmp_path / "clone", how="copy")
    assert [entry.path for entry in walk(tmp_path / "clone")] == ["a", "b", "b/empty"]


@pytest.fixture
def ordinary_user() -> Iterator[Path]:
    """A folder of a user whom modes do stop; root becomes one for the test."""
    folder = Path(tempfile.mkdtemp())
    was_root = os.geteuid() == 0
    if was_root:
        os.chown(folder, NOBODY, NOBODY)
        os.seteuid(NOBODY)
    try:
        yield folder
    finally:
        if was_root:
            os.seteuid(0)
        shutil.rmtree(folder)


def test_removing_what_is_read_only(ordinary_user: Path) -> None:
    """As Go leaves its module cache."""
    root = ordinary_user / "mod"
    (root / "a/b").mkdir(parents=True)
    (root / "a/b/file").touch(0o444)
    for folder in (root / "a/b", root / "a", root):
        folder.chmod(0o555 if folder != root / "a" else 0o000)
    with pytest.raises(PermissionError):
        shutil.rmtree(root)
    remove_tree(root)
    assert not root.exists()


def test_removing_what_another_process_removes_too(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, calls = shutil.rmtree, []

    def overtaken(path: Path, *_args: object, **_more: object) -> None:
        calls.append(path)
        if len(calls) == 1:
            (root / "b.txt").unlink()
            raise FileNotFoundError
        real(path)

    monkeypatch.setattr(shutil, "rmtree", overtaken)
    remove_tree(root)
    assert not root.exists()


def test_removing_a_link_leaves_its_target(root: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(root)
    remove_tree(tmp_path / "link")
    remove_tree(tmp_path / "link")
    assert root.is_dir()
    remove_tree(root / "b.txt")
    assert not (root / "b.txt").exists()


def test_removing_follows_no_links(root: Path, tmp_path: Path) -> None:
    (root / "b/out").symlink_to(tmp_path)
    (tmp_path / "precious").touch()
    remove_tree(root)
    assert (tmp_path / "precious").exists()
