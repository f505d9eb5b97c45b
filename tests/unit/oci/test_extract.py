"""An image's tree on disk, and the layers over one another that it is made of."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rearch.formats.archive_errors import CannotWrite
from rearch.model.platform import parse_platform
from rearch.oci.entry import EntryKind, LayerEntry
from rearch.oci.extract import extract_tree
from rearch.oci.image_tree import BrokenTree, ImageTree, Missing, follow, overlay, read_tree
from tests.support.layouts import File, Folder, Hard, Link, Node, Thing, make_image
from tests.support.needs import elsewhere

ARM64 = parse_platform("arm64")


def tree(base: Path, *layers: list[Thing]) -> ImageTree:
    image = make_image(base / "layout", ARM64, layers, compress=True)
    return read_tree(base / "layout", image.manifest.layers, None)


def on_disk(made: ImageTree, root: Path) -> Path:
    root.mkdir()
    extract_tree(made, root)
    return root


def test_modes_links_and_what_is_left_out(tmp_path: Path) -> None:
    made = tree(
        tmp_path,
        [Folder("etc", 0o2750), File("etc/a", b"one", 0o4711), Hard("b", "etc/a"), Link("l", "/etc/passwd")],
        [Node("dev/null"), File("ro/x", b"y", 0o400), Folder("ro", 0o555), File("empty", b"", 0o600), File(".wh.none")],
    )
    root = tmp_path / "root"
    root.mkdir()
    done = extract_tree(made, root)
    assert (done.skipped, done.entries) == (("dev/null",), len(made.entries) - 1)
    assert {str(path.relative_to(root)): oct(path.lstat().st_mode) for path in root.rglob("*")} == {
        "b": "0o104711",
        "dev": "0o40755",
        "empty": "0o100600",
        "etc": "0o42750",
        "etc/a": "0o104711",
        "l": "0o120777",
        "ro": "0o40555",
        "ro/x": "0o100400",
    }
    assert (root / "b").samefile(root / "etc/a")
    assert (root / "l").readlink() == Path("/etc/passwd")
    assert [(root / name).read_bytes() for name in ("b", "ro/x", "empty")] == [b"one", b"y", b""]


def test_the_last_layer_counts(tmp_path: Path) -> None:
    lower: list[Thing] = [File("a", b"1"), Hard("b", "a"), File("c/d", b"2"), Folder("e"), Link("f", "e")]
    upper: list[Thing] = [File("a", b"new"), File(".wh.c"), File("f/g", b"3")]
    root = on_disk(tree(tmp_path, lower, upper), tmp_path / "root")
    found = {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}
    assert found == {"a": b"new", "b": b"1", "e/g": b"3"}
    assert (root / "f").is_symlink()


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    with pytest.raises(BrokenTree):
        tree(tmp_path / "1", [Link("evil", str(outside))], [File("evil/x", b"")])
    inside = tree(tmp_path / "2", [Folder("outside"), Link("up", "../../outside"), File("up/x", b"1")])
    root = on_disk(inside, tmp_path / "root")
    assert list(outside.iterdir()) == []
    assert (root / "outside/x").read_bytes() == b"1"


def test_a_name_that_the_disk_does_not_take(tmp_path: Path) -> None:
    made = tree(tmp_path, [File("a", b"")])
    with pytest.raises(CannotWrite, match="cannot be written"):
        extract_tree(made, tmp_path / "nothing")


def test_owners(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        elsewhere("root, to give files away")
    things: list[Thing] = [File("a", b"x", 0o4755, uid=12, gid=34), File("b", b"", 0o2755, uid=5)]
    root = on_disk(tree(tmp_path, things), tmp_path / "root")
    found = [(root / name).stat() for name in "ab"]
    assert [(each.st_uid, each.st_gid, oct(each.st_mode)) for each in found] == [
        (12, 34, "0o104755"),
        (5, 0, "0o102755"),
    ]


NAMES = st.sampled_from(["a", "b", "a/a", "a/b", "b/a", "a/a/a"])
KINDS = st.sampled_from([EntryKind.FILE, EntryKind.DIRECTORY])
TARGETS = st.sampled_from(["a", "b", "../b", "/a/a", ".", "/"])
WHITEOUTS = st.sampled_from([".wh.a", "a/.wh.b", "a/.wh..wh..opq", "b/.wh.a"])
ENTRIES = st.one_of(
    st.builds(LayerEntry, path=NAMES, kind=KINDS, mode=st.just(0o755)),
    st.builds(LayerEntry, path=NAMES, kind=st.just(EntryKind.SYMLINK), mode=st.just(0o777), target=TARGETS),
    st.builds(LayerEntry, path=WHITEOUTS, kind=st.just(EntryKind.FILE), mode=st.just(0)),
)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.lists(st.lists(ENTRIES, max_size=6), max_size=4))
def test_whatever_the_layers_every_path_has_real_folders_above_it(layers: list[list[LayerEntry]]) -> None:
    try:
        entries = overlay(layers)
    except BrokenTree:
        return
    assert list(entries) == sorted(entries)
    for path, found in entries.items():
        assert found.entry.path == path
        parent = path.rpartition("/")[0]
        assert not parent or entries[parent].entry.kind is EntryKind.DIRECTORY
        place = follow(entries, path)
        assert isinstance(place, Missing) or not place or entries[place].entry.kind is not EntryKind.SYMLINK
