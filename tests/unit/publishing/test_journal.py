"""What a publish remembers of the one that broke off."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rearch.publishing.journal import Journal
from rearch.registry.upload_place import Upload

PLACE = "registry.example.org:5000/team/agent"
D1, D2 = "sha256:" + "1" * 64, "sha256:" + "2" * 64
HALF = Upload(place=PLACE, digest=D1, location="http://registry.example.org/u?_state=x", offset=100, shortest=5)


def journal(folder: Path) -> Journal:
    return Journal(folder, "registry.example.org:5000")


def file_of(folder: Path) -> Path:
    [path] = folder.iterdir()
    return path


def test_a_killed_run_is_gone_on_with(tmp_path: Path) -> None:
    with journal(tmp_path) as first:
        first.note(HALF)
        first.sent(PLACE, D2)
        with journal(tmp_path / "other") as other:
            assert other.upload(PLACE, D1) is None
    with journal(tmp_path) as second:
        assert second.upload(PLACE, D1) == HALF
        assert second.knows(PLACE, D2)
        assert not second.knows(PLACE, D1)
        assert second.holders(D2) == (PLACE,)


def test_what_was_sent_is_no_open_upload(tmp_path: Path) -> None:
    with journal(tmp_path) as first:
        first.note(HALF)
        first.sent(PLACE, D1)
        assert first.upload(PLACE, D1) is None
    with journal(tmp_path) as second:
        assert second.upload(PLACE, D1) is None
        assert second.knows(PLACE, D1)


def test_what_a_repository_lost_is_forgotten(tmp_path: Path) -> None:
    with journal(tmp_path) as first:
        first.sent(PLACE, D1)
        first.forget(PLACE)
        first.sent(PLACE, D2)
    with journal(tmp_path) as second:
        assert (second.knows(PLACE, D1), second.knows(PLACE, D2)) == (False, True)


def test_nobody_else_can_read_it_and_nothing_is_made_without_need(tmp_path: Path) -> None:
    with journal(tmp_path / "new") as unused:
        unused.settle()
    assert not (tmp_path / "new").exists()
    with journal(tmp_path) as used:
        used.note(HALF)
    assert file_of(tmp_path).stat().st_mode & 0o777 == 0o600


def test_a_publish_that_ended_well_leaves_few_lines(tmp_path: Path) -> None:
    with journal(tmp_path) as first:
        for offset in range(50):
            first.note(Upload(place=PLACE, digest=D1, location="u", offset=offset))
        first.sent(PLACE, D1)
        first.settle()
        first.sent(PLACE, D2)
    assert len(file_of(tmp_path).read_text().splitlines()) == 2
    with journal(tmp_path) as second:
        assert second.knows(PLACE, D1)
        assert second.knows(PLACE, D2)


def test_two_at_once_do_not_go_on_with_one_upload(tmp_path: Path) -> None:
    with journal(tmp_path) as first:
        first.note(HALF)
        with journal(tmp_path) as second:
            assert second.upload(PLACE, D1) is None
            second.sent(PLACE, D2)
            second.settle()
    with journal(tmp_path) as third:
        assert third.upload(PLACE, D1) == HALF
        assert not third.knows(PLACE, D2)


def test_a_torn_line_is_ignored_and_the_next_one_is_whole(tmp_path: Path) -> None:
    with journal(tmp_path) as first:
        first.sent(PLACE, D1)
        first.note(HALF)
    path = file_of(tmp_path)
    path.write_bytes(path.read_bytes()[:-20])
    with journal(tmp_path) as second:
        assert second.upload(PLACE, D1) is None
        second.sent(PLACE, D2)
    with journal(tmp_path) as third:
        assert third.knows(PLACE, D1)
        assert third.knows(PLACE, D2)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(st.one_of(st.binary(max_size=60), st.sampled_from([b"{}", b"[]", b'{"place": 1}', b'{"place": "x"}']))))
def test_any_bytes_are_no_more_than_no_hint(tmp_path_factory: pytest.TempPathFactory, lines: list[bytes]) -> None:
    folder = tmp_path_factory.mktemp("journal")
    (folder / "registry.example.org_5000.jsonl").write_bytes(b"\n".join(lines))
    with journal(folder) as found:
        found.sent(PLACE, D1)
    with journal(folder) as again:
        assert again.knows(PLACE, D1)
