"""Reading layers: everything that a layer may hold, and everything that it must not."""

from __future__ import annotations

import contextlib
import gzip
import io
import os
from pathlib import Path
from typing import Any, BinaryIO, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rearch.errors import RearchError
from rearch.formats.archive_errors import (
    BadName,
    CorruptArchive,
    LimitExceeded,
    TruncatedArchive,
    Unsupported,
)
from rearch.formats.hashing import sha256_stream
from rearch.model.limits import Limits
from rearch.oci.entry import EntryKind, LayerEntry
from rearch.oci.layout import blob_path, put_bytes, start_layout
from rearch.oci.layout_errors import MissingBlob, WrongBlob
from rearch.oci.read_layer import LAYER_LIMITS, UnknownLayerType, layer_entries, open_layer
from rearch.oci.types import LAYERS, Descriptor, layer_type
from tests.support.archives import COMPRESSORS, END, Member, folder, hard_link, link, pax, sealed, tar, tar_member

Read = list[tuple[LayerEntry, bytes]]


def read(data: bytes, limits: Limits | None = None) -> Read:
    entries = layer_entries(io.BytesIO(data), limits=limits or LAYER_LIMITS)
    return [(entry, content.read() if content is not None else b"") for entry, content in entries]


def one(*members: Member) -> LayerEntry:
    ((entry, _),) = read(tar(*members))
    return entry


def test_every_kind() -> None:
    members = (
        folder("./usr/"),
        Member(name="./usr/f", content=b"text", mode=0o4755),
        link("usr/l", "../../etc/passwd"),
        hard_link("usr/h", "./usr/f"),
        Member(name="dev/c", kind=b"3"),
        Member(name="dev/b", kind=b"4"),
        Member(name="run/fifo", kind=b"6"),
        Member(name="old", content=b"7", kind=b"7"),
        Member(name="usr/.wh.gone"),
        Member(name="usr/.wh..wh..opq"),
    )
    found = {entry.path: (entry.kind, content) for entry, content in read(tar(*members))}
    assert found == {
        "usr": (EntryKind.DIRECTORY, b""),
        "usr/f": (EntryKind.FILE, b"text"),
        "usr/l": (EntryKind.SYMLINK, b""),
        "usr/h": (EntryKind.HARDLINK, b""),
        "dev/c": (EntryKind.CHARACTER, b""),
        "dev/b": (EntryKind.BLOCK, b""),
        "run/fifo": (EntryKind.FIFO, b""),
        "old": (EntryKind.FILE, b"7"),
        "usr/.wh.gone": (EntryKind.FILE, b""),
        "usr/.wh..wh..opq": (EntryKind.FILE, b""),
    }


def test_fields() -> None:
    entry = one(
        pax(uid="3000000", gid="7", mtime="-5.25", SCHILY__xattr__user__note=b"a=\0"), Member(name="f", mode=0o2755)
    )
    assert (entry.uid, entry.gid, entry.mtime, entry.mode) == (3000000, 7, -5, 0o2755)
    assert dict(entry.xattrs) == {"user.note": b"a=\0"}
    assert one(link("l", "/abs/../x")).target == "/abs/../x"
    assert one(hard_link("h", "./a//b")).target == "a/b"
    assert one(hard_link("h", "/a/b")).target == "a/b"
    assert one(pax(path="\udcff/ü", linkpath="t" * 300), link("x", "y")).path == "\udcff/ü"
    header = bytearray(tar_member(Member(name="dev/sda", kind=b"4")))
    header[329:345] = b"0000010\x000000021\0"
    ((device, _),) = read(sealed(bytes(header)) + END)
    assert device.device == (8, 17)


@pytest.mark.parametrize(
    ("records", "name"),
    [
        ({"GNU__sparse__major": "1", "path": "GNUSparseFile.1/x", "GNU__sparse__name": "disk.img"}, "disk.img"),
        ({"path": "disk.img", "GNU__sparse__size": "9"}, "disk.img"),
        ({"GNU__sparse__size": "9"}, "in the header"),
    ],
)
def test_a_sparse_file_is_refused_by_its_name(records: dict[str, Any], name: str) -> None:
    with pytest.raises(Unsupported, match=f"'{name}' uses a sparse file") as caught:
        read(tar(pax(**records), Member(name="in the header")))
    assert caught.value.entry == name


def test_what_was_said_of_one_entry_is_not_said_of_the_next() -> None:
    data = tar(pax(uid="9", SCHILY__xattr__a="1", mtime="9"), Member(name="a"), Member(name="b"))
    first, second = (entry for entry, _ in read(data))
    assert (first.uid, dict(first.xattrs), first.mtime) == (9, {"a": b"1"}, 9)
    assert (second.uid, dict(second.xattrs), second.mtime) == (1000, {}, 1_500_000_000)


