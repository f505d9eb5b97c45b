"""Layers over one another: whiteouts, replacements, links, hard links; and what is remembered of a layer."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from rearch.errors import VerificationError
from rearch.formats.archive_errors import TruncatedArchive
from rearch.model.platform import parse_platform
from rearch.oci.entry import EntryKind
from rearch.oci.image_tree import BrokenTree, ImageTree, Missing, read_tree
from rearch.oci.layout import blob_path
from rearch.oci.layout_errors import MissingBlob, WrongBlob
from rearch.oci.read_layer import UnknownLayerType
from rearch.oci.types import OCI_LAYER
from tests.support.layouts import File, Folder, Hard, Link, Thing, make_image

ARM64 = parse_platform("linux/arm64")


def _tree(tmp_path: Path, *layers: Sequence[Thing], cache: Path | None = None) -> ImageTree:
    layout = tmp_path / "layout"
    image = make_image(layout, ARM64, layers, compress=True)
    return read_tree(layout, image.manifest.layers, cache)


def _places(tree: ImageTree) -> dict[str, int]:
    return {path: found.layer for path, found in tree.entries.items()}


def test_a_later_layer_replaces_and_a_folder_joins(tmp_path: Path) -> None:
    tree = _tree(
        tmp_path,
        [Folder("d", 0o700), File("d/a", b"old"), File("d/b"), Folder("e"), File("e/x"), File("f")],
        [Folder("d", 0o755), File("d/a", b"new"), File("e", b"a file now"), Folder("f"), File("f/y")],
    )
    assert _places(tree) == {"d": 1, "d/a": 1, "d/b": 0, "e": 1, "f": 1, "f/y": 1}
    assert (tree.read("d/a", 10), tree.entries["d"].entry.mode) == (b"new", 0o755)
    assert list(tree.children["d"]) == ["a", "b"]


def test_whiteouts_act_on_lower_layers_alone_wherever_they_stand(tmp_path: Path) -> None:
    tree = _tree(
        tmp_path,
        [
            File("a"),
            Folder("d"),
            File("d/x"),
            File("d/y"),
            Folder("o"),
            File("o/gone"),
            Folder("o/sub"),
            File("o/sub/z"),
        ],
        [File("d/x", b"mine"), File("d/.wh.x"), File(".wh.a"), File("o/kept"), File("o/.wh..wh..opq")],
    )
    assert _places(tree) == {"d": 0, "d/x": 1, "d/y": 0, "o": 0, "o/kept": 1}
    assert tree.read("d/x", 10) == b"mine"


def test_a_removed_folder_takes_all_below_it(tmp_path: Path) -> None:
    tree = _tree(tmp_path, [Folder("d"), File("d/a"), Folder("dd"), File("dd/b")], [File(".wh.d"), File(".wh.nothing")])
    assert _places(tree) == {"dd": 0, "dd/b": 0}


def test_files_below_a_link_of_a_lower_layer_land_where_it_leads(tmp_path: Path) -> None:
    tree = _tree(
        tmp_path,
        [Folder("usr"), Folder("usr/bin"), File("usr/bin/old"), Link("bin", "usr/bin")],
        [File("bin/tool", b"tool"), File("bin/.wh.old")],
    )
    assert _places(tree) == {"bin": 0, "usr": 0, "usr/bin": 0, "usr/bin/tool": 1}
    assert tree.read("/bin/tool", 10) == b"tool"


def test_folders_that_no_layer_names_are_made(tmp_path: Path) -> None:
    tree = _tree(tmp_path, [File("a/b/c")])
    assert {path: (found.entry.kind, found.number) for path, found in tree.entries.items()} == {
        "a": (EntryKind.DIRECTORY, -1),
        "a/b": (EntryKind.DIRECTORY, -1),
        "a/b/c": (EntryKind.FILE, 0),
    }


def test_a_hard_link_is_the_file_also_when_its_first_name_is_gone(tmp_path: Path) -> None:
    tree = _tree(
        tmp_path,
        [File("a", b"content"), Hard("b", "a")],
        [Hard("c", "b"), File(".wh.a")],
        [File("b", b"other")],
    )
    assert set(tree.entries) == {"b", "c"}
    assert (tree.read("c", 10), tree.read("b", 10)) == (b"content", b"other")
    assert tree.entries["c"].entry.kind is EntryKind.FILE


def test_links_are_followed_inside_the_root(tmp_path: Path) -> None:
    things: list[Thing] = [
        Folder("d"),
        File("d/f", b"f"),
        Link("abs", "/d"),
        Link("d/up", "../../../d/f"),
        Link("loop", "loop2"),
        Link("loop2", "/loop"),
        Link("dangling", "d/none"),
        Link("through", "d/f/x"),
    ]
    tree = _tree(tmp_path, things)
    assert tree.resolve("/abs/f") == "d/f"
    assert tree.resolve("abs/../abs/./up") == "d/f"
    assert tree.resolve("/") == ""
    assert tree.find("dangling") == Missing(at="d/none")
    for path, why in (
        ("loop", "leads to itself"),
        ("dangling", "there is no /d/none"),
        ("through", "there is no /d/f"),
    ):
        with pytest.raises(BrokenTree, match=why):
            tree.resolve(path)


def test_what_cannot_be_read(tmp_path: Path) -> None:
    tree = _tree(tmp_path, [Folder("d"), File("f", b"12345")])
    assert tree.read("f", 5) == b"12345"
    for path, limit, why in (("f", 4, "more than 4 bytes"), ("d", 9, "no file"), ("", 9, "no file")):
        with pytest.raises(BrokenTree, match=why):
            tree.read(path, limit)


@pytest.mark.parametrize(
    ("layers", "why"),
    [
        ([[File("a"), File("a/b")]], "no folder"),
        ([[Link("a", "nowhere")], [File("a/b")]], "leads to no folder"),
        ([[Link("a", "a")], [File("a/b")]], "leads to no folder"),
        ([[Hard("a", "b")]], "no file below it"),
        ([[Folder("b"), Hard("a", "b")]], "no file below it"),
    ],
)
def test_layers_that_do_not_fit(tmp_path: Path, layers: list[list[Thing]], why: str) -> None:
    with pytest.raises(BrokenTree, match=why):
        _tree(tmp_path, *layers)


def test_what_is_remembered_counts_for_a_whole_blob_alone(tmp_path: Path) -> None:
    layout, cache = tmp_path / "layout", tmp_path / "cache"
    image = make_image(layout, ARM64, [[File("a\udc80", b"x", 0o4755, 5, 6), Link("l", "é")]], compress=True)
    layers = image.manifest.layers
    first = read_tree(layout, layers, cache).entries
    blob = blob_path(layout, layers[0].digest)
    data = blob.read_bytes()
    blob.chmod(0o600)
    blob.write_bytes(b"x" * len(data))
    with pytest.raises(WrongBlob, match="its digest is"):
        read_tree(layout, layers, cache)
    blob.unlink()
    with pytest.raises(MissingBlob):
        read_tree(layout, layers, cache)
    blob.write_bytes(b"x" * len(data))
    (place,) = (path for path in cache.rglob("*.json"))
    for torn in (b"", b"[[", json.dumps([["a"]]).encode(), b"{}", b"[1]"):
        place.write_bytes(torn)
        with pytest.raises(VerificationError):  # the blob is asked again, and is damaged
            read_tree(layout, layers, cache)
    blob.write_bytes(data)
    assert read_tree(layout, layers, cache).entries == first


def test_a_remembered_blob_is_hashed_and_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = _tree(tmp_path, [File("a", b"x")], cache=tmp_path / "cache").entries
    monkeypatch.setattr("rearch.oci.image_tree_index.layer_entries", None)
    assert _tree(tmp_path, [File("a", b"x")], cache=tmp_path / "cache").entries == first


def test_what_is_remembered_of_a_packed_layer_says_nothing_of_a_plain_one(tmp_path: Path) -> None:
    layout, cache = tmp_path / "layout", tmp_path / "cache"
    layers = make_image(layout, ARM64, [[File("a", b"x")]], compress=True).manifest.layers
    read_tree(layout, layers, cache)
    with pytest.raises(TruncatedArchive):
        read_tree(layout, [replace(layers[0], media_type=OCI_LAYER)], cache)
    with pytest.raises(UnknownLayerType):
        read_tree(layout, [replace(layers[0], media_type="application/vnd.example")], cache)
