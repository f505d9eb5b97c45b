"""What honest archives become on the disk."""

from __future__ import annotations

import io
import os
import stat
from pathlib import Path

import pytest

from rearch.formats.archive import Extracted, extract
from rearch.formats.archive_errors import CorruptArchive, LinkEscapes, StripLeavesNothing, TargetNotEmpty, UnknownFormat
from rearch.formats.tree import link_text
from rearch.model.limits import Limits
from tests.support.archives import (
    COMPRESSORS,
    Member,
    Zipped,
    folder,
    hard_link,
    link,
    pax,
    tar,
    zip_file,
)

LIMITS = Limits()
TREE = (
    folder("top/"),
    Member(name="top/run.sh", content=b"#!/bin/sh\n", mode=0o754),
    Member(name="top/docs/read.me", content=b"x" * 70_000, mode=0o600),
    link("top/docs/again", "../run.sh"),
    hard_link("top/same", "top/run.sh"),
)


class OneByOne(io.RawIOBase):
    """A stream that cannot seek and gives little at a time, as a socket may."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self._data = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        return self._data.read(min(size, 999) if size >= 0 else 999)


def unpack(data: bytes, into: Path, **options: object) -> Extracted:
    return extract(io.BytesIO(data), into, limits=LIMITS, **options)  # type: ignore[arg-type]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.mark.parametrize("packing", COMPRESSORS)
@pytest.mark.parametrize("stream", [io.BytesIO, OneByOne])
def test_every_compression_from_files_and_streams(packing: str, stream: type, tmp_path: Path) -> None:
    data = COMPRESSORS[packing](tar(*TREE))
    done = extract(stream(data), tmp_path / "out", limits=LIMITS, strip=1)
    assert done.written == 4
    assert (tmp_path / "out/run.sh").read_bytes() == b"#!/bin/sh\n"
    assert (tmp_path / "out/docs/read.me").stat().st_size == 70_000
    assert link_text(tmp_path / "out/docs/again") == "../run.sh"
    assert (tmp_path / "out/same").samefile(tmp_path / "out/run.sh")


def test_the_name_of_the_file_does_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    path.write_bytes(COMPRESSORS["xz"](tar(*TREE)))
    assert extract(path, tmp_path / "out", limits=LIMITS).written == 5


def test_modes_are_plain_and_times_kept(tmp_path: Path) -> None:
    unpack(tar(*TREE), tmp_path / "out")
    top = tmp_path / "out/top"
    assert [mode(top / name) for name in ("", "docs", "run.sh", "docs/read.me")] == [0o755, 0o755, 0o755, 0o644]
    assert {path.lstat().st_mtime for path in (top, *top.rglob("*"))} == {1_500_000_000}


def test_a_time_for_everything(tmp_path: Path) -> None:
    unpack(tar(*TREE), tmp_path / "out", mtime=1_234_567_890)
    assert {path.lstat().st_mtime for path in (tmp_path / "out").rglob("*")} == {1_234_567_890}


def test_kept_modes_lose_setuid_and_leave_the_owner_in(tmp_path: Path) -> None:
    data = tar(
        Member(name="su", mode=0o6755),
        Member(name="secret", mode=0o000),
        folder("tmp", mode=0o1777),
        folder("closed", mode=0o555),
        Member(name="closed/in", content=b"1"),
    )
    unpack(data, tmp_path / "out", keep_modes=True)
    found = {path.name: mode(path) for path in (tmp_path / "out").rglob("*")}
    assert found == {"su": 0o755, "secret": 0o600, "tmp": 0o777, "closed": 0o755, "in": 0o644}


@pytest.mark.parametrize("packing", ["gz", "xz", "bz2", "zst"])
def test_streams_of_several_members_with_padding(packing: str, tmp_path: Path) -> None:
    data = tar(*TREE)
    pack = COMPRESSORS[packing]
    padding = b"" if packing in ("bz2", "zst") else bytes(512)
    unpack(pack(data[:1000]) + pack(b"") + pack(data[1000:]) + padding, tmp_path / "out")
    assert (tmp_path / "out/top/docs/read.me").stat().st_size == 70_000


def test_long_names_of_pax_gnu_and_ustar(tmp_path: Path) -> None:
    long, target = f"{'d' * 90}/{'é' * 60}.go", f"{'t' * 150}"
    data = tar(
        pax(path=long, mtime="1400000000.75"),
        Member(name="short", content=b"pax"),
        Member(name="././@LongLink", kind=b"L", content=b"gnu/" + b"n" * 200 + b"\0"),
        Member(name="n", content=b"gnu"),
        Member(name="././@LongLink", kind=b"K", content=target.encode() + b"\0"),
        link("far", "cut"),
        Member(name="tail", prefix=b"head/of/it", content=b"ustar"),
        Member(name="old", prefix=b"not a prefix", magic=b"ustar  \0", content=b"gnu format"),
    )
    unpack(data, tmp_path / "out")
    assert (tmp_path / "out" / long).read_bytes() == b"pax"
    assert (tmp_path / "out" / long).stat().st_mtime == 1_400_000_000
    assert (tmp_path / "out/gnu" / ("n" * 200)).read_bytes() == b"gnu"
    assert link_text(tmp_path / "out/far") == target
    assert (tmp_path / "out/head/of/it/tail").read_bytes() == b"ustar"
    assert (tmp_path / "out/old").read_bytes() == b"gnu format"


def test_what_git_archive_writes(tmp_path: Path) -> None:
    data = tar(pax(b"g", comment="0" * 40), *TREE)
    assert unpack(data, tmp_path / "out", strip=1).written == 4


def test_names_that_are_not_utf8(tmp_path: Path) -> None:
    unpack(tar(Member(name=b"caf\xe9")), tmp_path / "out")
    assert [os.fsencode(path.name) for path in (tmp_path / "out").iterdir()] == [b"caf\xe9"]


def test_a_tar_from_before_posix(tmp_path: Path) -> None:
    data = tar(Member(name="d/", magic=b"", kind=b"\0"), Member(name="d/f", magic=b"", kind=b"\0", content=b"v7"))
    unpack(data, tmp_path / "out")
    assert (tmp_path / "out/d/f").read_bytes() == b"v7"


def test_times_out_of_reach_are_pulled_in(tmp_path: Path) -> None:
    data = tar(Member(name="early", mtime=-5), Member(name="late", mtime=8**11 - 1))
    unpack(data, tmp_path / "out")
    assert (tmp_path / "out/early").stat().st_mtime == 0
    assert (tmp_path / "out/late").stat().st_mtime > 4e9


def test_folders_may_come_twice_and_after_what_they_hold(tmp_path: Path) -> None:
    data = tar(Member(name="./a/b/c", content=b"1"), folder("a"), folder("./a/b/"), folder("a//b"), folder("./"))
    unpack(data, tmp_path / "out")
    assert (tmp_path / "out/a/b/c").read_bytes() == b"1"


def test_links_that_stay_inside(tmp_path: Path) -> None:
    data = tar(
        link("dangling", "not/there"),
        link("a/up", ".."),
        link("a/b/to", "../up/a"),
        link("round", "a/../a/b"),
        link("self", "self"),
        link("odd", "./a//b/"),
        hard_link("a/again", "a/up"),
    )
    unpack(data, tmp_path / "out")
    assert link_text(tmp_path / "out/round") == "a/../a/b"
    assert link_text(tmp_path / "out/odd") == "./a//b/"
    assert link_text(tmp_path / "out/a/again") == ".."


def test_links_of_links_are_resolved_to_the_end(tmp_path: Path) -> None:
    """`deep/..` is the top by its text, and one below it in truth."""
    data = tar(folder("a/b/c"), link("deep", "a/b/c"), link("up", "deep/../../b"))
    unpack(data, tmp_path / "out")
    assert (tmp_path / "out/up").resolve() == (tmp_path / "out/a/b").resolve()
    with pytest.raises(LinkEscapes):
        unpack(tar(folder("a/b"), link("deep", "a"), link("up", "deep/../..")), tmp_path / "other")


def test_a_root_file_system(tmp_path: Path) -> None:
    data = tar(
        folder("./usr/lib"),
        link("./lib", "usr/lib"),
        Member(name="./lib/libc.so.6", content=b"elf"),
        link("./usr/lib/libc.so", "/lib/libc.so.6"),
        folder("./lib/"),
        hard_link("./lib/again", "./lib/libc.so.6"),
        link("./etc/alternatives/x", "/"),
    )
    unpack(data, tmp_path / "out", rooted=True, keep_modes=True)
    assert (tmp_path / "out/usr/lib/libc.so.6").read_bytes() == b"elf"
    assert link_text(tmp_path / "out/usr/lib/libc.so") == "/lib/libc.so.6"
    assert (tmp_path / "out/usr/lib/again").samefile(tmp_path / "out/usr/lib/libc.so.6")
    unpack(tar(Member(name="lib/other", content=b"2")), tmp_path / "out", rooted=True, merge=True)
    assert (tmp_path / "out/usr/lib/other").read_bytes() == b"2"


UNIX_TIME = b"UT\x05\x00\x01" + (1_400_000_000).to_bytes(4, "little")


@pytest.mark.parametrize("method", [0, 8])
@pytest.mark.parametrize("stream", [io.BytesIO, OneByOne])
def test_zip(method: int, stream: type, tmp_path: Path) -> None:
    data = zip_file(
        Zipped(name=b"top/docs/", method=0, mode=0o40755),
        Zipped(name=b"top/run", content=b"#!" * 40_000, method=method, mode=0o100775),
        Zipped(name=b"top/plain", method=method, mode=0),
        Zipped(name=b"top/stamped", content=b"t", method=method, extra=UNIX_TIME),
        Zipped(name=b"top/l", content=b"run", method=method, mode=0o120777),
        comment=b"a comment",
    )
    extract(stream(data), tmp_path / "out", limits=LIMITS, strip=1)
    assert (tmp_path / "out/run").read_bytes() == b"#!" * 40_000
    assert [mode(tmp_path / "out" / name) for name in ("docs", "run", "plain")] == [0o755, 0o755, 0o644]
    assert (tmp_path / "out/stamped").stat().st_mtime == 1_400_000_000
    assert (tmp_path / "out/run").stat().st_mtime == 1_499_990_400  # 2017-07-14, read as UTC
    assert link_text(tmp_path / "out/l") == "run"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_zip_with_two_ends_is_ambiguous(tmp_path: Path) -> None:
    data = zip_file(Zipped(name=b"a"), comment=b"PK\x05\x06 and more bytes than an end record has")
    with pytest.raises(CorruptArchive, match="behind the end record"):
        unpack(data, tmp_path / "out")


def test_what_is_shorter_than_strip_is_left_out(tmp_path: Path) -> None:
    done = unpack(tar(Member(name="package.xml"), *TREE), tmp_path / "out", strip=1)
    assert done.written == 4
    assert not (tmp_path / "out/package.xml").exists()


def test_strip_that_leaves_nothing_says_what_is_there(tmp_path: Path) -> None:
    with pytest.raises(StripLeavesNothing) as caught:
        unpack(tar(Member(name="main.go")), tmp_path / "out", strip=1)
    assert "main.go" in caught.value.render()


def test_a_target_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "old").write_text("old")
    with pytest.raises(TargetNotEmpty):
        unpack(tar(*TREE), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["old"]


@pytest.mark.parametrize(
    ("data", "hint"),
    [(b"", "zip"), (b"\n<!DOCTYPE html><p>Sign in", "login"), (b"7z\xbc\xaf\x27\x1c", "zip"), (b"text" * 200, "zip")],
)
def test_no_archive(data: bytes, hint: str, tmp_path: Path) -> None:
    with pytest.raises(UnknownFormat) as caught:
        unpack(data, tmp_path / "out", name="x.tar.gz")
    assert "x.tar.gz" in caught.value.summary
    assert hint in str(caught.value.hint)
