"""Patches on real trees: what is applied, what is refused, and what a refusal says."""

from __future__ import annotations

import difflib
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rearch.errors import HostileInputError, RearchError, StepError
from rearch.formats.patch import apply_series
from rearch.formats.patch_hunk import apply_hunks, split_lines
from rearch.formats.patch_model import (
    PatchConflict,
    PatchEscapes,
    PatchFailed,
    PatchTargetMissing,
    PatchUnreadable,
)
from rearch.formats.patch_parse import parse_patch, unquoted

TEN = "".join(f"line {number}\n" for number in range(1, 11))


def tree(root: Path, **files: str | bytes) -> Path:
    for name, content in files.items():
        path = root / name.replace("__", "/").replace("_go", ".go")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return root


def diff(old: str, new: str, name: str = "main.go", context: int = 3) -> bytes:
    lines = difflib.unified_diff(
        old.splitlines(keepends=True), new.splitlines(keepends=True), f"a/{name}", f"b/{name}", n=context
    )
    return "".join(
        line if line.endswith("\n") else line + "\n\\ No newline at end of file\n" for line in lines
    ).encode()


def run(root: Path, *patches: bytes, fuzz: int = 0, strip: int = 1) -> list[str]:
    said: list[str] = []
    series = [(f"{number}.patch", data, strip) for number, data in enumerate(patches, 1)]
    apply_series(root, series, fuzz, said.append)
    return said


def test_a_change_is_applied_and_the_linked_original_stays(tmp_path: Path) -> None:
    store = tree(tmp_path / "store", main_go=TEN)
    root = tmp_path / "work"
    root.mkdir()
    os.link(store / "main.go", root / "main.go")
    new = TEN.replace("line 5\n", "line five\nline 5a\n")
    assert run(root, diff(TEN, new)) == ["patch 1.patch: changed main.go"]
    assert (root / "main.go").read_text() == new
    assert (store / "main.go").read_text() == TEN
    assert sorted(path.name for path in root.iterdir()) == ["main.go"]


def test_patches_build_on_each_other_and_one_patch_may_name_a_file_twice(tmp_path: Path) -> None:
    root = tree(tmp_path, main_go=TEN)
    second = TEN.replace("line 2\n", "line two\n")
    third = second.replace("line 9\n", "line nine\n")
    fourth = third.replace("line two\n", "line zwei\n")
    run(root, diff(TEN, second) + diff(second, third), diff(third, fourth))
    assert (root / "main.go").read_text() == fourth


def test_an_offset_is_found_and_told(tmp_path: Path) -> None:
    root = tree(tmp_path, main_go="new\n" * 7 + TEN)
    said = run(root, diff(TEN, TEN.replace("line 5\n", "changed\n")))
    assert said[0] == "patch 1.patch: main.go: hunk 1 fits at line 9, offset +7"
    assert (root / "main.go").read_text() == "new\n" * 7 + TEN.replace("line 5\n", "changed\n")


def test_fuzz_is_an_error_until_it_is_allowed_and_then_upstream_context_stays(tmp_path: Path) -> None:
    root = tree(tmp_path, main_go=TEN.replace("line 2\n", "other 2\n"))
    patch = diff(TEN, TEN.replace("line 5\n", "changed\n"))
    with pytest.raises(PatchFailed) as caught:
        run(root, patch)
    assert caught.value.failures[0].fuzz == 1
    assert "fuzz 1" in (caught.value.hint or "")
    said = run(root, patch, fuzz=1)
    assert "with fuzz 1" in said[0]
    assert (root / "main.go").read_text() == TEN.replace("line 2\n", "other 2\n").replace("line 5\n", "changed\n")


def test_fuzz_never_lets_a_changed_line_differ(tmp_path: Path) -> None:
    root = tree(tmp_path, main_go=TEN.replace("line 5\n", "other 5\n"))
    with pytest.raises(PatchFailed) as caught:
        run(root, diff(TEN, TEN.replace("line 5\n", "changed\n")), fuzz=3)
    assert caught.value.failures[0].fuzz is None


