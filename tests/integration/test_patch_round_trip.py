"""`patch start|refresh` with every kind of change, and with what people do to a worktree in between."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from rearch.formats.patch import PatchText, apply_patch
from tests.support.cli import Cli
from tests.support.debian_archive import DebianArchive, host_setup, quilt_files
from tests.support.go_project import change, make_go_project, program_files, write_file
from tests.support.needs import need_program
from tests.support.repositories import Content, Executable, Repository
from tests.support.upkeep import LINES, Maintained, line_patch, make_maintained

LATIN = "caf\xe9\n".encode("latin-1")
# Characters that Python takes for the end of a line, and patches do not.
ODD = b"one\x0ctwo\x1cthree\xc2\x85four\xe2\x80\xa8five\rsix\n"
FILES: dict[str, Content] = {
    **program_files("one"),
    "lines": LINES,
    "crlf": b"a\r\nb\r\nc\r\n",
    "mixed": b"a\r\nb\nc\r\n",
    "latin": LATIN * 3,
    "odd": ODD * 2,
    "open": "no line end",
    "tool": Executable("#!/bin/sh\n"),
    "plain": "#!/bin/sh\n",
    "empty": "",
    "old": "moves\naway\n",
    "gone": "goes\n",
    "with space": "x\n",
    ".gitignore": "*.log\nbuilt/\n",
}


@pytest.fixture
def made(tmp_path: Path) -> Maintained:
    found = make_maintained(tmp_path)
    found.one.commit(FILES, "every kind")
    found.one.tag("v1.1.0")
    found.recipe.write_text(found.recipe.read_text().replace("'v1.0.0'", "'v1.1.0'"))
    found.rearch.run("lock")
    return found


def _write(name: str, data: bytes) -> Callable[[Path], None]:
    def act(tree: Path) -> None:
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_bytes(data)

    return act


def _replace(name: str, old: bytes, new: bytes) -> Callable[[Path], None]:
    def act(tree: Path) -> None:
        data = (tree / name).read_bytes()
        assert old in data
        (tree / name).write_bytes(data.replace(old, new, 1))

    return act


def _both(one: Callable[[Path], object], other: Callable[[Path], object]) -> Callable[[Path], None]:
    def act(tree: Path) -> None:
        one(tree)
        other(tree)

    return act


CHANGES: dict[str, Callable[[Path], object]] = {
    "line": _replace("lines", b"line 7\n", b"seven\n"),
    "new": _write("deep/new/file", b"x\ny\n"),
    "new-empty": _write("nothing", b""),
    "new-crlf": _write("dos", b"a\r\nb\r\n"),
    "delete": lambda tree: (tree / "gone").unlink(),
    "delete-empty": lambda tree: (tree / "empty").unlink(),
    "emptied": _write("gone", b""),
    "filled": _write("empty", b"now\n"),
    "rename": lambda tree: (tree / "old").rename(tree / "moved"),
    "rename-and-change": _both(_replace("old", b"away", b"far away"), lambda tree: (tree / "old").rename(tree / "m")),
    "x-on": lambda tree: (tree / "plain").chmod(0o755),
    "x-off": lambda tree: (tree / "tool").chmod(0o644),
    "x-and-line": _both(_replace("plain", b"sh\n", b"bash\n"), lambda tree: (tree / "plain").chmod(0o755)),
    "crlf-line": _replace("crlf", b"b\r\n", b"B\r\n"),
    "crlf-to-lf": _write("crlf", b"a\nb\nc\n"),
    "one-crlf": _replace("crlf", b"b\r\n", b"b\n"),
    "mixed": _replace("mixed", b"b\n", b"b\r\n"),
    "latin": _replace("latin", LATIN, "th\xe9\n".encode("latin-1")),
    "odd": _replace("odd", ODD, ODD.replace(b"two", b"2")),
    "open-line": _write("open", b"still no line end"),
    "closed-line": _write("open", b"no line end\n"),
    "space": _write("with space", b"y\n"),
    "names": lambda tree: [_write(name, b"1\n")(tree) for name in ("caf\xe9", 'qu"o', "t\tab", " lead", "b\\s", "-d")],
    "diff-like": _write("lines", b"--- a/x\n+++ b/x\n@@ -1 +1 @@\n-- a\n++ b\n"),
}  # fmt: skip


def content(tree: Path) -> dict[str, tuple[bytes, bool]]:
    """Name -> (content, executable) of all files that are not git's."""
    found = {}
    for path in sorted(tree.rglob("*")):
        name = path.relative_to(tree)
        if path.is_file() and name.parts[0] != ".git":
            found[str(name)] = (path.read_bytes(), os.access(path, os.X_OK) and bool(path.stat().st_mode & 0o100))
    return found


