"""A file as a body: hashed once, sent as often as need be, and never to a wrong end."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rearch.oci.types import Descriptor, descriptor_of
from rearch.registry.push_errors import SourceChanged
from rearch.registry.upload_body import PIECE, open_blob

SIZE = 3 * PIECE + 17
DATA = bytes(number % 251 for number in range(SIZE))


@pytest.fixture(scope="module")
def blob(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Descriptor]:
    path = tmp_path_factory.mktemp("body") / "blob"
    path.write_bytes(DATA)
    return path, descriptor_of("x", DATA)


def ignore(_done: int) -> None:
    return None


@settings(max_examples=40, deadline=None, derandomize=True)
@given(spans=st.lists(st.tuples(st.integers(0, SIZE), st.integers(0, SIZE)), max_size=5))
def test_any_parts_in_any_order_are_the_files(blob: tuple[Path, Descriptor], spans: list[tuple[int, int]]) -> None:
    path, described = blob
    with open_blob(path, described) as file:
        for start, end in [sorted(span) for span in spans]:
            part = file.part(start, end, ignore)
            assert len(part) == end - start
            for _ in range(2):
                assert b"".join(part) == DATA[start:end]
        file.check()
        assert file.sent == 2 * sum(abs(end - start) for start, end in spans)


@pytest.mark.parametrize("wrong_at", [0, PIECE, SIZE - 1])
def test_the_last_piece_of_a_wrong_file_is_not_given_out(tmp_path: Path, wrong_at: int) -> None:
    path = tmp_path / "blob"
    path.write_bytes(DATA[:wrong_at] + b"\xff" + DATA[wrong_at + 1 :])
    with open_blob(path, descriptor_of("x", DATA)) as file:
        with pytest.raises(SourceChanged) as caught:
            list(file.part(0, SIZE, ignore))
        assert file.sent < SIZE
        assert caught.value.wanted == descriptor_of("x", DATA).digest
        with pytest.raises(SourceChanged):
            list(file.part(SIZE - 5, SIZE, ignore))


def test_what_another_run_has_sent_is_hashed_too(tmp_path: Path) -> None:
    path = tmp_path / "blob"
    path.write_bytes(b"\xff" + DATA[1:])
    with open_blob(path, descriptor_of("x", DATA)) as file, pytest.raises(SourceChanged):
        list(file.part(SIZE - 5, SIZE, ignore))


def test_what_was_checked_is_hashed_on_demand_alone(tmp_path: Path) -> None:
    path = tmp_path / "blob"
    path.write_bytes(b"\xff" + DATA[1:])
    with open_blob(path, descriptor_of("x", DATA), checked=True) as file:
        assert sum(map(len, file.part(0, SIZE, ignore))) == SIZE
        file.check()
        with pytest.raises(SourceChanged):
            file.check_again()


def test_a_file_that_is_cut_off_meanwhile(tmp_path: Path) -> None:
    path = tmp_path / "blob"
    path.write_bytes(DATA)
    with open_blob(path, descriptor_of("x", DATA)) as file:
        pieces = iter(file.part(0, SIZE, ignore))
        next(pieces)
        with path.open("r+b") as other:
            other.truncate(PIECE)
        with pytest.raises(SourceChanged, match="is not what it is said to be"):
            list(pieces)