def test_a_failed_hunk_shows_upstream_beside_what_was_expected(tmp_path: Path) -> None:
    upstream = "head\n" + TEN.replace("line 5\n", "line V\n")
    root = tree(tmp_path, main_go=upstream)
    with pytest.raises(PatchFailed) as caught:
        run(root, diff(TEN, TEN.replace("line 5\n", "changed\n")))
    text = caught.value.render()
    assert "patch 1.patch does not apply to main.go" in text
    assert "main.go: hunk 1 of 1, @@ -2,7 +2,7 @@" in text
    assert "nearest place: line 3 " in text
    assert "-       line 5" in text
    assert "+     6 line V" in text
    assert "      5 line 4" in text
    assert isinstance(caught.value, StepError)


def test_all_failed_hunks_are_told_and_nothing_is_written(tmp_path: Path) -> None:
    long = "".join(f"line {number}\n" for number in range(1, 60))
    upstream = long.replace("line 5\n", "x\n").replace("line 50\n", "y\n")
    root = tree(tmp_path, main_go=upstream, other_go=TEN)
    changed = long.replace("line 5\n", "a\n").replace("line 25\n", "b\n").replace("line 50\n", "c\n")
    patch = diff(TEN, TEN + "more\n", "other.go") + diff(long, changed)
    with pytest.raises(PatchFailed) as caught:
        run(root, patch)
    assert [failure.number for failure in caught.value.failures] == [1, 3]
    assert (root / "main.go").read_text() == upstream
    assert (root / "other.go").read_text() == TEN
    assert sorted(path.name for path in root.iterdir()) == ["main.go", "other.go"]


def test_what_is_applied_already_is_recognised(tmp_path: Path) -> None:
    new = TEN.replace("line 5\n", "line five\n")
    root = tree(tmp_path, main_go=new)
    said = run(root, diff(TEN, new))
    assert said == [
        "patch 1.patch: main.go: hunk 1 is already applied, at line 2",
        "patch 1.patch: already applied, all of it",
    ]
    assert (root / "main.go").read_text() == new


def test_one_hunk_applied_already_does_not_keep_the_others_out(tmp_path: Path) -> None:
    long = "".join(f"line {number}\n" for number in range(1, 40))
    half = long.replace("line 5\n", "five\n")
    root = tree(tmp_path, main_go=half)
    said = run(root, diff(long, half.replace("line 30\n", "thirty\n")))
    assert "hunk 1 is already applied" in said[0]
    assert (root / "main.go").read_text() == half.replace("line 30\n", "thirty\n")


def test_files_are_made_and_removed_with_their_folders(tmp_path: Path) -> None:
    root = tree(tmp_path, old__deep__gone_go=TEN, keep_go="x\n")
    create = b"--- /dev/null\n+++ b/new/deep/f.go\n@@ -0,0 +1,2 @@\n+one\n+two\n\\ No newline at end of file\n"
    remove = diff(TEN, "", "old/deep/gone.go").replace(b"+++ b/old/deep/gone.go", b"+++ /dev/null")
    run(root, create + remove)
    assert (root / "new/deep/f.go").read_bytes() == b"one\ntwo"
    assert not (root / "old").exists()
    assert run(root, create + remove)[-1] == "patch 1.patch: already applied, all of it"


def test_a_diff_with_dates_of_1970_makes_and_removes_files(tmp_path: Path) -> None:
    root = tree(tmp_path, gone_go="one\n")
    patch = (
        b"--- pkg-1.0.orig/debian/rules\n+++ pkg-1.0/debian/rules\n@@ -0,0 +1 @@\n+all:\n"
        b"--- pkg-1.0.orig/gone.go\t2020-01-01 00:00:00\n+++ pkg-1.0/gone.go\t1970-01-01 00:00:00"
        b"\n@@ -1 +0,0 @@\n-one\n"
    )
    run(root, patch)
    assert (root / "debian/rules").read_text() == "all:\n"
    assert not (root / "gone.go").exists()