def test_every_kind_of_change_is_said_exactly(made: Maintained, tmp_path: Path) -> None:
    """Each patch makes one change and takes the one before back. All trees come out to the byte, and a second
    refresh has nothing to write."""
    made.rearch.run("patch", "start", "one")
    place, trees = tmp_path / "place", []
    shutil.copytree(made.tree, place, ignore=shutil.ignore_patterns(".git"))
    for name, act in CHANGES.items():
        _as_in(place, made.tree)
        act(made.tree)
        trees.append(content(made.tree))
        made.git("add", "--all", "--force")
        made.git("commit", "--quiet", "-m", f"{name}.patch")
    made.rearch.run("patch", "refresh", "one")
    series = (made.patches / "series").read_text().split()
    assert series == [f"{name}.patch" for name in CHANGES]
    for name, tree in zip(series, trees, strict=True):
        apply_patch(place, PatchText(name, (made.patches / name).read_bytes()), 0, lambda _: None)
        assert content(place) == tree, name
    before = made.state()
    assert "0 written" in made.rearch.run("patch", "refresh", "one").err
    made.rearch.run("patch", "start", "one", "--fresh")
    assert content(made.tree) == trees[-1]
    assert "0 written" in made.rearch.run("patch", "refresh", "one").err
    assert made.state() == before


def _as_in(source: Path, tree: Path) -> None:
    for path in tree.iterdir():
        if path.name != ".git":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    shutil.copytree(source, tree, dirs_exist_ok=True)


def test_what_stands_beside_the_patches_stays(made: Maintained) -> None:
    """Comments of the series, a header by DEP-3, a patch without leading folders; also when the middle one goes."""
    header = "Description: ten\n # not a comment\nAuthor: A Person <a@example.org>\nLast-Update: 2020-01-01\n---\n"
    bare = line_patch(20, "TWENTY").replace("a/lines", "lines").replace("b/lines", "lines")
    series = "# the first\n\nten.patch\n# bare\ntwenty.patch -p0  # as it came\n\n# the last\nthirty.patch\n# end\n"
    made.series(series, ten=line_patch(10, "TEN", header), twenty=bare, thirty=line_patch(25, "XXV"))
    before = made.state()
    made.rearch.run("patch", "start", "one")
    made.rearch.run("patch", "refresh", "one")
    assert made.state() == before
    made.git("commit", "--quiet", "--amend", "--allow-empty", "-m", "thirty.patch\n\nDescription: thirty\n")
    _replace("lines", b"XXV", b"25")(made.tree)
    made.rearch.run("patch", "refresh", "one", "--name", "thirty.patch")
    after = made.state()
    assert after.pop("recipes/demo/patches/one/thirty.patch").startswith(b"Description: thirty\ndiff --git")
    assert after == {name: data for name, data in before.items() if not name.endswith("thirty.patch")}
    made.rearch.run("patch", "drop", "one", "twenty.patch")
    assert (made.patches / "series").read_text() == "# the first\n\nten.patch\n\n# the last\nthirty.patch\n# end\n"
    assert sorted(path.name for path in made.patches.iterdir()) == ["series", "ten.patch", "thirty.patch"]


