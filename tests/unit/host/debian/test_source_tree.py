"""Source packages of every format become trees; changelogs give a time; libraries become a GOPATH."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from rearch.formats.archive_errors import LinkEscapes
from rearch.formats.debian_control import ListedFile, SourceRecord, parse_dsc
from rearch.host.debian.changelog import NoPackaging, packaging_file, packaging_time
from rearch.host.debian.gopath import TooManyLinked, lay_out
from rearch.host.debian.source_tree import MissingPatch, UnsupportedSource, series_names, unpack_source
from rearch.host.debian.unpack import make_merged_root, relative_links
from tests.support.debian_archive import TIME, changelog_of, dsc_of, packed, quilt_files, tar_of
from tests.support.repositories import Content, Link
from tests.support.workspace import make_workspace

DIFF = """--- thing-1.0.orig/main.go
+++ thing-1.0/main.go
@@ -1 +1 @@
-package old
+package main
--- thing-1.0.orig/debian/changelog
+++ thing-1.0/debian/changelog
@@ -0,0 +1,5 @@
"""


def _unpacked(base: Path, version: str, kind: str, files: dict[str, bytes]) -> Path:
    places = {}
    for name, data in files.items():
        places[name] = base / name
        places[name].write_bytes(data)
    work = make_workspace(base / "work")
    unpack_source(parse_dsc(dsc_of("thing", version, kind, files), "thing.dsc"), places, work.files / "source", work)
    return work.files / "source"


def _old_diff() -> bytes:
    lines = changelog_of("thing", "1.0-1").splitlines()
    return gzip.compress((DIFF + "".join(f"+{line}\n" for line in lines)).encode())


def test_format_1_0_with_a_diff(tmp_path: Path) -> None:
    orig = packed(tar_of({"main.go": "package old\n"}, "Thing/"), "gz")
    root = _unpacked(tmp_path, "1.0-1", "1.0", {"thing_1.0.orig.tar.gz": orig, "thing_1.0-1.diff.gz": _old_diff()})
    assert (root / "main.go").read_text() == "package main\n"
    assert (root / "debian/changelog").read_text() == changelog_of("thing", "1.0-1")


@pytest.mark.parametrize("kind", ["1.0", "3.0 (native)"])
def test_native_packages(tmp_path: Path, kind: str) -> None:
    tar = packed(tar_of({"debian/changelog": changelog_of("thing", "1.0"), "x": "y"}, "thing-1.0/"), "xz")
    root = _unpacked(tmp_path, "1.0", kind, {"thing_1.0.tar.xz": tar})
    assert (root / "x").read_text() == "y"


def test_a_tar_without_a_folder_of_its_own(tmp_path: Path) -> None:
    root = _unpacked(
        tmp_path, "1.0", "3.0 (native)", {"thing_1.0.tar.gz": packed(tar_of({"a": "1", "b/c": "2"}), "gz")}
    )
    assert sorted(path.name for path in root.iterdir()) == ["a", "b"]


def test_a_signature_of_upstreams_is_no_part_of_the_tree(tmp_path: Path) -> None:
    files = {**quilt_files("thing", "1.0-1", {"a": "1"}), "thing_1.0.orig.tar.gz.asc": b"signature"}
    assert (_unpacked(tmp_path, "1.0-1", "3.0 (quilt)", files) / "a").is_file()


@pytest.mark.parametrize(("kind", "why"), [("2.0", "not supported"), ("3.0 (git)", "not supported")])
def test_other_formats_are_named(tmp_path: Path, kind: str, why: str) -> None:
    with pytest.raises(UnsupportedSource, match=why) as caught:
        _unpacked(tmp_path, "1.0", kind, {"thing_1.0.tar.gz": b""})
    assert caught.value.format == kind


def test_a_missing_tar_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedSource, match="one is wanted"):
        _unpacked(tmp_path, "1.0-1", "3.0 (quilt)", {"thing_1.0-1.debian.tar.xz": packed(tar_of({}), "xz")})


@pytest.mark.parametrize("name", ["none.patch", "../../main.go", "/etc/passwd"])
def test_a_series_that_names_no_patch(tmp_path: Path, name: str) -> None:
    files = quilt_files("thing", "1.0-1", {"main.go": "x"}, debian={"patches/series": f"{name}\n"})
    with pytest.raises(MissingPatch) as caught:
        _unpacked(tmp_path, "1.0-1", "3.0 (quilt)", files)
    assert caught.value.name == name


def test_a_link_that_leaves_the_tree_once_its_folder_is_dropped(tmp_path: Path) -> None:
    with pytest.raises(LinkEscapes):
        _unpacked(tmp_path, "1.0", "3.0 (native)", {"t_1.tar.gz": packed(tar_of({"evil": Link("../x")}, "t/"), "gz")})


def test_patches_are_not_read_through_a_link_out_of_the_tree(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("--- a\n+++ b\n")
    debian: dict[str, Content] = {"patches/series": "evil\n", "patches/evil": Link("../../../secret")}
    with pytest.raises(LinkEscapes):
        _unpacked(tmp_path, "1.0-1", "3.0 (quilt)", quilt_files("thing", "1.0-1", {"a": "b"}, debian=debian))


def test_a_debian_tar_with_more_than_the_debian_folder(tmp_path: Path) -> None:
    files = quilt_files("thing", "1.0-1", {"a": "1"})
    files["thing_1.0-1.debian.tar.xz"] = packed(tar_of({"debian/x": "x", "main.go": "evil"}), "xz")
    with pytest.raises(UnsupportedSource, match="more or less"):
        _unpacked(tmp_path, "1.0-1", "3.0 (quilt)", files)


def test_the_series_is_read_as_dpkg_does() -> None:
    text = "# all\none.patch\n\ntwo.patch -p1 # why\nsub/three.diff\t-p0\n"
    assert tuple(series_names(text)) == ("one.patch", "two.patch", "sub/three.diff")


def _record(*names: str) -> SourceRecord:
    files = tuple(ListedFile(name=name, size=1, sha256="0" * 64) for name in names)
    return SourceRecord(package="thing", version="1", directory="pool", files=files)


def test_the_file_with_the_changelog() -> None:
    quilt = _record("t_1-1.dsc", "t_1.orig.tar.gz", "t_1-1.debian.tar.xz", "t_1.orig-x.tar.gz")
    assert packaging_file(quilt) == "t_1-1.debian.tar.xz"
    assert packaging_file(_record("t_1-1.dsc", "t_1.orig.tar.gz", "t_1-1.diff.gz")) == "t_1-1.diff.gz"
    assert packaging_file(_record("t_1.dsc", "t_1.tar.xz")) == "t_1.tar.xz"
    with pytest.raises(NoPackaging):
        packaging_file(_record("t_1.dsc"))


def test_the_time_of_every_format(tmp_path: Path) -> None:
    contents = {
        "a_1.debian.tar.xz": packed(tar_of({"changelog": changelog_of("a", "1", 77)}, "debian/"), "xz"),
        "a_1.tar.gz": packed(tar_of({"debian/changelog": changelog_of("a", "1", 78)}, "a-1/"), "gz"),
        "a_1.diff.gz": _old_diff(),
        "b_1.debian.tar.xz": packed(tar_of({"changelog": "no date\n"}, "debian/"), "xz"),
    }
    for name, data in contents.items():
        (tmp_path / name).write_bytes(data)
    times = [packaging_time(name, lambda name: tmp_path / name) for name in contents]
    assert times == [77, 78, TIME, TIME]


def test_no_time_at_all_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.debian.tar.xz").write_bytes(packed(tar_of({"x": "y"}, "debian/"), "xz"))
    (tmp_path / "b.debian.tar.xz").write_bytes(b"junk")
    with pytest.raises(NoPackaging, match="no entry with a date"):
        packaging_time("a.debian.tar.xz", lambda name: tmp_path / name)
    with pytest.raises(NoPackaging, match="cannot be read"):
        packaging_time("b.debian.tar.xz", lambda name: tmp_path / name)


def test_links_between_import_paths_become_folders_and_circles_end(tmp_path: Path) -> None:
    source = tmp_path / "root/usr/share/gocode/src"
    (source / "new/lib/sub").mkdir(parents=True)
    (source / "new/lib/sub/x.go").write_text("package x")
    (source / "old").symlink_to("new/lib")
    (source / "new/lib/loop").symlink_to("../..")
    (source / "new/lib/rooted.go").symlink_to("/usr/share/gocode/src/new/lib/sub/x.go")
    (source / "new/lib/nowhere").symlink_to("../../../../../../../../etc")
    (source / "new/lib/dangling").symlink_to("none")
    said: list[str] = []
    lay_out(tmp_path / "root", tmp_path / "src", 100, said.append)
    made = {str(path.relative_to(tmp_path / "src")) for path in (tmp_path / "src").rglob("*")}
    inside = {"sub", "sub/x.go", "rooted.go"}
    assert made == {"new", "new/lib", "old", *(f"{top}/{name}" for top in ("new/lib", "old") for name in inside)}
    assert not any(path.is_symlink() for path in (tmp_path / "src").rglob("*"))
    assert (tmp_path / "src/old/rooted.go").read_text() == "package x"
    assert sum("is in" in line for line in said) == 2
    assert sum("nowhere" in line for line in said) == 4


def test_links_that_multiply_are_stopped(tmp_path: Path) -> None:
    source = tmp_path / "root/usr/share/gocode/src"
    for level in range(20):
        (source / f"l{level}").mkdir(parents=True)
        for name in ("a", "b"):
            (source / f"l{level}" / name).symlink_to(f"../l{level + 1}")
    with pytest.raises(TooManyLinked):
        lay_out(tmp_path / "root", tmp_path / "src", 2000, lambda _line: None)


def test_absolute_links_of_a_sysroot_become_relative(tmp_path: Path) -> None:
    make_merged_root(tmp_path)
    (tmp_path / "usr/lib/triplet").mkdir()
    (tmp_path / "usr/lib/triplet/libx.so").symlink_to("/lib/triplet/libx.so.1")
    (tmp_path / "top").symlink_to("/")
    (tmp_path / "usr/kept").symlink_to("lib/./triplet")
    (tmp_path / "usr/lib/triplet/libx.so.1").write_text("x")
    relative_links(tmp_path)
    assert (tmp_path / "usr/lib/triplet/libx.so").read_text() == "x"
    assert (tmp_path / "top").readlink() == Path()
    assert (tmp_path / "usr/kept").is_dir()