def test_a_file_that_is_there_with_other_content_is_not_overwritten(tmp_path: Path) -> None:
    root = tree(tmp_path, f_go="mine\n")
    with pytest.raises(PatchConflict, match="already with other content"):
        run(root, b"--- /dev/null\n+++ b/f.go\n@@ -0,0 +1 @@\n+theirs\n")
    with pytest.raises(PatchConflict, match="does not know"):
        run(tree(root, g_go="one\ntwo\n"), b"--- a/g.go\n+++ /dev/null\n@@ -1,1 +0,0 @@\n-one\n")
    assert (root / "f.go").read_text() == "mine\n"


GIT = b"""diff --git a/ren.go b/moved.go
similarity index 80%
rename from ren.go
rename to moved.go
--- a/ren.go
+++ b/moved.go
@@ -1,3 +1,3 @@
 a
-b
+B
 c
diff --git a/src.go b/copy.go
similarity index 90%
copy from src.go
copy to copy.go
diff --git "a/d \\303\\244/x y.sh" "b/d \\303\\244/x y.sh"
old mode 100644
new mode 100755
diff --git a/empty.go b/empty.go
new file mode 100755
index 0000000..e69de29
diff --git a/void.go b/void.go
deleted file mode 100644
index e69de29..0000000
"""
GIT += b"-- \n2.39.5\n"


def test_git_headers(tmp_path: Path) -> None:
    root = tree(tmp_path, ren_go="a\nb\nc\n", src_go="s\n", void_go="")
    script = root / "d ä" / "x y.sh"
    script.parent.mkdir()
    script.write_text("#!/bin/sh\n")
    run(root, GIT)
    assert (root / "moved.go").read_text() == "a\nB\nc\n"
    assert not (root / "ren.go").exists()
    assert (root / "copy.go").read_text() == (root / "src.go").read_text() == "s\n"
    assert script.stat().st_mode & 0o777 == 0o755
    assert (root / "empty.go").read_bytes() == b""
    assert (root / "empty.go").stat().st_mode & 0o111
    assert not (root / "void.go").exists()


def test_two_files_may_change_places(tmp_path: Path) -> None:
    root = tree(tmp_path, a_go="a\n", b_go="b\n")
    swap = (
        b"diff --git a/a.go b/b.go\nrename from a.go\nrename to b.go\n"
        b"diff --git a/b.go b/a.go\nrename from b.go\nrename to a.go\n"
    )
    run(root, swap)
    assert ((root / "a.go").read_text(), (root / "b.go").read_text()) == ("b\n", "a\n")


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_line_ends_are_the_files(tmp_path: Path, end: str) -> None:
    root = tree(tmp_path, main_go=TEN.replace("\n", end))
    new = TEN.replace("line 5\n", "changed\n")
    for patch in (diff(TEN, new), diff(TEN, new).replace(b"\n", b"\r\n")):
        run(tree(root, main_go=TEN.replace("\n", end)), patch)
        assert (root / "main.go").read_bytes() == new.replace("\n", end).encode()


def test_a_missing_last_line_end_is_kept_made_and_removed(tmp_path: Path) -> None:
    root = tree(tmp_path, main_go="a\nb")
    run(root, diff("a\nb", "a\nc"))
    assert (root / "main.go").read_bytes() == b"a\nc"
    run(root, diff("a\nc", "a\nc\n"))
    assert (root / "main.go").read_bytes() == b"a\nc\n"
    run(root, diff("a\nc\n", "a\nd"))
    assert (root / "main.go").read_bytes() == b"a\nd"


def test_bytes_that_are_no_utf8_survive(tmp_path: Path) -> None:
    root = tree(tmp_path, main_go=b"\xff one\ntwo\n")
    run(root, b"--- a/main.go\n+++ b/main.go\n@@ -1,2 +1,2 @@\n \xff one\n-two\n+\xfe\n")
    assert (root / "main.go").read_bytes() == b"\xff one\n\xfe\n"


