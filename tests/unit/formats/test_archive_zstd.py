"""The frames of zstd: followed in pieces of every size, and every early end noticed."""

from __future__ import annotations

import io
import random
import struct
from pathlib import Path

import pytest
import zstandard

from rearch.formats.archive import extract
from rearch.formats.archive_errors import CorruptArchive, TruncatedArchive, Unsupported
from rearch.formats.archive_zstd import Frames
from rearch.model.limits import Limits
from tests.support.archives import Member, tar

NOISE = random.Random(3).randbytes(300_000)
PLAIN = tar(Member(name="file", content=NOISE + bytes(300_000)))
SKIPPABLE = struct.pack("<2L", 0x184D2A53, 7) + b"comment"


def packed(data: bytes, *, write_checksum: bool = False, write_content_size: bool = True) -> bytes:
    packer = zstandard.ZstdCompressor(write_checksum=write_checksum, write_content_size=write_content_size)
    return packer.compress(data)


STREAMS = {
    "plain": packed(PLAIN),
    "checksum": packed(PLAIN, write_checksum=True),
    "no size": packed(PLAIN, write_content_size=False),
    "small": packed(b""),
    "two frames": packed(PLAIN[:1000]) + packed(PLAIN[1000:], write_checksum=True),
    "comments": SKIPPABLE + packed(PLAIN) + SKIPPABLE + SKIPPABLE,
}


@pytest.mark.parametrize("case", STREAMS)
@pytest.mark.parametrize("step", [1, 3, 4096, 1 << 20])
def test_the_end_of_a_frame_is_found_in_pieces_of_any_size(case: str, step: int) -> None:
    frames, data = Frames("x"), STREAMS[case]
    for at in range(0, len(data), step):
        frames.follow(data[at : at + step])
    assert frames.complete


@pytest.mark.parametrize("case", STREAMS)
def test_only_the_ends_of_frames_are_ends(case: str) -> None:
    data = STREAMS[case]
    frames, ends = Frames("x"), []
    for at in range(len(data)):
        frames.follow(data[at : at + 1])
        if frames.complete:
            ends.append(at + 1)
    assert ends[-1] == len(data)
    assert len(ends) == {"two frames": 2, "comments": 4}.get(case, 1)


def test_comments_and_several_frames_are_unpacked(tmp_path: Path) -> None:
    for case in ("two frames", "no size"):
        extract(io.BytesIO(STREAMS[case]), tmp_path / case, limits=Limits())
        assert (tmp_path / case / "file").stat().st_size == 600_000
    extract(io.BytesIO(packed(PLAIN) + SKIPPABLE), tmp_path / "behind", limits=Limits())
    assert (tmp_path / "behind/file").read_bytes().startswith(NOISE)


def test_a_missing_checksum_is_missed(tmp_path: Path) -> None:
    data = packed(PLAIN, write_checksum=True)
    for size in range(1, 5):
        with pytest.raises(TruncatedArchive):
            extract(io.BytesIO(data[:-size]), tmp_path / str(size), limits=Limits())


def test_a_wrong_checksum(tmp_path: Path) -> None:
    data = bytearray(packed(PLAIN, write_checksum=True))
    data[-1] ^= 1
    with pytest.raises(CorruptArchive):
        extract(io.BytesIO(bytes(data)), tmp_path / "out", limits=Limits())


def test_something_behind_the_last_frame(tmp_path: Path) -> None:
    with pytest.raises(CorruptArchive, match="behind"):
        extract(io.BytesIO(packed(PLAIN) + b"more"), tmp_path / "out", limits=Limits())


def test_a_window_that_would_take_the_machines_memory(tmp_path: Path) -> None:
    header = b"\x28\xb5\x2f\xfd" + bytes([0, (31 - 10) << 3])
    with pytest.raises(Unsupported, match="2048 MiB"):
        extract(io.BytesIO(header + bytes(600)), tmp_path / "out", limits=Limits())