def test_the_top_folder_is_left_out() -> None:
    assert [entry.path for entry, _ in read(tar(folder("./"), folder("./a")))] == ["a"]


def test_content_that_nobody_reads_is_passed_over() -> None:
    data = tar(Member(name="a", content=b"x" * 100_000), Member(name="b", content=b"text"))
    found = {}
    for entry, content in layer_entries(io.BytesIO(data)):
        assert content is not None
        found[entry.path] = content.read() if entry.path == "b" else content.read(3)
    assert found == {"a": b"xxx", "b": b"text"}


def test_a_stream_that_is_not_buffered_is_read_too(tmp_path: Path) -> None:
    (tmp_path / "tar").write_bytes(tar(Member(name="a", content=b"text")))
    with (tmp_path / "tar").open("rb", buffering=0) as raw:
        assert [entry.path for entry, _ in layer_entries(cast(BinaryIO, raw))] == ["a"]


@pytest.mark.parametrize("end", [b"", bytes(512), END, bytes(10240)])
def test_the_ends_that_programs_write(end: bytes) -> None:
    assert len(read(tar(Member(name="a", content=b"x"), end=end))) == 1


@pytest.mark.parametrize(
    ("data", "error", "why"),
    [
        (tar(Member(name="/etc/passwd")), BadName, "absolute"),
        (tar(Member(name="../x")), BadName, r"'\.\.'"),
        (tar(Member(name="a/../../x")), BadName, r"'\.\.'"),
        (tar(pax(path="/x"), Member(name="x")), BadName, "absolute"),
        (tar(pax(path=b"a\0b"), Member(name="x")), BadName, "control"),
        (tar(Member(name="a\nb")), BadName, "control"),
        (tar(pax(path="d/" * 200 + "f"), Member(name="x")), BadName, "deep"),
        (tar(pax(path="f" * 256), Member(name="x")), BadName, "255"),
        (tar(hard_link("h", "../x")), BadName, "leaves the tree"),
        (tar(hard_link("h", "a/../../x")), BadName, "leaves the tree"),
        (tar(hard_link("h", "./")), BadName, "top of the tree"),
        (tar(hard_link("h", "")), BadName, "target"),
        (tar(link("l", "")), BadName, "target"),
        (tar(pax(linkpath="x" * 5000), link("l", "y")), BadName, "5000"),
        (tar(Member(name="a/.wh.")), BadName, "whiteout"),
        (tar(Member(name="a/.wh..")), BadName, "whiteout"),
        (tar(Member(name="a/.wh...")), BadName, "whiteout"),
        (tar(Member(name="s", kind=b"S")), Unsupported, "sparse"),
        (tar(pax(GNU__sparse__major="1"), Member(name="s")), Unsupported, "sparse"),
        (tar(Member(name="s", kind=b"Z")), Unsupported, "unknown type"),
        (tar(pax(b"g", path="x"), Member(name="a")), Unsupported, "global header for path"),
        (tar(pax(b"g", SCHILY__xattr__a="x"), Member(name="a")), Unsupported, "global header for SCHILY"),
        (tar(Member(name="x", kind=b"x", content=bytes(1 << 21))), Unsupported, "extension header"),
        (tar(Member(name="d", kind=b"5", content=b"x")), CorruptArchive, "content"),
        (tar(Member(name="c", kind=b"3", content=b"x")), CorruptArchive, "content"),
        (tar(pax(uid="-1"), Member(name="a")), CorruptArchive, "owner"),
        (tar(pax(gid="4294967296"), Member(name="a")), CorruptArchive, "owner"),
        (tar(pax(mtime="yesterday"), Member(name="a")), CorruptArchive, "time"),
        (tar(pax(size="1x"), Member(name="a")), CorruptArchive, "size"),
        (tar(Member(name="a")).replace(b"0000644", b"0000645", 1), CorruptArchive, "checksum"),
        (tar(Member(name="a")) + tar(Member(name="b")), CorruptArchive, "behind the end"),
        (tar(Member(name="a", content=b"x" * 600))[:700], TruncatedArchive, "content"),
        (tar(Member(name="a", content=b"x" * 600))[: 512 + 700], TruncatedArchive, "content"),
        (tar(Member(name="a"))[:300], TruncatedArchive, "header"),
        (tar(pax(path="x"), end=b""), TruncatedArchive, "an entry"),
    ],
)
def test_what_is_refused(data: bytes, error: type[RearchError], why: str) -> None:
    with pytest.raises(error, match=why) as caught:
        read(data)
    assert caught.value.exit_code == 3


def test_limits() -> None:
    many = tar(*(Member(name=f"f{number}") for number in range(11)))
    with pytest.raises(LimitExceeded, match="more than 10 entries"):
        read(many, Limits(archive_entries=10))
    with pytest.raises(LimitExceeded, match="1000"):
        read(tar(Member(name="f", content=bytes(1001))), Limits(archive_bytes=1000))


