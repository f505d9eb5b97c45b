"""The memory of layers: each is made once, damage is mended, age is known, and nobody gets in another's way."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest
from msgspec.structs import replace

from rearch.formats.hashing import BLOCK, sha256_file
from rearch.model.frozen import FrozenDict
from rearch.oci.layer import MadeLayer, make_layer
from rearch.oci.layer_store import LayerStore
from rearch.oci.layout import blob_path, start_layout
from tests.support.layer_place import Place, file


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


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
    second, _ = place.make(replace(entry, **change))
    assert second.made
    assert second.diff_id != first.diff_id


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
