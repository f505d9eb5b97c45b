"""ADD of archives."""

from __future__ import annotations

import gzip
import io
import random
import tarfile
from pathlib import Path

import pytest

from rearch.errors import ExitCode, HostileInputError
from rearch.formats.archive_errors import TruncatedArchive
from rearch.oci.dockerfile.errors import BadDockerfile
from tests.support.debian_archive import packed
from tests.support.embedded import Bench
from tests.support.layouts import File, Folder, Hard, Link, Node, Thing, make_tar

THINGS: list[Thing] = [
    Folder("./", 0o700),
    Folder("d", 0o750),
    File("d/a", b"a", 0o4711, 5, 6),
    Hard("b", "d/a"),
    Link("l", "d/a"),
]
TREE = {
    "to": "folder 0755 0:0",
    "to/d": "folder 0750 0:0",
    "to/d/a": "file 4711 5:6 a = to/b",
    "to/b": "file 4711 5:6 a",
    "to/l": "link 0:0 -> d/a",
}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_every_compression_whatever_the_name(bench: Bench) -> None:
    import bz2

    tar = make_tar(THINGS)
    for data in (tar, packed(tar, "gz"), packed(tar, "xz"), packed(tar, "zst"), bz2.compress(tar)):
        bench.put("archive", data)
        built = bench.build("FROM scratch\nADD archive /to\n")
        assert built.lines() == TREE


def test_chown_is_for_the_folder_alone(bench: Bench) -> None:
    bench.put("archive", make_tar(THINGS))
    lines = bench.build("FROM scratch\nADD --chown=1:2 --chmod=600 archive /to/\n").lines()
    assert lines == {**TREE, "to": "folder 0755 1:2"}


def test_files_that_are_no_tar_are_copied(bench: Bench) -> None:
    bench.put("a.tar.gz", gzip.compress(b"no tar", mtime=0))
    bench.put("b.gz", b"\x1f\x8b\x08 no gzip")
    bench.put("empty.tar", b"")
    bench.put("t/x.tar", make_tar(THINGS))
    tree = bench.build("FROM scratch\nADD a.tar.gz b.gz empty.tar /d/\nADD t /t\nADD --unpack=false t/x.tar /x\n").tree
    kept = {path for path, each in tree.entries.items() if each.entry.kind.value == "file"}
    assert kept == {"d/a.tar.gz", "d/b.gz", "d/empty.tar", "t/x.tar", "x"}


def test_copy_does_not_unpack(bench: Bench) -> None:
    bench.put("x.tar", make_tar(THINGS))
    assert set(bench.build("FROM scratch\nCOPY x.tar /to/\n").tree.entries) == {"to", "to/x.tar"}


def test_an_archive_replaces_what_is_there_but_for_folders(bench: Bench) -> None:
    bench.put("x.tar", make_tar([File("a", b"new"), Folder("d", 0o700), File("d/x", b"x"), File("e", b"e")]))
    bench.put("old/a/deep", "gone")
    bench.put("old/d/y", "y")
    bench.link("old/e", "d/y")
    assert bench.build("FROM scratch\nCOPY old /\nADD x.tar /\n").lines() == {
        "a": "file 0755 0:0 new",
        "d": "folder 0700 0:0",
        "d/x": "file 0755 0:0 x",
        "d/y": "file 0644 0:0 y",
        "e": "file 0755 0:0 e",
    }


def test_entries_below_a_link_go_where_it_leads_inside_the_target(bench: Bench) -> None:
    bench.put("x.tar", make_tar([Folder("real"), Link("l", "real"), File("l/f", b"f")]))
    assert bench.build("FROM scratch\nADD x.tar /t\n").lines()["t/real/f"] == "file 0755 0:0 f"
    bench.put("y.tar", make_tar([Link("l", "../other"), File("l/f", b"f")]))
    with pytest.raises(BadDockerfile, match="through a link out of /t"):
        bench.build("FROM scratch\nADD y.tar /t\n")


@pytest.mark.parametrize(
    "thing",
    [File("../x"), File("/x"), File("a/../../x"), Hard("a", "../x"), File("a\x01b")],
)
def test_hostile_names_are_refused(bench: Bench, thing: File | Hard) -> None:
    bench.put("x.tar", make_tar([File("fine"), thing]))
    with pytest.raises(HostileInputError) as caught:
        bench.build("FROM scratch\n\nADD x.tar /to\n")
    assert caught.value.exit_code is ExitCode.VERIFICATION
    assert "t.j2:3: x.tar" in caught.value.summary
    assert not list((bench.folder / "1/layout/blobs/sha256").iterdir())


def test_whiteouts_hard_links_to_nothing_and_truncation(bench: Bench) -> None:
    for things, why in (([File(".wh.x")], "begins with .wh."), ([Hard("a", "b")], "no file that came before")):
        bench.put("x.tar", make_tar(things))
        with pytest.raises(BadDockerfile, match=why):
            bench.build("FROM scratch\nADD x.tar /to\n")
    bench.put("x.tar", make_tar([File("a", b"x" * 5000)])[:3000])
    with pytest.raises(HostileInputError, match="ends in the middle"):
        bench.build("FROM scratch\nADD x.tar /to\n")


def test_devices_are_kept(bench: Bench) -> None:
    bench.put("x.tar", make_tar([Node("null"), Node("pipe", tarfile.FIFOTYPE)]))
    lines = bench.build("FROM scratch\nADD x.tar /\n").lines()
    assert lines == {"null": "character device 0777 0:0", "pipe": "fifo 0777 0:0"}


def test_an_old_tar_without_magic_is_unpacked(bench: Bench) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        info = tarfile.TarInfo("f")
        tar.addfile(info)
    data = bytearray(out.getvalue())
    data[257:265] = bytes(8)
    data[148:156] = b" " * 8
    data[148:156] = f"{sum(data[:512]):06o}\0 ".encode()
    bench.put("x", bytes(data))
    assert set(bench.build("FROM scratch\nADD x /to\n").tree.entries) == {"to", "to/f"}


@pytest.mark.parametrize("packing", ["gz", "xz", "zst", "bz2"])
def test_a_compressed_stream_that_ends_within_the_first_header(bench: Bench, packing: str) -> None:
    import bz2

    header = make_tar([File("f", random.Random(1).randbytes(500))])[:300]
    whole = bz2.compress(header) if packing == "bz2" else packed(header, packing)
    bench.put("x.tar.gz", whole[:-10])
    with pytest.raises(TruncatedArchive, match=r"t\.j2:2: x\.tar\.gz ends in the middle of a compressed stream"):
        bench.build("FROM scratch\nADD x.tar.gz /to/\n")
    assert not list((bench.folder / "1/layout/blobs/sha256").iterdir())
    for text in ("ADD --unpack=false", "COPY"):
        assert set(bench.build(f"FROM scratch\n{text} x.tar.gz /to/\n").tree.entries) == {"to", "to/x.tar.gz"}


def test_an_archive_that_would_go_too_deep_is_told_with_its_line(bench: Bench) -> None:
    bench.put("x.tar", make_tar([File("d/" * 70 + "f")]))
    with pytest.raises(BadDockerfile, match=r"(?s)t\.j2:2: '/to/to/.* is 129 folders deep; 128 is the limit"):
        bench.build(f"FROM scratch\nADD x.tar {'/to' * 60}\n")