@pytest.mark.parametrize("strip", [0, 1, 2])
def test_strip(tmp_path: Path, strip: int) -> None:
    root = tree(tmp_path, main_go="a\n")
    prefix = b"x/" * strip
    run(root, b"--- " + prefix + b"main.go\n+++ " + prefix + b"main.go\n@@ -1 +1 @@\n-a\n+b\n", strip=strip)
    assert (root / "main.go").read_text() == "b\n"


def test_of_two_names_the_one_that_is_there_is_taken(tmp_path: Path) -> None:
    root = tree(tmp_path, main_go="a\n")
    run(root, b"--- a/main.go.orig\n+++ b/main.go\n@@ -1 +1 @@\n-a\n+b\n")
    assert (root / "main.go").read_text() == "b\n"


def test_a_target_that_is_missing_names_what_is_near(tmp_path: Path) -> None:
    root = tree(tmp_path, cmd__main_go="a\n")
    with pytest.raises(PatchTargetMissing) as caught:
        run(root, b"--- a/x/cmd/main.go\n+++ b/x/cmd/main.go\n@@ -1 +1 @@\n-a\n+b\n")
    assert caught.value.near == ("cmd/main.go",)
    assert "strip" in (caught.value.hint or "")


@pytest.mark.parametrize("name", ["../out", "a/../../out", "/etc/out"])
def test_names_that_lead_out_are_refused(tmp_path: Path, name: str) -> None:
    root = tree(tmp_path / "root", x_go="a\n")
    for patch in (f"--- /dev/null\n+++ {name}\n@@ -0,0 +1 @@\n+x\n", f"--- {name}\n+++ {name}\n@@ -1 +1 @@\n-x\n+y\n"):
        with pytest.raises(PatchEscapes) as caught:
            run(root, patch.encode(), strip=0)
        assert isinstance(caught.value, HostileInputError)
    assert [path.name for path in tmp_path.iterdir()] == ["root"]


def test_nothing_is_written_through_links(tmp_path: Path) -> None:
    outside = tree(tmp_path / "outside", f_go="a\n")
    root = tree(tmp_path / "root", x_go="a\n")
    (root / "folder").symlink_to(outside)
    (root / "link.go").symlink_to(outside / "f.go")
    for name in ("folder/f.go", "link.go"):
        with pytest.raises(PatchEscapes, match="symbolic link"):
            run(root, diff("a\n", "b\n", name))
    with pytest.raises(PatchEscapes, match="symbolic link"):
        run(root, b"--- /dev/null\n+++ b/folder/new.go\n@@ -0,0 +1 @@\n+x\n")
    assert (outside / "f.go").read_text() == "a\n"
    assert not (outside / "new.go").exists()


@pytest.mark.parametrize(
    ("patch", "problem"),
    [
        (b"diff --git a/x b/x\nindex 1..2\nGIT binary patch\nliteral 3\n", "binary"),
        (b"Binary files a/x and b/x differ\n", "binary"),
        (b"diff --git a/l b/l\nnew file mode 120000\n--- /dev/null\n+++ b/l\n@@ -0,0 +1 @@\n+t\n", "symbolic link"),
        (b"diff --git a/s b/s\nnew file mode 160000\n--- /dev/null\n+++ b/s\n@@ -0,0 +1 @@\n+t\n", "submodule"),
        (b"--- a/x\n+++ b/x\n@@ -1,5 +1,5 @@\n-a\n+b\n", "not a readable patch"),
        (b"just words\n", "no changes in it"),
        (b"--- x\n+++ x\n@@ -1 +1 @@\n-a\n+b\n", "no name is left"),
    ],
)
def test_what_is_no_patch_is_said(tmp_path: Path, patch: bytes, problem: str) -> None:
    with pytest.raises(PatchUnreadable, match=problem):
        run(tree(tmp_path, x="a\n"), patch)


