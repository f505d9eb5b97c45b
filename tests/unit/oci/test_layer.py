"""Layers: the bytes that are written, and files that change under our hands."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import tarfile
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from rearch.formats.hashing import BLOCK
from rearch.model.frozen import FrozenDict
from rearch.oci import layer_stream
from rearch.oci.entry import EntryKind, LayerEntry
from rearch.oci.layer import BadLayerEntry, CannotWrite, ContentChanged, ContentUnreadable
from rearch.oci.layout import blob_path
from rearch.oci.read_layer import layer_entries, open_layer
from rearch.oci.types import Types
from tests.support.layer_place import Packing, Place, directory, file


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def _unpack(data: bytes, compression: Packing) -> bytes:
    if compression == "zstd":
        return zstandard.ZstdDecompressor().decompressobj().decompress(data)
    return gzip.decompress(data) if compression else data


@pytest.mark.parametrize("compression", ["", "gzip", "zstd"])
@pytest.mark.parametrize("size", [0, 1, 511, 512, BLOCK - 512, BLOCK - 511, BLOCK, 3 * BLOCK + 7])
def test_digest_size_and_diff_id_are_those_of_the_bytes(place: Place, compression: Packing, size: int) -> None:
    content = place.content(os.urandom(min(size, 4096)).ljust(size, b"x"))
    made, layout = place.make(directory("usr"), file("usr/f", content), compression=compression)
    packed = blob_path(layout, made.descriptor.digest).read_bytes()
    assert made.made
    assert made.descriptor.digest == f"sha256:{hashlib.sha256(packed).hexdigest()}"
    assert made.descriptor.size == len(packed)
    plain = _unpack(packed, compression)
    assert made.diff_id == f"sha256:{hashlib.sha256(plain).hexdigest()}"
    with tarfile.open(fileobj=io.BytesIO(plain)) as tar:
        assert tar.getnames() == ["usr", "usr/f"]
        stream = tar.extractfile("usr/f")
        assert stream is not None
        assert stream.read() == content.read_bytes()
    assert len(plain) == 512 * 2 + (size + 511) // 512 * 512 + 1024


@pytest.mark.parametrize(
    ("types", "compression", "media_type"),
    [
        ("oci", "gzip", "application/vnd.oci.image.layer.v1.tar+gzip"),
        ("oci", "zstd", "application/vnd.oci.image.layer.v1.tar+zstd"),
        ("oci", "", "application/vnd.oci.image.layer.v1.tar"),
        ("docker", "gzip", "application/vnd.docker.image.rootfs.diff.tar.gzip"),
        ("docker", "", "application/vnd.docker.image.rootfs.diff.tar"),
    ],
)
def test_media_types(place: Place, types: Types, compression: Packing, media_type: str) -> None:
    assert place.make(directory("a"), compression=compression, types=types)[0].descriptor.media_type == media_type


def test_the_gzip_header_has_no_name_no_time_and_no_system(place: Place) -> None:
    made, layout = place.make(directory("a"))
    packed = blob_path(layout, made.descriptor.digest).read_bytes()
    assert packed[:10] == bytes.fromhex("1f8b0800000000 00 00ff".replace(" ", ""))


EVERY_KIND = (
    directory("dev"),
    LayerEntry(path="dev/null", kind=EntryKind.CHARACTER, mode=0o666, device=(1, 3)),
    LayerEntry(path="dev/sda", kind=EntryKind.BLOCK, mode=0o660, device=(8, 0), gid=6),
    LayerEntry(path="dev/initctl", kind=EntryKind.FIFO, mode=0o600),
    LayerEntry(path="dev/stdin", kind=EntryKind.SYMLINK, mode=0o777, target="/proc/self/fd/0"),
    LayerEntry(path="dev/nothing", kind=EntryKind.HARDLINK, mode=0o666, target="dev/null"),
)


def test_every_kind_is_what_python_reads(place: Place) -> None:
    with tarfile.open(fileobj=io.BytesIO(place.tar(*EVERY_KIND))) as tar:
        found = {entry.name: entry for entry in tar}
        assert not any(entry.pax_headers for entry in found.values())
    assert [entry.type for entry in found.values()] == [b"5", b"3", b"4", b"6", b"2", b"1"]
    assert (found["dev/sda"].devmajor, found["dev/sda"].devminor, found["dev/sda"].gid) == (8, 0, 6)
    assert (found["dev/null"].devmajor, found["dev/null"].devminor, found["dev/null"].mode) == (1, 3, 0o666)
    assert (found["dev/stdin"].linkname, found["dev/nothing"].linkname) == ("/proc/self/fd/0", "dev/null")
    assert {(entry.uname, entry.gname) for entry in found.values()} == {("", "")}


@pytest.mark.parametrize(
    ("entry", "records"),
    [
        (directory("d" * 99), set()),
        (directory("d" * 100), {"path"}),  # the final slash is the 101st byte, and there is nowhere to split
        (LayerEntry(path="f" * 100, kind=EntryKind.FILE, mode=0o644), set()),
        (LayerEntry(path="f" * 101, kind=EntryKind.FILE, mode=0o644), {"path"}),
        (LayerEntry(path=f"{'d' * 155}/{'f' * 100}", kind=EntryKind.FILE, mode=0o644), set()),
        (LayerEntry(path=f"{'d' * 156}/{'f' * 99}", kind=EntryKind.FILE, mode=0o644), {"path"}),
        (directory("grün"), {"path"}),
        (directory("gr\udcfcn"), {"path", "hdrcharset"}),
        (LayerEntry(path="l", kind=EntryKind.SYMLINK, mode=0o777, target="t" * 100), set()),
        (LayerEntry(path="l", kind=EntryKind.SYMLINK, mode=0o777, target="t" * 101), {"linkpath"}),
        (LayerEntry(path="l", kind=EntryKind.SYMLINK, mode=0o777, target="\udcff"), {"linkpath", "hdrcharset"}),
        (replace(directory("d"), uid=8**7 - 1, gid=8**7 - 1, mtime=8**11 - 1), set()),
        (replace(directory("d"), uid=8**7), {"uid"}),
        (replace(directory("d"), gid=2**32 - 2), {"gid"}),
        (replace(directory("d"), mtime=-1), {"mtime"}),
        (replace(directory("d"), mtime=8**11), {"mtime"}),
        (replace(directory("d"), xattrs=FrozenDict({"user.x": b"a\0\n="})), {"SCHILY.xattr.user.x"}),
    ],
)
def test_pax_headers_stand_where_ustar_has_no_room(place: Place, entry: LayerEntry, records: set[str]) -> None:
    data = place.tar(entry)
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        (found,) = tar
    assert set(found.pax_headers) == records
    assert (found.name, found.linkname, found.uid, found.gid, found.mtime) == (
        entry.path,
        entry.target,
        entry.uid,
        entry.gid,
        entry.mtime,
    )
    ((read, _),) = layer_entries(io.BytesIO(data))
    assert read == entry


names = st.text(
    st.characters(exclude_characters="/\0", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=60
).filter(lambda name: name not in (".", "..") and not name.startswith(".wh."))
trees = st.lists(
    st.tuples(
        names,
        st.sampled_from([0o4755, 0o644, 0o1777]),
        st.integers(0, 2**32 - 1),
        st.integers(-(2**40), 2**40),
        st.binary(max_size=2000),
    ),
    unique_by=lambda item: item[0],
    max_size=6,
)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(trees, st.sampled_from(["", "gzip", "zstd"]))
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory,
    tree: list[tuple[str, int, int, int, bytes]],
    compression: Packing,
) -> None:
    place = Place(tmp_path_factory.mktemp("layer"))
    entries, contents = [], {}
    for number, (name, mode, owner, time, data) in enumerate(tree):
        contents[name] = data
        entry = file(name, place.content(data, f"content-{number}"))
        xattrs = FrozenDict({"user.note": data[:20]}) if number % 2 else FrozenDict()
        entries.append(replace(entry, mode=mode, uid=owner, gid=owner, mtime=time, xattrs=xattrs))
    made, layout = place.make(*entries, compression=compression)
    with open_layer(layout, made.descriptor) as stream:
        read = [(entry, content.read() if content is not None else b"") for entry, content in layer_entries(stream)]
    assert [entry for entry, _ in read] == [replace(entry, content=None, digest=None) for entry in entries]
    assert {entry.path: data for entry, data in read} == contents


@pytest.mark.parametrize(
    ("entries", "why"),
    [
        ((directory(""),), "relative path"),
        ((directory("/a"),), "relative path"),
        ((directory("a/"),), "relative path"),
        ((directory("a//b"),), "relative path"),
        ((directory("./a"),), "relative path"),
        ((directory("a/../b"),), "relative path"),
        ((directory("a\0b"),), "relative path"),
        ((directory("a"), directory("a")), "twice"),
        ((LayerEntry(path="a", kind=EntryKind.SYMLINK, mode=0o777, target="/x"), directory("a/b")), "symlink"),
        ((directory("a/b"), LayerEntry(path="a", kind=EntryKind.FIFO, mode=0o600)), "fifo"),
        ((LayerEntry(path="a", kind=EntryKind.SYMLINK, mode=0o777),), "without a target"),
        ((LayerEntry(path="a", kind=EntryKind.HARDLINK, mode=0o777, target="../b"),), "relative path"),
        ((LayerEntry(path="a", kind=EntryKind.HARDLINK, mode=0o777, target="/b"),), "relative path"),
        ((LayerEntry(path="a", kind=EntryKind.FILE, mode=0o644, size=3),), "without content"),
        ((replace(directory("a"), mode=0o100755),), "cannot hold"),
        ((replace(directory("a"), uid=-1),), "cannot hold"),
        ((replace(directory("a"), xattrs=FrozenDict({"a=b": b""})),), "extended attribute"),
    ],
)
def test_entries_that_programs_would_unpack_differently_are_refused(
    place: Place, entries: tuple[LayerEntry, ...], why: str
) -> None:
    with pytest.raises(BadLayerEntry) as caught:
        place.make(*entries)
    assert why in caught.value.summary
    assert not place.layers.exists()


def test_the_order_counts_and_is_kept(place: Place) -> None:
    one, two = place.tar(directory("a"), directory("b")), place.tar(directory("b"), directory("a"))
    assert one != two
    with tarfile.open(fileobj=io.BytesIO(two)) as tar:
        assert tar.getnames() == ["b", "a"]


@pytest.mark.parametrize("size", [5000, 5 * BLOCK])
@pytest.mark.parametrize("known", [True, False])
def test_a_file_that_is_not_what_it_was_is_an_error_and_nothing_is_remembered(
    place: Place, size: int, known: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = place.content(b"a" * size)
    entry = file("f", content)
    if known:
        content.write_bytes(b"b" * size)
    else:
        entry = replace(entry, digest=None)
        read = layer_stream.content_digest

        def then_changed(entry: LayerEntry, content: Path) -> str:
            digest = read(entry, content)
            content.write_bytes(b"b" * size)
            return digest

        monkeypatch.setattr("rearch.oci.layer.content_digest", then_changed)
    with pytest.raises(ContentChanged, match="has changed") as caught:
        place.make(entry)
    assert caught.value.content == content
    assert not tuple(place.layers.rglob("*.json"))
    assert not tuple(place.layers.glob("blobs/*"))
    assert not tuple(place.layers.glob("blobs/.*"))


@pytest.mark.parametrize("size", [4999, 5001, 0])
def test_a_file_of_another_size_is_an_error(place: Place, size: int) -> None:
    content = place.content(b"a" * 5000)
    entry = file("f", content)
    content.write_bytes(b"a" * size)
    with pytest.raises(ContentChanged, match=f"{size} bytes, and had 5000"):
        place.make(entry)


def test_a_file_that_was_empty_and_is_not_is_an_error(place: Place) -> None:
    content = place.content(b"")
    entry = file("f", content)
    content.write_bytes(b"now")
    with pytest.raises(ContentChanged):
        place.make(entry)


def test_content_that_cannot_be_read(place: Place) -> None:
    entry = LayerEntry(path="f", kind=EntryKind.FILE, mode=0o644, size=3, content=place.base / "missing")
    with pytest.raises(ContentUnreadable, match=r"missing.*No such file"):
        place.make(entry)
    with pytest.raises(ContentUnreadable, match=r"regular file|Is a directory"):
        place.make(replace(entry, content=place.base))


def test_a_full_disk_is_said_and_leaves_nothing(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(layer_stream, "write_all", full)
    with pytest.raises(CannotWrite, match="No space left"):
        place.make(file("f", place.content(b"x")))
    assert not tuple(place.layers.glob("blobs/.*"))