def test_nothing_of_a_worktree_is_lost(made: Maintained) -> None:
    """A stash, a branch aside, files that .gitignore names, another process: each is in the way of taking it away."""
    made.series("ten.patch\n", ten=line_patch(10, "TEN"))
    made.rearch.run("patch", "start", "one")
    write_file(made.tree / "built/notes", "mine")
    made.rearch.run("patch", "start", "one")  # stays as it is
    assert "left out: built/" in made.rearch.run("patch", "refresh", "one").err
    assert "built/ (.gitignore names it)" in made.rearch.run("patch", "drop", "one", "ten.patch", code=2).err
    shutil.rmtree(made.tree / "built")
    _replace("lines", b"line 1\n", b"one\n")(made.tree)
    made.git("stash")
    assert "refs/stash" in made.rearch.run("patch", "drop", "one", "ten.patch", code=2).err
    made.git("stash", "drop")
    made.git("checkout", "--quiet", "-b", "aside")
    made.git("commit", "--allow-empty", "-m", "mine")
    made.git("checkout", "--quiet", "-")
    assert "refs/heads/aside" in made.rearch.run("patch", "drop", "one", "ten.patch", code=2).err
    name = hashlib.sha256(os.fsencode(made.tree)).hexdigest()[:16]
    with (made.rearch.cache / f"patches/{name}.lock").open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        for words in (("start",), ("refresh",)):
            assert "works on" in made.rearch.run("patch", *words, "one", code=75).err
    made.git("branch", "--quiet", "-D", "aside")
    made.rearch.run("patch", "drop", "one", "ten.patch")
    assert not made.tree.exists()
    assert not made.patches.exists()


def test_a_commit_that_waits_to_be_squashed_is_no_patch(made: Maintained) -> None:
    made.series("ten.patch\n", ten=line_patch(10, "TEN"))
    made.rearch.run("patch", "start", "one")
    _replace("lines", b"TEN", b"X")(made.tree)
    made.git("commit", "--all", "--quiet", "--fixup", "HEAD")
    assert "--autosquash" in made.rearch.run("patch", "refresh", "one", code=2).err
    made.git("-c", "sequence.editor=true", "rebase", "--quiet", "-i", "--autosquash", "--root")
    assert made.rearch.run("patch", "refresh", "one").out == "wrote ten.patch\n"


def test_a_file_that_upstream_removed(made: Maintained) -> None:
    """No marks show such a conflict, so it is asked for; and a merge that somebody commits himself counts, too."""
    files = {name: data for name, data in FILES.items() if name != "gone"}
    files["lines"] = LINES.replace("line 20\n", "upstream 20\n")
    patch = "--- a/gone\n+++ b/gone\n@@ -1 +1 @@\n-goes\n+stays\n"
    made.series("gone.patch\ntwenty.patch\n", gone=patch, twenty=line_patch(20, "TWENTY"))
    made.one.commit(files, "less")
    made.one.tag("v2.0.0")
    made.rearch.run("bump", "one", "--to", "v2.0.0", "--force")
    assert "no marks in gone" in made.rearch.run("patch", "start", "one", code=1).err
    assert "git add FILE" in made.rearch.run("patch", "refresh", "one", code=1).err
    made.git("add", "gone")
    assert "twenty.patch: conflicts in lines" in made.rearch.run("patch", "refresh", "one", code=1).err
    write_file(made.tree / "lines", LINES.replace("line 20\n", "both 20\n"))
    made.git("commit", "--all", "--quiet", "-m", "solved")
    assert made.rearch.run("patch", "refresh", "one").out == "wrote gone.patch\nwrote twenty.patch\n"
    assert b"+stays\n" in (made.patches / "gone.patch").read_bytes()
    assert made.git("log", "--format=%s").split("\n")[:2] == ["twenty.patch", "gone.patch"]


DEBIAN_PATCH = "--- a/lines\n+++ b/lines\n@@ -1,3 +1,3 @@\n-line 1\n+debian 1\n line 2\n line 3\n"