def test_a_hunk_without_trailing_context_fits_only_at_the_end(tmp_path: Path) -> None:
    patch = b"--- a/main.go\n+++ b/main.go\n@@ -1,2 +1,3 @@\n a\n b\n+c\n"
    root = tree(tmp_path, main_go="a\nb\nx\n")
    with pytest.raises(PatchFailed):
        run(root, patch)
    run(tree(root, main_go="x\na\nb\n"), patch)
    assert (root / "main.go").read_text() == "x\na\nb\nc\n"


def test_the_nearest_of_several_places_is_taken() -> None:
    block = "a\nb\nc\n"
    lines = split_lines((block + "x\n" * 10 + block + "y\n" * 10 + block).encode())
    [file] = parse_patch("p", b"--- a/f\n+++ b/f\n@@ -15,3 +15,3 @@\n a\n-b\n+B\n c\n", 1)
    applied = apply_hunks("f", lines, file.hunks, 0)
    assert applied.fits[0].at == 13
    assert applied.fits[0].offset == -1


def test_an_empty_patch_changes_nothing(tmp_path: Path) -> None:
    root = tree(tmp_path, x="a\n")
    assert run(root, b"\n") == ["patch 1.patch: already applied, all of it"]


@pytest.mark.parametrize(
    ("quoted", "plain"), [('"a/\\303\\244"', "a/ä"), ("a/x", "a/x"), ('"a\\tb\\"c\\\\"', 'a\tb"c\\'), ('"', '"')]
)
def test_quoted_names(quoted: str, plain: str) -> None:
    assert unquoted(quoted) == plain


LINES = st.lists(st.sampled_from(["a", "b", "c", "", "\t}", "é", "x\r"]), max_size=25).map(
    lambda lines: "".join(line + "\n" for line in lines)
)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(old=LINES, new=LINES, context=st.integers(0, 4))
def test_a_diff_makes_its_new_side_and_is_then_seen_as_applied(old: str, new: str, context: int) -> None:
    data = diff(old.replace("\r", ""), new.replace("\r", ""), context=context)
    files = parse_patch("p", data, 1)
    lines = split_lines(old.replace("\r", "").encode())
    for file in files:
        applied = apply_hunks("f", lines, file.hunks, 0)
        assert not applied.failures
        assert b"".join(applied.lines) == new.replace("\r", "").encode()
        assert all(fit.offset == 0 and fit.fuzz == 0 for fit in applied.fits)


PIECES = st.sampled_from(
    [
        b"--- a/x\n", b"+++ b/x\n", b"@@ -1 +1 @@\n", b"@@ -1,2 +1 @@\n", b"-a\n", b"+b\n", b" c\n", b"\n", b"\r\n",
        b"diff --git a/x b/y\n", b"rename from x\n", b"rename to y\n", b"new file mode 100755\n", b"\\ No newline\n",
        b"+++ /dev/null\n", b"--- /dev/null\n", b"deleted file mode 1\n", b"\\ No newline at end of file\n", b"\xff\n",
        b'--- "a/\\777\n', b"@@ -0,0 +1 @@\n", b"@@ -99999999999,9 +1,9 @@\n", b"copy from x\n", b"copy to z\n",
    ]
)  # fmt: skip


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.one_of(st.binary(max_size=200), st.lists(PIECES, max_size=14).map(b"".join)))
def test_any_bytes_are_a_patch_or_an_error_in_words(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    base = tmp_path_factory.mktemp("fuzz")
    root = tree(base / "root", x="a\nc\n")
    failed = None
    try:
        run(root, data)
    except RearchError as error:
        failed = error
    if failed is not None:
        assert failed.render()
        assert {path.name: path.read_bytes() for path in root.iterdir()} == {"x": b"a\nc\n"}
    assert [path.name for path in base.iterdir()] == ["root"]