def test_all_bad_names_are_told_of_where_somebody_wants_them() -> None:
    told: list[BadName] = []
    data = tar(Member(name="/a", content=b"x"), Member(name="good"), hard_link("h", "../b"), Member(name="b/.wh."))
    assert [entry.path for entry, _ in layer_entries(io.BytesIO(data), bad=told.append)] == ["good"]
    assert [error.entry for error in told] == ["/a", "h", "b/.wh."]


PACKERS = {"": "plain", "gzip": "gz", "zstd": "zst"}


def put(layout: Path, data: bytes, media_type: str = layer_type("oci", "gzip")) -> Descriptor:
    start_layout(layout)
    return put_bytes(layout, data, media_type)


@pytest.mark.parametrize("media_type", LAYERS)
def test_every_type_of_layer_is_read(tmp_path: Path, media_type: str) -> None:
    data = COMPRESSORS[PACKERS[LAYERS[media_type]]](tar(Member(name="a", content=b"text")))
    descriptor = put(tmp_path, data, media_type)
    with open_layer(tmp_path, descriptor) as stream:
        assert [(entry.path, content and content.read()) for entry, content in layer_entries(stream)] == [
            ("a", b"text")
        ]


def test_gzip_of_several_members(tmp_path: Path) -> None:
    plain = tar(Member(name="a", content=os.urandom(5000)))
    descriptor = put(tmp_path, gzip.compress(plain[:700]) + gzip.compress(plain[700:]))
    with open_layer(tmp_path, descriptor) as stream:
        assert stream.read() == plain


@pytest.mark.parametrize("compression", ["", "gzip", "zstd"])
def test_a_blob_with_a_changed_byte_is_an_error_also_where_it_was_not_read(tmp_path: Path, compression: str) -> None:
    packed = COMPRESSORS[PACKERS[compression]](tar(Member(name="a", content=os.urandom(5000))))
    descriptor = put(tmp_path, packed, layer_type("oci", compression))  # type: ignore[arg-type]
    path = blob_path(tmp_path, descriptor.digest)
    path.write_bytes(packed[:-300] + bytes([packed[-300] ^ 1]) + packed[-299:])
    with pytest.raises(WrongBlob, match="its digest is"), open_layer(tmp_path, descriptor) as stream:
        stream.read(10)
    with pytest.raises(WrongBlob, match="its digest is"), open_layer(tmp_path, descriptor) as stream:
        stream.read()


def test_a_blob_that_is_cut_off_or_missing(tmp_path: Path) -> None:
    descriptor = put(tmp_path, gzip.compress(tar(Member(name="a"))))
    path = blob_path(tmp_path, descriptor.digest)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(WrongBlob, match="bytes, and should have"), open_layer(tmp_path, descriptor):
        pass
    path.unlink()
    with pytest.raises(MissingBlob), open_layer(tmp_path, descriptor):
        pass


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_a_stream_that_was_packed_half_is_an_error_though_its_digest_is_right(tmp_path: Path, compression: str) -> None:
    packed = COMPRESSORS[PACKERS[compression]](tar(Member(name="a", content=os.urandom(5000))))
    descriptor = put(tmp_path, packed[:-3], layer_type("oci", compression))  # type: ignore[arg-type]
    with pytest.raises(TruncatedArchive), open_layer(tmp_path, descriptor) as stream:
        stream.read()


def test_a_gzip_checksum_that_is_wrong(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(tar(Member(name="a"))))
    packed[-6] ^= 1
    descriptor = put(tmp_path, bytes(packed))
    with pytest.raises(CorruptArchive), open_layer(tmp_path, descriptor) as stream:
        stream.read()


def test_a_layer_of_another_kind(tmp_path: Path) -> None:
    descriptor = put(tmp_path, b"x", "application/vnd.example.thing")
    with pytest.raises(UnknownLayerType, match=r"vnd\.example\.thing"), open_layer(tmp_path, descriptor):
        pass


def test_a_bomb_is_stopped(tmp_path: Path) -> None:
    descriptor = put(tmp_path, gzip.compress(bytes(65 << 20), 1))
    with pytest.raises(LimitExceeded), open_layer(tmp_path, descriptor, limits=Limits(archive_ratio=200)) as stream:
        sha256_stream(stream)


GOOD = tar(folder("d"), Member(name="d/f", content=b"text"), pax(path="ü"), link("l", "t"), hard_link("h", "d/f"))


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.integers(0, len(GOOD) - 1), st.integers(0, 255), st.integers(0, len(GOOD)))
def test_a_changed_byte_gives_entries_or_an_error_in_words(at: int, value: int, cut: int) -> None:
    changed = bytearray(GOOD)
    changed[at] = value
    for data in (bytes(changed), bytes(changed[:cut])):
        with contextlib.suppress(RearchError):
            assert all(not entry.path.startswith("/") and ".." not in entry.path.split("/") for entry, _ in read(data))
