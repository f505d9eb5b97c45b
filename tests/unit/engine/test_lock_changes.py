"""What a run changed in rearch.lock: onto what another run wrote meanwhile, and killed at each point."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from rearch.engine.lock_changes import changed, write_changes
from rearch.engine.lockfile import MergedLock, lock_text, read_lock, write_lock
from rearch.engine.undo import undo
from rearch.errors import ExitCode
from rearch.model.frozen import FrozenDict
from rearch.model.lock import Entry, Lock
from rearch.model.source import PinnedArchive
from tests.support.killer import killed_at


def lock(**numbers: int) -> Lock:
    """Entries by name, each with a number that tells it from another."""
    return Lock(
        FrozenDict(
            {
                name: Entry(
                    identity=PinnedArchive(url=f"https://example.org/{name}", sha256=str(number) * 64, strip=1),
                    needed_by=("demo/one",),
                )
                for name, number in numbers.items()
            }
        )
    )


def test_entries_of_another_run_stay(tmp_path: Path) -> None:
    path = tmp_path / "rearch.lock"
    before = lock(mine=1, dropped=1, theirs=1)
    write_lock(path, lock(mine=1, dropped=1, theirs=2, come=3))
    assert write_changes(path, before, lock(mine=4, theirs=1))
    assert read_lock(path) == lock(mine=4, theirs=2, come=3)
    assert changed(lock(mine=1), before, before) == lock(mine=1)


def test_what_says_it_already_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "rearch.lock"
    assert write_changes(path, Lock(), lock(one=1))
    inode = path.stat().st_ino
    assert not write_changes(path, Lock(), lock(one=1))
    write_lock(path, lock(one=1, two=2))
    assert not write_changes(path, Lock(), lock(one=1))
    assert read_lock(path) == lock(one=1, two=2)
    assert path.stat().st_ino != inode
    assert [entry.name for entry in tmp_path.iterdir()] == ["rearch.lock"]


def test_links_and_modes_stay(tmp_path: Path) -> None:
    real = tmp_path / "shared.lock"
    write_lock(real, lock(one=1))
    real.chmod(0o660)
    (tmp_path / "rearch.lock").symlink_to("shared.lock")
    write_changes(tmp_path / "rearch.lock", lock(one=1), lock(one=2))
    assert (tmp_path / "rearch.lock").is_symlink()
    assert read_lock(real) == lock(one=2)
    assert real.stat().st_mode & 0o777 == 0o660


def test_a_kill_leaves_no_draft_behind_the_next_command(tmp_path: Path) -> None:
    drafts = 0
    texts = [lock_text(lock(one=number)) for number in (1, 2)]
    for number in range(1, 100):
        root = tmp_path / str(number)
        root.mkdir()
        path = root / "rearch.lock"
        write_lock(path, lock(one=1))
        killed = killed_at(number, root, partial(write_changes, path, lock(one=1), lock(one=2)))
        drafts += any(entry.name.startswith(".rearch.lock.") for entry in root.iterdir())
        undo(root)
        assert [entry.name for entry in root.iterdir()] == ["rearch.lock"]
        assert path.read_text() in texts
        if not killed:
            break
    assert path.read_text() == texts[1]
    assert drafts >= 1


@pytest.mark.parametrize("mark", ["<<<<<<< HEAD\n", "  {\n>>>>>>> 12ab\n"])
def test_the_marks_of_a_merge_are_told_as_such(tmp_path: Path, mark: str) -> None:
    path = tmp_path / "rearch.lock"
    path.write_text(mark + lock_text(lock(one=1)))
    with pytest.raises(MergedLock, match="conflict marks") as caught:
        read_lock(path)
    assert caught.value.exit_code is ExitCode.USAGE
    assert "git checkout --ours" in caught.value.render()
