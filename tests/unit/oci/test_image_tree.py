"""Layers put over one another, the way through links, and the tree on disk."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rearch.errors import VerificationError
from rearch.model.platform import parse_platform
from rearch.oci.entry import EntryKind, LayerEntry
from rearch.oci.extract import extract_tree
from rearch.oci.image_tree import BrokenTree, ImageTree, Missing, follow, overlay, read_tree
from tests.support.layouts import File, Folder, Hard, Link, Node, Thing, make_image

ARM64 = parse_platform("arm64")


def tree(base: Path, *layers: list[Thing], cache: Path | None = None) -> ImageTree:
    image = make_image(base / "layout", ARM64, layers, compress=True)
    return read_tree(base / "layout", image.manifest.layers, cache)


def test_layers_over_one_another(tmp_path: Path) -> None:
    made = tree(
        tmp_path,
        [Folder("etc", 0o700), File("etc/a", b"1"), File("etc/b", b"2"), Link("l", "etc"), File("gone/x", b"3")],
        [Folder("etc", 0o750), File("etc/a", b"new"), File(".wh.gone"), File("l/c", b"4"), File("deep/er/d", b"5")],
    )
    assert {path: (found.layer, found.number) for path, found in made.entries.items()} == {
        "deep": (1, -1),
        "deep/er": (1, -1),
        "deep/er/d": (1, 4),
        "etc": (1, 0),
        "etc/a": (1, 1),
        "etc/b": (0, 2),
        "etc/c": (1, 3),
        "l": (0, 3),
    }
    assert made.entries["etc"].entry.mode == 0o750
    assert made.entries["etc/c"].entry.path == "etc/c"
    assert made.children == {"": ("deep", "etc", "l"), "deep": ("er",), "deep/er": ("d",), "etc": ("a", "b", "c")}
    assert [made.read(path, 9) for path in ("etc/a", "/l/b", "l/../l/c", "deep/er/d")] == [b"new", b"2", b"4", b"5"]


def test_an_opaque_folder_takes_what_is_below_and_nothing_of_its_own_layer(tmp_path: Path) -> None:
    upper: list[Thing] = [File("d/new", b"n"), File("d/.wh..wh..opq"), File("x/.wh.nothing")]
    made = tree(tmp_path, [File("d/old", b"o"), File("d/e/f", b"f"), File("dd", b"stays")], upper)
    assert list(made.entries) == ["d", "d/new", "dd", "x"]


def test_what_replaces_what(tmp_path: Path) -> None:
    made = tree(
        tmp_path,
        [Link("a", "d"), Folder("d"), File("d/x", b"x"), File("f", b"f"), Folder("g"), File("g/y", b"y")],
        [Folder("a"), File("d", b"now a file"), Folder("f"), Link("g", "a")],
    )
    assert {path: found.entry.kind for path, found in made.entries.items()} == {
        "a": EntryKind.DIRECTORY,
        "d": EntryKind.FILE,
        "f": EntryKind.DIRECTORY,
        "g": EntryKind.SYMLINK,
    }


def test_hard_links_are_names_of_one_content(tmp_path: Path) -> None:
    made = tree(tmp_path, [File("a", b"one"), Hard("b", "a")], [Hard("c", "b"), File("a", b"two")], [File(".wh.b")])
    assert [made.read(path, 9) for path in ("a", "c")] == [b"two", b"one"]
    assert (made.entries["c"].layer, made.entries["c"].number, made.entries["c"].entry.kind) == (0, 0, EntryKind.FILE)
    with pytest.raises(BrokenTree, match="a hard link to /nothing"):
        tree(tmp_path / "2", [Hard("b", "nothing")])


LINKS: list[Thing] = [
    Folder("usr"),
    Folder("usr/bin"),
    File("usr/bin/dash", b""),
    Link("usr/bin/sh", "dash"),
    Link("bin", "usr/bin"),
    Link("abs", "/usr/bin/../bin"),
    Link("out", "../../../../usr"),
    Link("loop", "pool"),
    Link("pool", "loop"),
    Link("dead", "nowhere/at/all"),
    Link("self", "."),
]


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("/bin/sh", "usr/bin/dash"),
        ("abs/sh", "usr/bin/dash"),
        ("out/bin/sh", "usr/bin/dash"),
        ("usr/bin/dash/.", "usr/bin/dash"),
        ("/", ""),
        ("", ""),
        ("../..", ""),
        ("self/self/bin", "usr/bin"),
        ("usr/./bin//dash", "usr/bin/dash"),
        ("usr/none/../bin", Missing(at="usr/none")),
        ("usr/bin/dash/x", Missing(at="usr/bin/dash")),
        ("dead", Missing(at="nowhere")),
        ("loop", Missing(at="pool", loop=True)),
    ],
)
def test_the_way_through_links(path: str, wanted: object, tmp_path: Path) -> None:
    found = tree(tmp_path, LINKS).find(path)
    if isinstance(wanted, Missing) and wanted.loop:
        assert isinstance(found, Missing)
        assert found.loop
    else:
        assert found == wanted


def test_reading_what_is_not_there(tmp_path: Path) -> None:
    made = tree(tmp_path, [*LINKS, File("big", b"12345")])
    wrong = {"none": "there is no /none", "loop": "leads to itself", "usr": "no file", "big": "more than 4"}
    for path, words in wrong.items():
        with pytest.raises(BrokenTree, match=words):
            made.read(path, 4)


def test_files_below_what_is_no_folder(tmp_path: Path) -> None:
    with pytest.raises(BrokenTree, match="it is no folder"):
        tree(tmp_path / "1", [File("a", b"")], [File("a/b", b"")])
    with pytest.raises(BrokenTree, match="leads to no folder"):
        tree(tmp_path / "2", [Link("a", "none")], [File("a/b", b"")])


def test_headers_are_read_once_for_ever(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    layer: list[Thing] = [File("a\udce9", b"x", 0o4755), Link("l", "a"), Node("dev/null")]
    first = tree(tmp_path, layer, cache=cache)
    for blob in (tmp_path / "layout/blobs/sha256").iterdir():
        blob.write_bytes(bytes(blob.stat().st_size))
    again = read_tree(tmp_path / "layout", first.layers, cache)
    assert again.entries == first.entries
    with pytest.raises(VerificationError):
        read_tree(tmp_path / "layout", first.layers, None)


def test_on_disk(tmp_path: Path) -> None:
    made = tree(
        tmp_path,
        [Folder("etc", 0o2750), File("etc/a", b"one", 0o4711), Hard("b", "etc/a"), Link("l", "/etc/passwd")],
        [Node("dev/null"), File("ro/x", b"y", 0o400), Folder("ro", 0o555), File("empty", b"", 0o600), File("l2", b"")],
    )
    root = tmp_path / "root"
    root.mkdir()
    done = extract_tree(made, root)
    assert done.skipped == ("dev/null",)
    assert done.entries == len(made.entries) - 1
    found = {str(path.relative_to(root)): oct(path.lstat().st_mode) for path in sorted(root.rglob("*"))}
    assert found == {
        "b": "0o104711",
        "dev": "0o40755",
        "empty": "0o100600",
        "etc": "0o42750",
        "etc/a": "0o104711",
        "l": "0o120777",
        "l2": "0o100755",
        "ro": "0o40555",
        "ro/x": "0o100400",
    }
    assert (root / "b").samefile(root / "etc/a")
    assert os.readlink(root / "l") == "/etc/passwd"
    assert (root / "ro/x").read_bytes() == b"y"


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    made = tree(tmp_path, [Link("evil", str(tmp_path / "outside")), Link("up", "../outside")])
    with pytest.raises(BrokenTree):
        tree(tmp_path / "2", [Link("evil", str(tmp_path / "outside"))], [File("evil/x", b"")])
    inside = tree(tmp_path / "3", [Folder("outside"), Link("up", "../../outside"), File("up/x", b"1")])
    for number, each in enumerate((made, inside)):
        root = tmp_path / f"root-{number}"
        root.mkdir()
        extract_tree(each, root)
    assert list((tmp_path / "outside").iterdir()) == []
    assert (tmp_path / "root-1/outside/x").read_bytes() == b"1"


def test_owners(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root, to give files away")
    made = tree(tmp_path, [File("a", b"x", 0o4755, uid=12, gid=34), Link("l", "a")])
    (tmp_path / "root").mkdir()
    extract_tree(made, tmp_path / "root")
    found = (tmp_path / "root/a").stat()
    assert (found.st_uid, found.st_gid, oct(found.st_mode)) == (12, 34, "0o104755")


NAMES = st.sampled_from(["a", "b", "a/a", "a/b", "b/a", "a/a/a"])
ENTRIES = st.one_of(
    st.builds(LayerEntry, path=NAMES, kind=st.sampled_from([EntryKind.FILE, EntryKind.DIRECTORY]), mode=st.just(0o755)),
    st.builds(
        LayerEntry,
        path=NAMES,
        kind=st.just(EntryKind.SYMLINK),
        mode=st.just(0o777),
        target=st.sampled_from(["a", "b", "../b", "/a/a", ".", "/"]),
    ),
    st.builds(
        LayerEntry,
        path=st.sampled_from([".wh.a", "a/.wh.b", "a/.wh..wh..opq", "b/.wh.a"]),
        kind=st.just(EntryKind.FILE),
        mode=st.just(0),
    ),
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
