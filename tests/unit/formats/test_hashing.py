from __future__ import annotations

import hashlib
import io
from pathlib import Path

import pytest

from rearch.formats.hashing import BLOCK, blocks, copy_hashed, sha256_file, sha256_stream

SIZES = [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 7]


@pytest.mark.parametrize("size", SIZES)
def test_one_answer_from_file_stream_and_copy(size: int, tmp_path: Path) -> None:
    data = (b"0123456789abcde" * (size // 15 + 1))[:size]
    wanted = hashlib.sha256(data).hexdigest()
    (tmp_path / "file").write_bytes(data)
    target = io.BytesIO()
    assert sha256_file(tmp_path / "file") == wanted
    assert sha256_stream(io.BytesIO(data)) == wanted
    assert copy_hashed(io.BytesIO(data), target) == (wanted, size)
    assert target.getvalue() == data


def test_no_block_is_larger_than_it_may_be() -> None:
    assert [len(data) for data in blocks(io.BytesIO(bytes(10)), 4)] == [4, 4, 2]


def test_the_watcher_stops_a_copy_before_the_block_is_written() -> None:
    def stop(done: int) -> None:
        if done > BLOCK:
            raise OverflowError

    target = io.BytesIO()
    with pytest.raises(OverflowError):
        copy_hashed(io.BytesIO(bytes(2 * BLOCK)), target, stop)
    assert len(target.getvalue()) == BLOCK
