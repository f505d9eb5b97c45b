"""Archives that want something else than to be unpacked: each is refused, and nothing is written outside."""

from __future__ import annotations

import io
import random
import struct
from pathlib import Path

import pytest

from rearch.errors import ExitCode
from rearch.formats import archive_errors as errors
from rearch.formats.archive import extract
from rearch.formats.tree import tree_digest
from rearch.model.limits import Limits
from tests.support.archives import COMPRESSORS, Member, Zipped, folder, hard_link, link, pax, sealed, tar, zip_file

NOISE = random.Random(0).randbytes(3000)
FILE = Member(name="evil", content=b"evil")
ESCAPES: dict[str, tuple[tuple[Member, ...], type[errors.ArchiveError]]] = {
    "dots": ((Member(name="../evil"),), errors.BadName),
    "dots inside": ((Member(name="evil/../../x"),), errors.BadName),
    "dots that stay": ((Member(name="evil/../x"),), errors.BadName),
    "absolute": ((Member(name="/tmp/evil"),), errors.BadName),
    "absolute in pax": ((pax(path="/tmp/evil"), FILE), errors.BadName),
    "dots in prefix": ((Member(name="evil", prefix=b".."),), errors.BadName),
    "dots in a long name": ((Member(name="L", kind=b"L", content=b"../evil\0"), FILE), errors.BadName),
    "line feed": ((Member(name="evil\nname"),), errors.BadName),
    "escape code": ((Member(name="evil\x1b[2J"),), errors.BadName),
    "zero in pax": ((pax(path="evil\0.txt"), FILE), errors.BadName),
    "component too long": ((pax(path="evil" + "n" * 252), FILE), errors.BadName),
    "path too long": ((pax(path="/".join(["evil" * 20] * 30)), FILE), errors.BadName),
    "too deep": ((pax(path="evil/" * 130 + "x"), FILE), errors.BadName),
    "link up": ((link("evil", ".."),), errors.LinkEscapes),
    "link up from below": ((link("a/b/evil", "../../../x"),), errors.LinkEscapes),
    "absolute link": ((link("evil", "/etc/passwd"),), errors.LinkEscapes),
    "link with dots behind": ((link("evil", "a/../../x"),), errors.LinkEscapes),
    "chain": ((link("a/b", ".."), link("a/c", "b/x"), link("evil", "a/c/../..")), errors.LinkEscapes),
    "chain, the link first": ((link("evil", "a/b/.."), link("a/b", "..")), errors.LinkEscapes),
    "chain in a circle": ((link("evil", "x/../y"), link("x", "evil"), link("y", "x")), errors.LinkEscapes),
    "empty link": ((link("evil", ""),), errors.BadName),
    "link with a control character": ((link("evil", "a\nb"),), errors.BadName),
    "long link": ((pax(linkpath="t" * 5000), link("evil", "cut")), errors.BadName),
    "write through a link": ((folder("d"), link("l", "d"), Member(name="l/evil")), errors.ThroughLink),
    "write through a dangling link": ((link("l", "d"), Member(name="l/evil")), errors.ThroughLink),
    "folder over a link": ((folder("d"), link("evil", "d"), folder("evil")), errors.ThroughLink),
    "folder replaced by a link": ((folder("evil"), link("evil", "x")), errors.DuplicateEntry),
    "file over a link": ((Member(name="x"), link("evil", "x"), FILE), errors.DuplicateEntry),
    "hard link out": ((hard_link("evil", "../x"),), errors.BadHardLink),
    "hard link to an absolute name": ((hard_link("evil", "/etc/passwd"),), errors.BadHardLink),
    "hard link to nothing": ((hard_link("evil", "x"),), errors.BadHardLink),
    "hard link to itself": ((hard_link("evil", "evil"),), errors.BadHardLink),
    "hard link to a folder": ((folder("d"), hard_link("evil", "d")), errors.SpecialEntry),
    "hard link through a link": (
        (Member(name="d/x"), link("l", "d"), hard_link("evil", "l/x")),
        errors.BadHardLink,
    ),
    "hard link to a link that then leads out": ((link("a/l", ".."), hard_link("evil", "a/l")), errors.LinkEscapes),
    "hard link over a file": ((FILE, Member(name="x"), hard_link("evil", "x")), errors.DuplicateEntry),
    "character device": ((Member(name="evil", kind=b"3"),), errors.SpecialEntry),
    "block device": ((Member(name="evil", kind=b"4"),), errors.SpecialEntry),
    "fifo": ((Member(name="evil", kind=b"6"),), errors.SpecialEntry),
    "unknown type": ((Member(name="evil", kind=b"Z"),), errors.Unsupported),
    "sparse": ((Member(name="evil", kind=b"S"),), errors.Unsupported),
    "sparse in pax": ((pax(GNU__sparse__realsize="99999999999"), FILE), errors.Unsupported),
    "global path": ((pax(b"g", path="evil"), FILE), errors.Unsupported),
    "huge extension header": ((Member(name="evil", kind=b"x", size=1 << 40),), errors.Unsupported),
    "twice": ((FILE, FILE), errors.DuplicateEntry),
    "twice in other words": ((FILE, Member(name="./evil")), errors.DuplicateEntry),
    "a file and a folder": ((FILE, folder("evil/")), errors.NotAFolder),
    "a folder and a file": ((folder("evil"), FILE), errors.DuplicateEntry),
    "a file where a folder is needed": ((Member(name="a"), Member(name="a/evil")), errors.NotAFolder),
    "a file in place of the top": ((Member(name="./evil/"), Member(name="x/", content=b"1")), errors.CorruptArchive),
    "a folder with content": ((Member(name="evil", kind=b"5", content=b"x" * 512),), errors.CorruptArchive),
    "a link with content": ((Member(name="evil", kind=b"2", target="x", content=b"y"),), errors.CorruptArchive),
}


