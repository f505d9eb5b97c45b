"""`patch start|refresh|drop|list` with real git."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tests.support.archives import Member, tar
from tests.support.go_project import change
from tests.support.upkeep import LINES, Maintained, line_patch, make_maintained

MAIL = "From abc Mon Sep 17 00:00:00 2001\nFrom: S\nSubject: [PATCH] ten\n\n---\n lines | 2 +-\n\n"
SERIES = "# ours\n\nten.patch -p1  # first\n# of twenty\ntwenty.patch\n"


@pytest.fixture
def made(tmp_path: Path) -> Maintained:
    found = make_maintained(tmp_path)
    found.series(SERIES, ten=line_patch(10, "TEN", MAIL), twenty=line_patch(20, "TWENTY", "Description: 20\n #x\n\n"))
    return found


def test_there_and_back_is_the_same_to_the_byte(made: Maintained) -> None:
    before = made.state()
    path = made.rearch.run("patch", "start", "one").out.strip()
    assert Path(path) == made.tree
    assert made.git("log", "--format=%s").split("\n")[:2] == ["twenty.patch", "ten.patch"]
    assert "TEN" in (made.tree / "lines").read_text()
    assert "2 as they were" in made.rearch.run("patch", "refresh", "one").err
    assert made.state() == before
    made.rearch.run("patch", "start", "one")  # it is there, and nothing is lost by it
    assert made.git("status", "--porcelain") == ""


def test_changes_become_patches(made: Maintained) -> None:
    before = made.state()
    made.rearch.run("patch", "start", "one")
    lines = made.tree / "lines"
    lines.write_text(lines.read_text().replace("line 1\n", "line 1, new\n"))
    (made.tree / "added").write_text("no line end")
    (made.tree / "added").chmod(0o755)
    assert "--name new.patch" in made.rearch.run("patch", "refresh", "one", code=2).err
    assert "work that is in no patch" in made.rearch.run("patch", "start", "one", code=2).err
    assert "not the last" in made.rearch.run("patch", "refresh", "one", "--name", "ten.patch", code=2).err
    made.rearch.run("patch", "refresh", "one", "--name", "../x.patch", code=2)
    assert made.state() == before
    assert made.rearch.run("patch", "refresh", "one", "--name", "new.patch").out == "wrote new.patch\n"
    after = made.state()
    assert after.pop("recipes/demo/patches/one/series").decode() == SERIES + "new.patch\n"
    new = after.pop("recipes/demo/patches/one/new.patch")
    assert b"new file mode 100755" in new
    assert {name: data for name, data in before.items() if not name.endswith("series")} == after
    made.rearch.run("patch", "start", "one", "--fresh")
    assert (made.tree / "added").read_text() == "no line end"
    listed = made.rearch.run("patch", "list", "one").out.splitlines()
    assert listed == ["ten.patch: lines", "twenty.patch: lines", "new.patch: added, lines"]


def test_a_folder_of_somebody_else_is_never_taken_away(made: Maintained, tmp_path: Path) -> None:
    thesis = tmp_path / "mine/sub/thesis"
    thesis.parent.mkdir(parents=True)
    thesis.write_text("x")
    for words in ((), ("--fresh",)):
        refused = made.rearch.run("patch", "start", "one", "--dir", str(tmp_path / "mine"), *words, code=2)
        assert "mine is not a worktree of ours" in refused.err
    assert thesis.read_text() == "x"
    (tmp_path / "empty").mkdir()
    made.rearch.run("patch", "start", "one", "--dir", str(tmp_path / "empty"))
    assert (tmp_path / "empty/lines").exists()


def test_a_rewritten_history_is_a_rewritten_series(made: Maintained) -> None:
    before = made.state()
    made.rearch.run("patch", "start", "one")
    lines = made.tree / "lines"
    lines.write_text(lines.read_text().replace("TWENTY", "XX"))
    made.git("commit", "--all", "--amend", "--no-edit")
    made.git("rebase", "--onto", "HEAD~2", "HEAD~1")  # ten.patch is gone
    lines.write_text(lines.read_text().replace("line 30", "thirty"))
    made.git("commit", "--all", "-m", "Count: to Thirty\n\nFor a reason.")
    out = made.rearch.run("patch", "refresh", "one").out
    assert out == "wrote twenty.patch\nwrote count-to-thirty.patch\nremoved ten.patch\n"
    assert (made.patches / "series").read_text() == "# ours\n\n# of twenty\ntwenty.patch\ncount-to-thirty.patch\n"
    twenty = (made.patches / "twenty.patch").read_bytes()
    assert twenty.startswith(b"Description: 20\n #x\n")
    assert b"+XX\n" in twenty
    assert (
        (made.patches / "count-to-thirty.patch").read_text().startswith("Count: to Thirty\n\nFor a reason.\ndiff --git")
    )
    assert before["recipes/demo/one.yaml"] == made.recipe.read_bytes()
    assert "0 written, 2 as they were" in made.rearch.run("patch", "refresh", "one").err


def test_drop_only_what_nobody_needs(made: Maintained) -> None:
    made.series(SERIES + "on-top.patch\n", **{"on-top": line_patch(20, "x").replace("-line 20", "-TWENTY")})
    made.rearch.run("patch", "drop", "one", "twenty.patch", code=1)
    assert "has no patch z.patch" in made.rearch.run("patch", "drop", "one", "z.patch", code=2).err
    assert (made.patches / "series").read_text() == SERIES + "on-top.patch\n"
    made.rearch.run("patch", "drop", "one", "on-top.patch")
    made.rearch.run("patch", "drop", "one", "ten.patch")
    assert (made.patches / "series").read_text() == "# ours\n\n# of twenty\ntwenty.patch\n"
    assert sorted(path.name for path in made.patches.iterdir()) == ["series", "twenty.patch"]


def test_what_a_patch_cannot_say_is_refused(made: Maintained) -> None:
    made.rearch.run("patch", "start", "one")
    before = made.state()
    (made.tree / "link").symlink_to("lines")
    made.rearch.run("patch", "refresh", "one", "--name", "link.patch", code=1)
    assert made.state() == before
    made.git("reset", "--hard", "HEAD~1")
    (made.tree / "data").write_bytes(bytes(range(256)))
    assert "binary" in made.rearch.run("patch", "refresh", "one", "--name", "data.patch", code=1).err
    assert made.state() == before


def test_somebody_changed_the_series_meanwhile(made: Maintained) -> None:
    made.rearch.run("patch", "start", "one")
    made.series("ten.patch\n")
    assert "nothing was written" in made.rearch.run("patch", "refresh", "one", code=2).err


def test_after_a_bump_patches_are_merged_and_conflicts_shown(made: Maintained) -> None:
    moved = "".join(f"above {number}\n" for number in range(5)) + LINES.replace("line 8\n", "eight\n")
    made.release("v2.0.0", "much moved", lines=moved.replace("line 20\n", "upstream 20\n"))
    failed = made.rearch.run("bump", "one", "--latest", code=1)
    assert "--force" in failed.err
    made.rearch.run("bump", "one", "--latest", "--force")
    assert made.rearch.run("patch", "list", "one", code=1).out.count("does not apply") == 2
    started = made.rearch.run("patch", "start", "one", code=1)
    assert "ten.patch: merged" in started.err
    assert "twenty.patch: conflicts in lines" in started.err
    text = (made.tree / "lines").read_text()
    assert "<<<<<<< " in text
    assert "upstream 20\n" in text
    assert "with conflict marks" in made.rearch.run("patch", "refresh", "one", code=1).err
    solved = moved.replace("line 10\n", "TEN\n").replace("line 20\n", "TWENTY, upstream\n")
    (made.tree / "lines").write_text(solved)
    assert made.rearch.run("patch", "refresh", "one").out == "wrote ten.patch\nwrote twenty.patch\n"
    assert (made.patches / "ten.patch").read_text().startswith(MAIL)
    assert (made.patches / "series").read_text() == SERIES.replace("ten.patch -p1  # first", "ten.patch")
    assert made.rearch.run("patch", "list", "one").out == "ten.patch: lines\ntwenty.patch: lines\n"
    made.rearch.run("patch", "start", "one", "--fresh")
    assert (made.tree / "lines").read_text() == solved


def test_without_a_memory_the_old_version_is_named(made: Maintained) -> None:
    made.release("v2.0.0", "moved", lines=LINES.replace("line 8\n", "eight\n"))
    made.recipe.write_text(made.recipe.read_text().replace("'v1.0.0'", "'v2.0.0'"))
    made.rearch.run("lock")
    assert "--from" in made.rearch.run("patch", "start", "one", code=1).err
    assert not made.tree.exists()
    made.rearch.run("patch", "start", "one", "--from", "v1.0.0")
    made.rearch.run("patch", "refresh", "one")
    assert made.rearch.run("patch", "list", "one").out == "ten.patch: lines\ntwenty.patch: lines\n"


def test_an_archive_with_a_repository_of_its_own(made: Maintained, tmp_path: Path) -> None:
    mark = tmp_path / "obeyed"
    hostile = f"[core]\n\tfsmonitor = touch {mark}\n".encode()
    files = {
        "lines": LINES.encode(),
        ".git/config": hostile,
        ".gitattributes": b"* text eol=crlf\n",
        ".gitignore": b"lines\n",
    }
    data = tar(*(Member(name=f"one-1/{name}", content=content) for name, content in files.items()))
    (tmp_path / "one.tar").write_bytes(data)
    source = f"{{archive: 'file://{tmp_path}/one.tar', sha256: {hashlib.sha256(data).hexdigest()}}}"
    change(made.recipe, '{git: https://git.example.org/upstream/one, ref: "${{ version }}"}', source)
    made.rearch.run("lock", "--prune")
    before = made.state()
    made.rearch.run("patch", "start", "one")
    assert "fsmonitor" not in (made.tree / ".git/config").read_text()
    assert made.git("status", "--porcelain") == ""
    assert "2 as they were" in made.rearch.run("patch", "refresh", "one").err
    assert made.state() == before
    assert not mark.exists()
