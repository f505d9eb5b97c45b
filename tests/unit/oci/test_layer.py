"""Layers: the bytes that are written, the memory of those made before, and files that change under our hands."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import tarfile
import threading
from dataclasses import replace
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from rearch.formats.hashing import BLOCK, sha256_file
from rearch.model.base import FrozenDict
from rearch.oci import layer_stream
from rearch.oci.entry import EntryKind, LayerEntry
from rearch.oci.layer import BadLayerEntry, CannotWrite, ContentChanged, ContentUnreadable, MadeLayer, make_layer
from rearch.oci.layer_store import LayerStore
from rearch.oci.layout import blob_path, start_layout
from rearch.oci.read_layer import layer_entries, open_layer
from rearch.oci.types import Compression, Types


def directory(path: str) -> LayerEntry:
    return LayerEntry(path=path, kind=EntryKind.DIRECTORY, mode=0o755)


def file(path: str, content: Path, *, digest: bool = True) -> LayerEntry:
    known = sha256_file(content) if digest else None
    return LayerEntry(
        path=path, kind=EntryKind.FILE, mode=0o644, size=content.stat().st_size, content=content, digest=known
    )


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


class Place:
    """A folder with contents, layouts and the memory of layers."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.layers = base / "layers"
        self._layouts = 0

    def content(self, data: bytes, name: str = "content") -> Path:
        (self.base / name).write_bytes(data)
        return self.base / name

    def make(
        self, *entries: LayerEntry, compression: Compression | str = "gzip", types: Types = "oci"
    ) -> tuple[MadeLayer, Path]:
        """The layer, and the new layout that it is in."""
        self._layouts += 1
        layout = self.base / f"layout-{self._layouts}"
        start_layout(layout)
        made = make_layer(
            entries,
            layout=layout,
            layers=self.layers,
            compression=compression,  # type: ignore[arg-type]
            media_types=types,
        )
        return made, layout

    def tar(self, *entries: LayerEntry) -> bytes:
        made, layout = self.make(*entries, compression="")
        return blob_path(layout, made.descriptor.digest).read_bytes()


def _unpack(data: bytes, compression: str) -> bytes:
    if compression == "zstd":
        return zstandard.ZstdDecompressor().decompressobj().decompress(data)
    return gzip.decompress(data) if compression else data


@pytest.mark.parametrize("compression", ["", "gzip", "zstd"])
@pytest.mark.parametrize("size", [0, 1, 511, 512, BLOCK - 512, BLOCK - 511, BLOCK, 3 * BLOCK + 7])
def test_digest_size_and_diff_id_are_those_of_the_bytes(place: Place, compression: str, size: int) -> None:
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
def test_media_types(place: Place, types: Types, compression: str, media_type: str) -> None:
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
    compression: str,
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


def test_the_same_layer_is_made_once_and_its_content_is_not_read_again(place: Place) -> None:
    content = place.content(os.urandom(100_000))
    entry = file("f", content)
    first, one = place.make(entry)
    content.unlink()
    second, two = place.make(entry)
    assert (first.made, second.made) == (True, False)
    assert first.descriptor == second.descriptor
    assert first.diff_id == second.diff_id
    blobs = [blob_path(layout, first.descriptor.digest).stat() for layout in (one, two)]
    assert blobs[0].st_ino == blobs[1].st_ino
    assert blobs[0].st_nlink == 3


def test_where_the_bytes_lie_and_whether_the_digest_was_known_does_not_matter(place: Place) -> None:
    one, two = place.content(b"same", "one"), place.content(b"same", "two")
    assert place.make(file("f", one))[0].made
    assert not place.make(file("f", two, digest=False))[0].made


@pytest.mark.parametrize(
    "change",
    [
        {"mode": 0o600},
        {"uid": 1},
        {"gid": 1},
        {"mtime": 1},
        {"path": "g"},
        {"xattrs": FrozenDict({"user.a": b""})},
    ],
)
def test_every_field_counts(place: Place, change: dict[str, object]) -> None:
    entry = file("f", place.content(b"x"))
    first, _ = place.make(entry)
    second, _ = place.make(replace(entry, **change))  # type: ignore[arg-type]
    assert second.made
    assert second.diff_id != first.diff_id


