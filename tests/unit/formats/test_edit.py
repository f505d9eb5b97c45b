"""Counted edits. The worker runs in this process here; tests/integration/test_edit_worker.py starts the real one."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rearch.formats import edit_worker
from rearch.formats.edit import (
    AppliedEdit,
    EditFailed,
    EditFileMissing,
    EditReplacementBad,
    EditTools,
    EditTooSlow,
    apply_edit,
    glob_regex,
    plain_text,
)
from rearch.formats.patch_model import PatchEscapes
from rearch.model.command import Command, Completed
from rearch.model.recipe import Edit

SOURCE = """package main

func wait() error {
	maxTime := 20 * time.Second
	for i := 1; i < 5; i++ {
		retry(i)
	}
	return nil
}
"""


def in_process(command: Command) -> Completed:
    """What the worker does, without its limits."""
    request = json.loads(Path(command.argv[-2]).read_text())
    answer = edit_worker.replace_all(request["pattern"], request["replace"], request["files"], request["outs"])
    Path(command.argv[-1]).write_text(json.dumps(answer))
    return Completed(exit=0, output="", seconds=0.0)


def edit(file: str, pattern: str, replace: str, count: int = 1) -> Edit:
    return Edit(file=file, pattern=pattern, replace=replace, count=count, why="slow networks")


def run(tmp_path: Path, wanted: Edit, *, at_least: bool = False) -> AppliedEdit:
    scratch = tmp_path / "scratch"
    scratch.mkdir(exist_ok=True)
    tools = EditTools(run=in_process, scratch=scratch)
    return apply_edit(tmp_path / "root", wanted, tools, who="edit 2", at_least=at_least)


@pytest.fixture
def main(tmp_path: Path) -> Path:
    path = tmp_path / "root" / "main.go"
    path.parent.mkdir()
    path.write_text(SOURCE)
    return path


def test_a_match_is_replaced_and_the_linked_original_stays(tmp_path: Path, main: Path) -> None:
    os.link(main, tmp_path / "store.go")
    done = run(tmp_path, edit("main.go", r"(maxTime := )20\b", r"\g<1>300"))
    assert main.read_text() == SOURCE.replace("20 *", "300 *")
    assert (tmp_path / "store.go").read_text() == SOURCE
    assert (done.count, done.files) == (1, ("main.go",))
    assert [str(place) for place in done.places] == ["main.go:4: maxTime := 20 * time.Second"]
    assert list((tmp_path / "scratch").glob("edited-*")) == []


def test_the_mode_is_kept(tmp_path: Path, main: Path) -> None:
    main.chmod(0o755)
    run(tmp_path, edit("main.go", "wait", "hold"))
    assert main.stat().st_mode & 0o777 == 0o755


def test_line_anchors_match_at_every_line(tmp_path: Path, main: Path) -> None:
    assert run(tmp_path, edit("main.go", r"^\t\t?\w.*$", r"\g<0> //", count=4)).count == 4
    assert main.read_text().count(" //\n") == 4


def test_too_many_matches_name_the_places(tmp_path: Path, main: Path) -> None:
    with pytest.raises(EditFailed) as caught:
        run(tmp_path, edit("main.go", r"\bi\b", "j"))
    error = caught.value
    assert error.found == 4
    assert error.summary == "edit 2 of main.go must match once, and matches 4 times"
    assert "main.go:5: for i := 1; i < 5; i++ {" in error.details
    assert "count: 4" in (error.hint or "")
    assert main.read_text() == SOURCE


def test_too_few_matches_name_the_places(tmp_path: Path, main: Path) -> None:
    with pytest.raises(EditFailed, match="must match 3 times, and matches once"):
        run(tmp_path, edit("main.go", "maxTime", "x", count=3))
    assert main.read_text() == SOURCE


def test_no_match_names_the_nearest_lines(tmp_path: Path, main: Path) -> None:
    with pytest.raises(EditFailed) as caught:
        run(tmp_path, edit("main.go", r"maximum\s*:=\s*30 \* time\.Second", "x"))
    assert str(caught.value.near[0]) == "main.go:4: maxTime := 20 * time.Second"
    assert "matches nowhere" in caught.value.summary
    assert any("why: slow networks" in line for line in caught.value.details)


def test_no_match_and_nothing_near_says_so(tmp_path: Path, main: Path) -> None:
    with pytest.raises(EditFailed) as caught:
        run(tmp_path, edit("main.go", "qqqqqqqqqqqqqqqqqqqqqqqq", "x"))
    assert caught.value.near == ()
    assert "upstream has solved it" in (caught.value.hint or "")


def test_at_least_takes_more_but_not_fewer(tmp_path: Path, main: Path) -> None:
    assert run(tmp_path, edit("main.go", r"\bi\b", "j"), at_least=True).count == 4
    with pytest.raises(EditFailed):
        run(tmp_path, edit("main.go", r"\bi\b", "j"), at_least=True)


def test_stars_name_several_files_and_the_count_is_of_all(tmp_path: Path, main: Path) -> None:
    for name in ("vendor/x/codec/gen.go", "vendor/codec/gen.go", "vendor/codec/other.go"):
        path = tmp_path / "root" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("wait\n")
    done = run(tmp_path, edit("**/codec/gen.go", "wait", "hold", count=2))
    assert done.files == ("vendor/codec/gen.go", "vendor/x/codec/gen.go")
    assert (tmp_path / "root/vendor/codec/other.go").read_text() == "wait\n"


@pytest.mark.parametrize(
    ("pattern", "name", "fits"),
    [
        ("*.go", "a.go", True),
        ("*.go", "x/a.go", False),
        ("**/*.go", "a.go", True),
        ("**/*.go", "x/y/a.go", True),
        ("vendor/**", "vendor/a/b", True),
        ("vendor/**/a.go", "vendor/a.go", True),
        ("vendor/**/a.go", "vendorx/a.go", False),
        ("a?[b].go", "a?[b].go", True),
        ("a?[b].go", "axb.go", False),
        ("a.go", "abgo", False),
    ],
)
def test_names(pattern: str, name: str, fits: bool) -> None:
    assert bool(glob_regex(pattern).fullmatch(name)) is fits


@pytest.mark.parametrize("name", ["mian.go", "**/mani.go"])
def test_a_file_that_is_missing_names_the_nearest(tmp_path: Path, main: Path, name: str) -> None:
    with pytest.raises(EditFileMissing) as caught:
        run(tmp_path, edit(name, "x", "y"))
    assert "main.go" in (caught.value.hint or "")


@pytest.mark.parametrize("replace", [r"\2", r"\g<name>", r"\q", r"\g<"])
@pytest.mark.parametrize("pattern", ["(wait)", "(not there)"])
def test_a_bad_replacement_is_said_even_where_nothing_matches(
    tmp_path: Path, main: Path, pattern: str, replace: str
) -> None:
    wanted = edit("main.go", pattern, "").model_copy(update={"replace": replace})  # a recipe cannot say it
    with pytest.raises(EditReplacementBad) as caught:
        run(tmp_path, wanted)
    assert r"\1" in (caught.value.hint or "")
    assert main.read_text() == SOURCE


def test_links_are_refused(tmp_path: Path, main: Path) -> None:
    outside = tmp_path / "outside.go"
    outside.write_text("wait\n")
    (main.parent / "link.go").symlink_to(outside)
    with pytest.raises(PatchEscapes):
        run(tmp_path, edit("link.go", "wait", "x"))
    assert outside.read_text() == "wait\n"


def test_a_pattern_that_is_stopped_is_told(tmp_path: Path, main: Path) -> None:
    def stopped(_command: Command) -> Completed:
        return Completed(exit=None, output="", seconds=20.0)

    (tmp_path / "scratch").mkdir()
    tools = EditTools(run=stopped, scratch=tmp_path / "scratch")
    with pytest.raises(EditTooSlow, match="stopped after 20 s"):
        apply_edit(tmp_path / "root", edit("main.go", "(w+)+x", "y"), tools)
    assert main.read_text() == SOURCE


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"a\r\nx\r\nb\r\n", b"a\r\ny\r\nb\r\n"),
        (b"a\nx\nb", b"a\ny\nb"),
        (b"\xef\xbb\xbfx\n", b"\xef\xbb\xbfy\n"),
        (b"\xff\xfe\nx\n\xff", b"\xff\xfe\ny\n\xff"),
        (b"a\r\nb\nx\n", b"a\r\nb\ny\n"),
    ],
)
def test_line_ends_marks_and_foreign_bytes_stay(tmp_path: Path, main: Path, before: bytes, after: bytes) -> None:
    main.write_bytes(before)
    run(tmp_path, edit("main.go", "^x$", "y"))
    assert main.read_bytes() == after


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.binary(max_size=120).map(lambda data: data.replace(b"needle", b"")))
def test_what_is_not_matched_stays_byte_for_byte(data: bytes) -> None:
    compiled = re.compile("needle", re.MULTILINE)
    made, places = edit_worker.replace(compiled, "thread", b"needle\n" + data + b"\nneedle")
    assert len(places) == 2
    assert made == b"thread\n" + data + b"\nthread"


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r"foo\s*\(", "foo ("),
        (r"^\tmaxTime := (\d+)$", " maxTime := 0"),
        (r"a\.b", "a.b"),
    ],
)
def test_a_pattern_as_text(pattern: str, text: str) -> None:
    assert plain_text(pattern) == text


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.text(max_size=60))
def test_any_pattern_has_a_text(pattern: str) -> None:
    assert len(plain_text(pattern)) <= 2 * len(pattern) + 2