def refused(data: bytes, tmp_path: Path, limits: Limits | None = None, **options: bool) -> errors.ArchiveError:
    """Unpack, and see that it fails with an ArchiveError and that nothing but the target was touched."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("untouched")
    before = tree_digest(outside)
    with pytest.raises(errors.ArchiveError) as caught:
        extract(io.BytesIO(data), outside / "in/target", limits=limits or Limits(), name="bad.tar", **options)
    assert caught.value.exit_code is ExitCode.VERIFICATION
    assert "bad.tar" in caught.value.summary
    assert caught.value.summary.isprintable()
    assert tree_digest(outside, ignore=lambda path: path.startswith("in")) == before
    assert {path.name for path in (outside / "in").iterdir()} == {"target"}
    return caught.value


@pytest.mark.parametrize("case", ESCAPES)
def test_hostile_entries_are_refused_by_name(case: str, tmp_path: Path) -> None:
    members, kind = ESCAPES[case]
    error = refused(tar(Member(name="fine", content=b"fine"), *members), tmp_path)
    assert type(error) is kind
    if error.entry is not None:
        assert "evil" in error.entry or error.entry == "x/"
        assert "evil" in error.summary or "x/" in error.summary


ROOTED = {
    "relative link out": (link("evil", "../x"),),
    "through a link that leads out": (link("a", "/.."), Member(name="a/evil")),
    "through a circle": (link("a", "b"), link("b", "a"), Member(name="a/evil")),
    "absolute with dots": (link("evil", "/../x"),),
}


@pytest.mark.parametrize("case", ROOTED)
def test_a_root_file_system_is_no_way_out_either(case: str, tmp_path: Path) -> None:
    assert type(refused(tar(*ROOTED[case]), tmp_path, rooted=True)) in (errors.LinkEscapes, errors.ThroughLink)


@pytest.mark.parametrize("packing", COMPRESSORS)
def test_an_archive_that_is_cut_off_anywhere(packing: str, tmp_path: Path) -> None:
    data = COMPRESSORS[packing](tar(folder("d"), Member(name="d/f", content=NOISE)))
    # The end of a plain tar is two records of zeros, of which one is enough.
    whole = len(data) - (512 if packing == "plain" else 0)
    for size in sorted({*range(6, whole, max(1, whole // 40)), whole - 1}):
        target = tmp_path / f"{size}"
        with pytest.raises(errors.ArchiveError) as caught:
            extract(io.BytesIO(data[:size]), target, limits=Limits())
        assert isinstance(caught.value, errors.TruncatedArchive | errors.UnknownFormat), size


def test_what_follows_a_compressed_stream_is_not_overlooked(tmp_path: Path) -> None:
    error = refused(COMPRESSORS["gz"](tar(FILE)) + b"more", tmp_path)
    assert isinstance(error, errors.CorruptArchive)


def test_a_wrong_checksum_of_the_compression_behind_the_end_of_the_tar(tmp_path: Path) -> None:
    data = bytearray(COMPRESSORS["gz"](tar(FILE)))
    data[-6] ^= 1
    assert isinstance(refused(bytes(data), tmp_path), errors.CorruptArchive)


def test_a_header_with_a_wrong_checksum(tmp_path: Path) -> None:
    data = tar(FILE)
    assert isinstance(refused(b"!" + data[1:], tmp_path), errors.CorruptArchive)


@pytest.mark.parametrize("field", [b"0000000000x\0", b"\xff" * 12], ids=["no number", "negative"])
def test_a_header_with_a_size_that_is_none(field: bytes, tmp_path: Path) -> None:
    data = tar(FILE)
    data = sealed(data[:124] + field + data[136:512]) + data[512:]
    assert isinstance(refused(data, tmp_path), errors.CorruptArchive)


@pytest.mark.parametrize(
    "record", [b"8 path=x\n", b"99 path=x\n", b"0 path=x\n", b"path=x\n", b"x path=y\n", b"5 x\n\n"]
)
def test_pax_records_whose_lengths_lie(record: bytes, tmp_path: Path) -> None:
    error = refused(tar(Member(name="pax", kind=b"x", content=record), FILE), tmp_path)
    assert isinstance(error, errors.CorruptArchive)


# --- bombs


def test_too_many_bytes_are_refused_before_the_first_is_written(tmp_path: Path) -> None:
    error = refused(tar(Member(name="evil", size=1 << 50)), tmp_path, Limits(archive_bytes=1000_000))
    assert isinstance(error, errors.LimitExceeded)
    assert (error.setting, error.entry) == ("archive_bytes", "evil")
    assert not any((tmp_path / "outside/in/target").iterdir())


def test_too_many_bytes_in_all(tmp_path: Path) -> None:
    members = [Member(name=f"f{number}", content=bytes(400_000)) for number in range(5)]
    error = refused(COMPRESSORS["gz"](tar(*members)), tmp_path, Limits(archive_bytes=1_000_000))
    assert isinstance(error, errors.LimitExceeded)
    assert "archive_bytes" in str(error.hint)


def test_too_many_entries(tmp_path: Path) -> None:
    error = refused(tar(*(folder("same") for _ in range(12))), tmp_path, Limits(archive_entries=10))
    assert isinstance(error, errors.LimitExceeded)
    assert error.setting == "archive_entries"


def test_headers_without_entries_count_too(tmp_path: Path) -> None:
    error = refused(tar(*(pax(comment="x") for _ in range(12))), tmp_path, Limits(archive_entries=10))
    assert isinstance(error, errors.LimitExceeded)


FLOOR = 1 << 20


@pytest.fixture
def low_floor(monkeypatch: pytest.MonkeyPatch) -> None:
    """The ratio counts from 1 MiB on, so that a bomb of a test is packed in no time."""
    monkeypatch.setattr("rearch.formats.archive_stream.RATIO_FLOOR", FLOOR)


@pytest.mark.usefixtures("low_floor")
@pytest.mark.parametrize("packing", ["gz", "xz", "bz2", "zst"])
def test_a_bomb_stops_at_the_ratio(packing: str, tmp_path: Path) -> None:
    bomb = COMPRESSORS[packing](tar(Member(name="evil", content=bytes(40 * FLOOR))))
    error = refused(bomb, tmp_path, Limits(archive_ratio=100))
    assert isinstance(error, errors.LimitExceeded)
    assert error.setting == "archive_ratio"
    written = sum(path.stat().st_size for path in (tmp_path / "outside/in/target").iterdir())
    assert written < 20 * FLOOR


def test_small_files_of_zeros_are_no_bomb(tmp_path: Path) -> None:
    data = COMPRESSORS["zst"](tar(Member(name="zeros", content=bytes(10 << 20))))
    assert len(data) * 200 < 10 << 20
    assert extract(io.BytesIO(data), tmp_path / "out", limits=Limits()).written == 1


# --- zip

ZIPS: dict[str, tuple[bytes, type[errors.ArchiveError]]] = {
    "dots": (zip_file(Zipped(name=b"../evil")), errors.BadName),
    "absolute": (zip_file(Zipped(name=b"/evil")), errors.BadName),
    "backslash": (zip_file(Zipped(name=b"..\\evil")), errors.BadName),
    "zero": (zip_file(Zipped(name=b"evil\0.txt")), errors.BadName),
    "link out": (zip_file(Zipped(name=b"evil", content=b"..", mode=0o120777)), errors.LinkEscapes),
    "long link": (zip_file(Zipped(name=b"evil", content=b"x" * 5000, mode=0o120777)), errors.BadName),
    "device": (zip_file(Zipped(name=b"evil", mode=0o020644)), errors.SpecialEntry),
    "fifo": (zip_file(Zipped(name=b"evil", mode=0o010644)), errors.SpecialEntry),
    "twice": (zip_file(Zipped(name=b"evil"), Zipped(name=b"./evil")), errors.DuplicateEntry),
    "encrypted": (zip_file(Zipped(name=b"evil", flags=1)), errors.Unsupported),
    "method": (zip_file(Zipped(name=b"evil", method=9)), errors.Unsupported),
    "other name inside": (zip_file(Zipped(name=b"evil", local_name=b"good")), errors.CorruptArchive),
    "checksum": (zip_file(Zipped(name=b"evil", content=b"x", crc=1)), errors.CorruptArchive),
    "longer than stated": (zip_file(Zipped(name=b"evil", content=b"xyz", size=2)), errors.CorruptArchive),
    "shorter than stated": (zip_file(Zipped(name=b"evil", content=b"xyz", size=4)), errors.CorruptArchive),
    "stored, cut": (zip_file(Zipped(name=b"evil", content=b"xyz", method=0, packed_size=2)), errors.CorruptArchive),
    "deflated, cut": (zip_file(Zipped(name=b"evil", content=b"x" * 99, packed_size=3)), errors.CorruptArchive),
    "into the table": (zip_file(Zipped(name=b"evil", content=b"x", packed_size=99)), errors.CorruptArchive),
    "far away": (zip_file(Zipped(name=b"evil", content=b"x", offset=1 << 31)), errors.TruncatedArchive),
    "folder with content": (zip_file(Zipped(name=b"evil/", content=b"x")), errors.CorruptArchive),
    "fewer than there are": (zip_file(Zipped(name=b"a"), Zipped(name=b"evil"), count=1), errors.CorruptArchive),
    "more than there are": (zip_file(Zipped(name=b"evil"), count=2), errors.CorruptArchive),
    "no end": (zip_file(Zipped(name=b"evil"))[:-22], errors.TruncatedArchive),
    "cut in the middle": (zip_file(Zipped(name=b"evil", content=NOISE[:99]))[:60], errors.TruncatedArchive),
    "bytes behind": (zip_file(Zipped(name=b"evil")) + b"x", errors.CorruptArchive),
}


@pytest.mark.parametrize("case", ZIPS)
def test_hostile_zips(case: str, tmp_path: Path) -> None:
    data, kind = ZIPS[case]
    assert isinstance(refused(data, tmp_path), kind)


def test_entries_that_share_their_bytes(tmp_path: Path) -> None:
    """Fifield's zip bomb: many entries of the table unpack one block."""
    kernel = b"x" * 500
    one = zip_file(Zipped(name=b"evil", content=kernel, method=0))
    body, table = one[: 30 + 4 + 500], one[30 + 4 + 500 : -22]
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 3, 3, 3 * len(table), len(body), 0)
    error = refused(body + table * 3 + end, tmp_path)
    assert isinstance(error, errors.CorruptArchive | errors.DuplicateEntry)
    assert "another entry" in error.summary


def test_a_zip_of_more_entries_than_allowed(tmp_path: Path) -> None:
    data = zip_file(*(Zipped(name=b"f%d" % number) for number in range(12)))
    error = refused(data, tmp_path, Limits(archive_entries=10))
    assert isinstance(error, errors.LimitExceeded)


@pytest.mark.usefixtures("low_floor")
def test_a_zip_bomb(tmp_path: Path) -> None:
    data = zip_file(Zipped(name=b"evil", content=bytes(20 * FLOOR)))
    error = refused(data, tmp_path)
    assert isinstance(error, errors.LimitExceeded)
    assert error.setting == "archive_ratio"


def test_each_has_a_hint_and_one_of_its_own_if_it_is_worded() -> None:
    assert "do not use it" in str(errors.LinkEscapes("x.tar", "evil", "..").hint)
    assert "rearch.lock" in str(errors.BadName("x.tar", "../evil", "leads out").hint)
    assert errors.TruncatedArchive("x.tar", None, "a header").hint == "it was cut off: fetch it again"