def test_the_order_counts_and_is_kept(place: Place) -> None:
    one, two = place.tar(directory("a"), directory("b")), place.tar(directory("b"), directory("a"))
    assert one != two
    with tarfile.open(fileobj=io.BytesIO(two)) as tar:
        assert tar.getnames() == ["b", "a"]


def test_each_compression_is_remembered_by_itself_and_has_the_same_diff_id(place: Place) -> None:
    entry = file("f", place.content(b"x" * 5000))
    made = [place.make(entry, compression=compression)[0] for compression in ("", "gzip", "zstd")]
    assert all(each.made for each in made)
    assert len({each.diff_id for each in made}) == 1
    assert len({each.descriptor.digest for each in made}) == 3


def _only(folder: Path, pattern: str) -> Path:
    (found,) = folder.glob(pattern)
    return found


@pytest.mark.parametrize("damage", ["blob gone", "blob cut", "record cut", "record lies", "record gone"])
def test_what_was_remembered_and_is_damaged_is_made_again(place: Place, damage: str) -> None:
    entry = file("f", place.content(b"x" * 5000))
    first, _ = place.make(entry)
    blob, record = _only(place.layers, "blobs/*"), _only(place.layers, "??/*.json")
    match damage:
        case "blob gone":
            blob.unlink()
        case "blob cut":
            data = blob.read_bytes()
            blob.unlink()  # not in place: the first layout shares it
            blob.write_bytes(data[:-1])
        case "record cut":
            record.write_bytes(record.read_bytes()[:-5])
        case "record lies":
            record.write_text(json.dumps({"diff_id": "x", "digest": "../../etc/passwd", "size": 1}))
        case "record gone":
            record.unlink()
    second, layout = place.make(entry)
    assert second.made
    assert second.descriptor == first.descriptor
    assert sha256_file(blob_path(layout, second.descriptor.digest)) == second.descriptor.hex
    assert not place.make(entry)[0].made


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


def test_several_at_once_make_the_same_and_all_are_whole(place: Place) -> None:
    contents = [place.content(os.urandom(3 * BLOCK), f"content-{number}") for number in range(2)]
    layouts = [place.base / f"many-{number}" for number in range(8)]
    results: list[MadeLayer] = []

    def make(number: int) -> None:
        start_layout(layouts[number])
        entry = file("f", contents[number % 2])
        results.append(
            make_layer([entry], layout=layouts[number], layers=place.layers, compression="gzip", media_types="oci")
        )

    threads = [threading.Thread(target=make, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({made.descriptor.digest for made in results}) == 2
    assert len(results) == 8
    for layout in layouts:
        blob = _only(layout, "blobs/sha256/*")
        assert sha256_file(blob) == blob.name
    assert not tuple(place.layers.glob("blobs/.*"))


def test_the_store_forgets_what_was_not_used(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = file("old", place.content(b"old", "old")), file("new", place.content(b"new", "new"))
    place.make(old)
    place.make(new)
    for record in place.layers.glob("??/*.json"):
        os.utime(record, (1000, 1000))
    assert not place.make(new)[0].made  # which touches it
    store = LayerStore(place.layers)
    assert store.sweep(2000) == 0  # the blob is young: another process may be about to write its record
    assert len(tuple(place.layers.glob("blobs/*"))) == 2
    monkeypatch.setattr("rearch.oci.layer_store.time.time", lambda: 1e12)
    assert store.sweep(2000) > 0
    assert len(tuple(store.everything())) == 1
    assert not place.make(new)[0].made
    assert place.make(old)[0].made


def test_a_sweep_in_between_costs_nothing_but_time(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = file("f", place.content(b"x"))
    place.make(entry)
    found = LayerStore.find

    def then_swept(store: LayerStore, key: str) -> object:
        remembered = found(store, key)
        assert remembered is not None
        remembered.blob.unlink()
        return remembered

    monkeypatch.setattr(LayerStore, "find", then_swept)
    made, layout = place.make(entry)
    assert made.made
    assert blob_path(layout, made.descriptor.digest).is_file()
