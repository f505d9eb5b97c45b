"""Arbitrary and mutated archives: only explained errors, and never a byte outside the target."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from rearch.errors import RearchError
from rearch.formats.archive import extract
from rearch.formats.archive_links import check_links
from rearch.formats.tree import tree_digest
from rearch.model.limits import Limits
from tests.support.archives import COMPRESSORS, Member, Zipped, folder, hard_link, link, pax, tar, zip_file

LIMITS = Limits(archive_bytes=1 << 20, archive_entries=200)
FEW = settings(max_examples=200, deadline=None, derandomize=True, database=None)

# Names that meet each other, climb, and are spelled in several ways.
NAMES = st.lists(st.sampled_from(["a", "b", "c", "..", ".", "", "a\n"]), min_size=1, max_size=4).map("/".join)
TARGETS = st.lists(st.sampled_from(["a", "b", "c", "..", "..", "."]), min_size=1, max_size=6).map("/".join)
MEMBERS = st.one_of(
    st.builds(Member, name=NAMES, content=st.binary(max_size=600)),
    st.builds(folder, NAMES),
    st.builds(link, NAMES, st.one_of(TARGETS, TARGETS.map("/".__add__))),
    st.builds(hard_link, NAMES, NAMES),
    st.builds(
        Member, name=NAMES, kind=st.sampled_from([b"3", b"6", b"S", b"7", b"g", b"L", b"K"]), content=st.binary()
    ),
    st.builds(lambda name: pax(path=name), NAMES),
    st.builds(lambda size: pax(size=size), st.integers(0, 1 << 40).map(str)),
)
# Only such as meet no obstacle, so that chains of links come about.
LINKS = st.one_of(
    st.builds(link, st.sampled_from(["a", "b", "c", "a/a", "a/b", "b/a", "a/b/c"]), TARGETS),
    st.builds(folder, st.sampled_from(["a", "b", "c", "a/b", "b/b"])),
)
VALID = (
    folder("top"),
    Member(name="top/file", content=b"content" * 200, mode=0o755),
    link("top/link", "file"),
    hard_link("top/hard", "top/file"),
    pax(path="top/" + "n" * 120, mtime="1.5"),
    Member(name="cut", content=b"x"),
)
PACKED = {name: pack(tar(*VALID)) for name, pack in COMPRESSORS.items()} | {
    "zip": zip_file(
        Zipped(name=b"top/file", content=b"content" * 200),
        Zipped(name=b"top/stored", content=b"content" * 20, method=0),
        Zipped(name=b"top/link", content=b"file", mode=0o120777),
    )
}


def unpack_in_a_cage(data: bytes, *, rooted: bool = False) -> bool:
    """Whether it could be unpacked. Fails when anything but the target changed, or a link leads out of it."""
    with tempfile.TemporaryDirectory() as name:
        cage = Path(name)
        (cage / "a").write_text("precious")
        (cage / "deep").mkdir()
        (cage / "deep/b").write_text("precious")
        target = cage / "deep/target"
        before = tree_digest(cage)
        error = _error_of(lambda: extract(io.BytesIO(data), target, limits=LIMITS, rooted=rooted))
        assert tree_digest(cage, ignore=lambda path: path.startswith("deep/target")) == before
        if error is not None:
            assert error.summary.isprintable()
        elif not rooted:
            check_links(target, "it")
            _check_with_the_kernel(target)
        return error is None


def _error_of(act: Callable[[], object]) -> RearchError | None:
    try:
        act()
    except RearchError as error:
        return error
    return None


def _check_with_the_kernel(target: Path) -> None:
    """What the kernel says of every link that leads to something."""
    inside = os.fspath(target.resolve())
    for path in target.rglob("*"):
        if path.is_symlink() and path.exists():
            real = os.path.realpath(path)
            assert real == inside or real.startswith(inside + "/")


@FEW
@given(st.binary(max_size=2000))
def test_arbitrary_bytes(data: bytes) -> None:
    assert not unpack_in_a_cage(data)


@FEW
@given(
    st.sampled_from([b"\x1f\x8b\x08", b"\xfd7zXZ\0", b"BZh9", b"\x28\xb5\x2f\xfd", b"PK\x03\x04", b"PK\x05\x06"]),
    st.binary(),
)
def test_arbitrary_bytes_behind_a_known_beginning(magic: bytes, data: bytes) -> None:
    assert not unpack_in_a_cage(magic + data)


@FEW
@given(st.sampled_from(sorted(PACKED)), st.lists(st.tuples(st.integers(0, 1 << 16), st.integers(0, 255)), max_size=6))
def test_changed_bytes(packing: str, changes: list[tuple[int, int]]) -> None:
    data = bytearray(PACKED[packing])
    for place, value in changes:
        data[place % len(data)] = value
    unpacked = unpack_in_a_cage(bytes(data))
    assert unpacked or bytes(data) != PACKED[packing]


@FEW
@given(st.sampled_from(sorted(PACKED)), st.integers(0, 1 << 16), st.integers(0, 1 << 16), st.binary(max_size=40))
def test_bytes_cut_out_and_put_in(packing: str, start: int, end: int, more: bytes) -> None:
    data = PACKED[packing]
    first, last = sorted((start % len(data), end % len(data)))
    unpack_in_a_cage(data[:first] + more + data[last:])


@FEW
@given(st.lists(MEMBERS, max_size=8), st.booleans())
def test_entries_of_every_kind(members: list[Member], rooted: bool) -> None:
    unpack_in_a_cage(tar(*members), rooted=rooted)


@FEW
@given(st.lists(LINKS, min_size=2, max_size=8))
def test_chains_of_links(members: list[Member]) -> None:
    unpack_in_a_cage(tar(*members))


@FEW
@given(
    st.lists(
        st.builds(
            Zipped,
            name=NAMES.map(str.encode),
            content=st.binary(max_size=100),
            method=st.sampled_from([0, 8, 12, 93, 99]),
            mode=st.sampled_from([0, 0o100644, 0o120777, 0o40755, 0o20644]),
            flags=st.sampled_from([0, 0, 0, 1, 8]),
            offset=st.one_of(st.none(), st.integers(0, 400)),
        ),
        max_size=4,
    )
)
def test_zips_of_every_kind(entries: list[Zipped]) -> None:
    unpack_in_a_cage(zip_file(*entries))
