"""Looking into files that somebody made to be hard to look into."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from rearch.formats.archive_errors import ArchiveError, CorruptArchive, TruncatedArchive
from rearch.formats.archive_stream import Meter
from rearch.formats.hashing import Readable
from rearch.model.limits import Limits
from rearch.model.platform import parse_platform
from rearch.oci.audit_ar import read_ar
from rearch.oci.audit_content import HEAD, Seen, look_at
from rearch.oci.audit_packages import read_record
from rearch.oci.audit_seen import ElfSeen
from rearch.oci.entry import EntryKind, LayerEntry
from tests.support.elves import make_elf
from tests.support.layouts import File, make_tar

ELF = make_elf(parse_platform("amd64"), kind="shared", soname="x.so", needed=("libc.so.6",), runpath="$ORIGIN:/x")


def entry(size: int) -> LayerEntry:
    return LayerEntry(path="f", kind=EntryKind.FILE, mode=0o644, size=size)


def look(data: bytes, rest: Readable | None = None) -> list[Seen]:
    stream = io.BytesIO(data)
    start = stream.read(HEAD)
    return list(look_at(start, rest or stream, 7, entry(len(data))))


def zipped(data: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("x", data)
    return out.getvalue()


def member(name: bytes, data: bytes, size: bytes | None = None) -> bytes:
    stated = str(len(data)).encode() if size is None else size
    return name.ljust(16) + b"0".ljust(32) + stated.ljust(10) + b"`\n" + data + b"\n" * (len(data) % 2)


TAR = make_tar([File("a", b"text"), File("x", ELF)])
AR = b"!<arch>\n" + member(b"//", b"a_long_name.o/\n") + member(b"/0", ELF) + member(b"b.o/", b"odd")
KINDS = {
    "elf": ELF,
    "tar": TAR,
    "gz": gzip.compress(TAR),
    "bz2": bz2.compress(TAR),
    "xz": lzma.compress(TAR),
    "zst": zstandard.compress(TAR),
    "zip": zipped(ELF),
    "ar": AR,
    "twice": gzip.compress(make_tar([File("in.zip", zipped(TAR))])),
}


def test_what_is_seen_of_an_elf_file() -> None:
    (seen,) = look(ELF)
    assert isinstance(seen, ElfSeen)
    assert (seen.number, seen.mode, seen.size, seen.machine, seen.packed) == (7, 0o644, len(ELF), 62, False)
    assert seen.runpath == ("$ORIGIN", "/x")
    assert seen.facts is not None
    assert seen.facts.needed == ("libc.so.6",)
    (nested,) = look(gzip.compress(ELF))
    assert isinstance(nested, ElfSeen)
    assert (nested.place.inside, nested.packed) == ((), True)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=40, deadline=None, derandomize=True)
@given(data=st.data())
def test_damage_is_told_and_never_an_accident(kind: str, data: st.DataObject) -> None:
    """Whatever bytes are changed or cut off: something is said of the file, or it is no such file any more."""
    whole = KINDS[kind]
    changed = bytearray(whole)
    for _ in range(data.draw(st.integers(0, 4))):
        changed[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(changed[: data.draw(st.integers(0, len(whole)))])
    seen = look(cut)
    if cut == whole:
        assert any(isinstance(each, ElfSeen) and each.facts is not None for each in seen)
    if cut.startswith((b"\x7fELF", b"\x1f\x8b\x08", b"\xfd7zXZ\0", b"!<arch>\n", b"PK\x03\x04")):
        assert seen or kind == "ar"  # an ar that ends between two members is whole


class Failing:
    """The content of a layer that turns out to be damaged."""

    def read(self, _size: int, /) -> bytes:
        raise CorruptArchive("layer sha256:1234", None, "bad checksum")


@pytest.mark.parametrize(
    "data", [ELF, gzip.compress(bytes(range(256)) * 999, 0, mtime=0), make_tar([File("x", bytes(9000))])]
)
def test_where_the_layer_itself_is_damaged_that_is_said(data: bytes) -> None:
    with pytest.raises(CorruptArchive, match="layer sha256:1234"):
        look(data[:HEAD], Failing())


def names(data: bytes) -> list[tuple[str, bytes]]:
    meter = Meter("x.a", Limits())
    return [(each.name, each.content.read(99)) for each in read_ar(io.BytesIO(data), meter)]


def test_names_of_ar() -> None:
    start = b"!<arch>\n"
    assert names(start + member(b"a.o/", b"1") + member(b"b", b"22")) == [("a.o", b"1"), ("b", b"22")]
    assert names(start + member(b"/", b"sym") + member(b"//", b"x/\nlong_one/\n") + member(b"/3", b"1")) == [
        ("long_one", b"1")
    ]
    assert names(start + member(b"#1/4", b"abc\0text")) == [("abc", b"text")]


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"!<arch>\n" + member(b"a", b"1")[:40], TruncatedArchive),
        (b"!<arch>\n" + member(b"a", b"1", b"99"), TruncatedArchive),
        (b"!<arch>\n" + member(b"a", b"1", b"-1"), CorruptArchive),
        (b"!<arch>\n" + member(b"a", b"1").replace(b"`", b"x"), CorruptArchive),
        (b"!<arch>\n" + member(b"#1/99", b"1"), CorruptArchive),
        (b"!<arch>\n" + member(b"//", b"", b"99999999"), ArchiveError),
        (b"!<arck>\n", CorruptArchive),
    ],
)
def test_a_damaged_ar(data: bytes, error: type[ArchiveError]) -> None:
    with pytest.raises(error):
        names(data)


def test_records_of_packages_that_make_no_sense() -> None:
    for path in ("var/lib/dpkg/info/a.list", "var/lib/dpkg/info/a.md5sums", "lib/apk/db/installed"):
        for data in (b"", b"\n\n", b"\xff\xfe\n", b"R:x\n\nF:y", b"/" * 9000, b"P:\nR:\n"):
            for package in read_record(path, io.BytesIO(data)):
                assert all(each and not each.startswith("/") for each in package.paths)
