"""Files with places that are filled at the end: in the room that was left, or where that is too small, moved."""

from __future__ import annotations

import bz2
import gzip
import lzma
import random
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from rearch.bundle.compression import Sized, packing_like
from rearch.bundle.packing import Outline

GZIP = packing_like(b"\x1f\x8b")


def _unzstd(data: bytes) -> bytes:
    return zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True).read()


STARTS: dict[str, tuple[bytes, Callable[[bytes], bytes]]] = {
    "gz": (b"\x1f\x8b", gzip.decompress),
    "xz": (b"\xfd7zXZ\0", lzma.decompress),
    "bz2": (b"BZh9", bz2.decompress),
    "zst": (b"\x28\xb5\x2f\xfd", _unzstd),
    "tar": (b"", bytes),
}
NOISE = random.Random("sheet").randbytes(200_000)


def written(folder: Path, start: bytes, pieces: Sequence[bytes | tuple[int, bytes]]) -> bytes:
    """The file of these pieces; a pair is a place: what was expected there, and what came."""
    target = folder / "out"
    with target.open("w+b") as file:
        out = Outline(packing_like(start), file, folder, "out")
        try:
            later: dict[int, bytes] = {}
            for piece in pieces:
                if isinstance(piece, tuple):
                    later[out.hole(piece[0])] = piece[1]
                else:
                    out.write(piece)
            for number, data in later.items():
                out.fill(number, data)
            out.finish()
        finally:
            out.close()
    assert [path.name for path in folder.iterdir()] == ["out"]
    return target.read_bytes()


def plain(pieces: Sequence[bytes | tuple[int, bytes]]) -> bytes:
    return b"".join(piece[1] if isinstance(piece, tuple) else piece for piece in pieces)


CASES: dict[str, Sequence[bytes | tuple[int, bytes]]] = {
    "in-the-middle": (b"before", (100, b"x" * 90), NOISE),
    "first": ((100, b"x" * 120), NOISE),
    "last": (NOISE, (100, b"words")),
    "alone": ((0, b""),),
    "two-together": (b"a", (70_000, NOISE[:70_000]), (5, b""), b"b"),
    "too-small": (b"a", (10, NOISE[:9_000]), NOISE, (10, b"fits"), b"c"),
    "the-last-too-small": (b"a", (10, b"fits"), NOISE, (10, NOISE[:9_000])),
    "none": (NOISE, b"more"),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("packed", STARTS)
def test_what_is_put_together_is_what_was_given(tmp_path: Path, packed: str, case: str) -> None:
    start, unpack = STARTS[packed]
    assert unpack(written(tmp_path, start, CASES[case])) == plain(CASES[case])


@pytest.mark.parametrize("case", CASES)
def test_gzip_is_one_member(tmp_path: Path, case: str) -> None:
    member = zlib.decompressobj(31)
    assert member.decompress(written(tmp_path, b"\x1f\x8b", CASES[case])) == plain(CASES[case])
    assert member.eof
    assert member.unused_data == b""


def test_what_fits_waits_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(**_given: object) -> None:
        raise AssertionError("a temporary file")

    monkeypatch.setattr("tempfile.TemporaryFile", refused)
    assert gzip.decompress(written(tmp_path, b"\x1f\x8b", CASES["in-the-middle"])) == plain(CASES["in-the-middle"])
    with pytest.raises(AssertionError, match="a temporary file"):
        written(tmp_path, b"\x1f\x8b", CASES["too-small"])


@given(size=st.integers(0, 140_000), room=st.integers(0, 145_000))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_a_part_is_as_long_as_was_asked_for_or_refused(size: int, room: int) -> None:
    data = NOISE[:size]
    part = GZIP.exactly(data, room)
    least = size + 5 * -(-size // 65_535)
    if part is None:
        assert room < least + 20
        return
    assert len(part.data) == room
    assert zlib.decompressobj(-15).decompress(part.data) == data
    assert (part.crc, part.size) == (zlib.crc32(data), size)


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 300_000])
def test_the_room_takes_what_was_expected_and_a_little_more(size: int) -> None:
    room = GZIP.room(size)
    assert room is not None
    for came in (size, size + 4_000, 0):
        assert isinstance(GZIP.exactly(bytes(came), room), Sized)
