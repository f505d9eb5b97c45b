"""A change of several files that is killed: at each point, everything is as before or as it was to be."""

from __future__ import annotations

import signal
import sys
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from rearch.engine.rewrite import rewrite
from rearch.engine.undo import JOURNAL, Rewrite, Undone, changing, put, undo
from tests.support.cli import ROOT, Cli
from tests.support.killer import killed_at
from tests.support.upkeep import make_maintained

BEFORE = {"a.yaml": b"1", "gone.yaml": b"2", "rearch.lock": b"3"}
AFTER = {"a.yaml": b"one", "new.yaml": b"4", "rearch.lock": b"three"}


def change(root: Path) -> None:
    rewrite(
        root,
        {
            root / "a.yaml": Rewrite(old=b"1", new=b"one"),
            root / "new.yaml": Rewrite(old=None, new=b"4"),
            root / "gone.yaml": Rewrite(old=b"2", new=None),
            root / "rearch.lock": Rewrite(old=b"3", new=b"three"),
        },
    )


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def project(root: Path) -> Path:
    root.mkdir()
    for name, data in BEFORE.items():
        (root / name).write_bytes(data)
    return root


def test_at_each_point_it_is_undone_or_done(tmp_path: Path) -> None:
    halves = 0
    for number in range(1, 100):
        root = project(tmp_path / str(number))
        if not killed_at(number, root, partial(change, root)):
            break
        left = contents(root)
        halves += (
            any(name in left and left[name] == data for name, data in AFTER.items())
            and not AFTER.items() <= left.items()
        )
        undo(root)
        assert contents(root) in (BEFORE, AFTER), f"killed at {number}"
    assert contents(root) == AFTER
    assert number > 12
    assert halves >= 3


def half_done(tmp_path: Path, name: str) -> Path:
    """A project whose first file is written, and whose lock is not."""
    for number in range(1, 100):
        root = project(tmp_path / f"{name}-{number}")
        assert killed_at(number, root, partial(change, root))
        if (root / "a.yaml").read_bytes() == b"one":
            return root
    raise AssertionError


def test_undoing_may_be_killed_too(tmp_path: Path) -> None:
    for number in range(1, 100):
        root = half_done(tmp_path, str(number))
        again = killed_at(number, root, partial(undo, root))
        undo(root)
        assert contents(root) == BEFORE
        if not again:
            break
    assert number > 3


def test_the_next_command_says_and_undoes_it(tmp_path: Path) -> None:
    made = make_maintained(tmp_path)
    made.release("v1.0.1", "next")
    before = made.state()
    environ = {"KILLER_BELOW": str(made.project), "KILLER_EVENTS": "os.rename os.remove", "PYTHONPATH": str(ROOT)}
    killer = Cli(made.project, made.rearch.cache, environ, (sys.executable, "-m", "tests.support.killer"))
    seen = []
    for number in (2, 3):  # before the lock's rename, and before the journal goes
        assert killer.run(str(number), "rearch", "bump", "one", code=-signal.SIGKILL).out == ""
        seen.append([name for name, data in made.state().items() if name in before and data != before[name]])
        drafts = [path for path in made.project.rglob(".*.*") if path.name != JOURNAL]
        ran = made.rearch.run("lock", "--check", "--offline")
        assert ("a run was killed while it wrote: recipes/demo/one.yaml as before it now" in ran.err) == (number == 2)
        assert not [path for path in (*drafts, made.project / JOURNAL) if path.exists()]
        assert (made.state() == before) == (number < 3)
    assert [sorted(names) for names in seen] == [["recipes/demo/one.yaml"], ["rearch.lock", "recipes/demo/one.yaml"]]
    assert b"v1.0.1" in made.recipe.read_bytes()
    assert list((made.rearch.cache / "upkeep").iterdir()) == []


def test_two_that_write_at_once_come_one_after_the_other(tmp_path: Path) -> None:
    root = project(tmp_path / "root")
    with changing(root) as journal:
        journal.note({root / "a.yaml": Rewrite(old=b"1", new=b"one")})
        put(root / "a.yaml", b"one")
        assert undo(root) == Undone()
        other = get_context("fork").Process(target=change, args=(root,))
        other.start()
        other.join(0.3)
        assert other.exitcode is None
    other.join()
    assert other.exitcode == 1  # ChangedMeanwhile
    assert contents(root) == {**BEFORE, "a.yaml": b"one"}