@pytest.fixture
def packaged(tmp_path: Path) -> Maintained:
    """The component is a Debian source package with a series of its own, in versions 1.0-1 and 1.1-1."""
    need_program("apt-get", "apt")
    archive = DebianArchive(tmp_path / "archive")
    archive.add_deb("build-essential", {"usr/share/doc/x": "x"}, arch="amd64")
    debian: dict[str, Content] = {"patches/series": "own.patch\n", "patches/own.patch": DEBIAN_PATCH}
    for version, text in (("1.0-1", LINES), ("1.1-1", "above\n" * 5 + LINES.replace("line 20\n", "upstream 20\n"))):
        patch = DEBIAN_PATCH.replace("@@ -1,3 +1,3 @@", "@@ -6,3 +6,3 @@") if version == "1.1-1" else DEBIAN_PATCH
        files = {**program_files("one"), "lines": text}
        tars = quilt_files("one", version, files, debian=debian | {"patches/own.patch": patch})
        archive.add_source("one", version, tars)
    archive.publish()
    env = host_setup(tmp_path / "etc", f"file:{archive.root}")
    project = make_go_project(tmp_path / "project", components=("one",))
    recipe = project / "recipes/demo/one.yaml"
    change(recipe, "version: v1.0.0\n", "")
    change(recipe, "{path: src/one}", "{debian: one, version: 1.0-1}")
    made = Maintained(Cli(project, tmp_path / "cache", env=env), Repository(tmp_path / "none"))
    made.rearch.run("lock")
    return made


def test_a_debian_source(packaged: Maintained) -> None:
    """Its own series is in what the worktree starts from; ours comes after it, and the two are not mixed."""
    made = packaged
    made.series("ten.patch\n", ten=line_patch(10, "TEN"))
    before = made.state()
    made.rearch.run("patch", "start", "one")
    assert (made.tree / "lines").read_text().startswith("debian 1\n")
    assert made.git("log", "--format=%s").splitlines() == ["ten.patch", "demo/one one 1.0-1"]
    assert "1 as they were" in made.rearch.run("patch", "refresh", "one").err
    assert made.state() == before
    write_file(made.tree / "debian/patches/series", "own.patch\nmore.patch\n")
    write_file(made.tree / "debian/patches/more.patch", "")
    said = made.rearch.run("patch", "refresh", "one", "--name", "more.patch", code=2).err
    assert "Debian package's own series" in said
    assert "debian/patches/more.patch" in said
    assert made.state() == before
    made.git("reset", "--hard", "--quiet", "HEAD~1")
    _replace("lines", b"line 28\n", b"28\n")(made.tree)
    assert made.rearch.run("patch", "refresh", "one", "--name", "more.patch").out == "wrote more.patch\n"
    assert made.rearch.run("patch", "list", "one").out == "ten.patch: lines\nmore.patch: lines\n"
    made.rearch.run("patch", "drop", "one", "more.patch")
    assert made.state() == before


def test_a_debian_source_moves(packaged: Maintained) -> None:
    made = packaged
    made.series("ten.patch\ntwenty.patch\n", ten=line_patch(10, "TEN"), twenty=line_patch(20, "TWENTY"))
    made.recipe.write_text(made.recipe.read_text().replace("1.0-1", "1.1-1"))
    made.rearch.run("lock", "--update")
    listed = made.rearch.run("patch", "list", "one", code=1).out
    assert "twenty.patch: patch twenty.patch does not apply to lines" in listed
    assert "--from" in made.rearch.run("patch", "start", "one", code=1).err
    assert "conflicts in lines" in made.rearch.run("patch", "start", "one", "--from", "1.0-1", code=1).err
    text = (made.tree / "lines").read_text()
    assert "<<<<<<< " in text
    start, end = text.index("<<<<<<< "), text.index("\n", text.index(">>>>>>> ")) + 1
    write_file(made.tree / "lines", text[:start] + "both 20\n" + text[end:])
    assert made.rearch.run("patch", "refresh", "one").out == "wrote twenty.patch\n"
    assert made.rearch.run("patch", "list", "one").out.startswith("ten.patch: lines\n")
