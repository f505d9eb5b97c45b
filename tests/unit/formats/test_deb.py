"""Binary packages: members, control files, and damaged ones."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rearch.errors import RearchError
from rearch.formats.archive import extract
from rearch.formats.deb import BrokenDeb, open_data, read_control
from rearch.model.limits import Limits
from tests.support.debian_archive import ar_of, deb_of, packed, tar_of
from tests.support.repositories import Content

FIELDS = {"Package": "thing", "Version": "1.0-1", "Architecture": "arm64", "Description": "x\n more\n ."}
FILES: dict[str, Content] = {"usr/lib/a.so": "a" * 1001, "usr/share/b": b"\0\1"}
GOOD = deb_of(FIELDS, FILES)


def _written(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "thing_1.0-1_arm64.deb"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("how", ["xz", "gz", "zst", ""])
def test_every_compression(tmp_path: Path, how: str) -> None:
    path = _written(tmp_path, deb_of(FIELDS, FILES, how=how))
    control = read_control(path)
    assert (control["package"], control["architecture"], control["description"]) == ("thing", "arm64", "x\nmore\n.")
    with open_data(path) as data:
        extract(data, tmp_path / "out", limits=Limits(), name="thing", rooted=True)
    assert (tmp_path / "out/usr/lib/a.so").read_text() == "a" * 1001
    assert (tmp_path / "out/usr/share/b").read_bytes() == b"\0\1"


def test_the_data_stream_ends_where_the_member_ends_and_can_be_sought(tmp_path: Path) -> None:
    data = packed(tar_of(FILES), "gz")
    members = {"debian-binary": b"2.0\n", "control.tar": tar_of({"control": "Package: x\n"}), "data.tar.gz": data}
    with open_data(_written(tmp_path, ar_of({**members, "_trailer": b"more"}))) as stream:
        assert stream.read() == data
        assert stream.seek(-4, 2) == len(data) - 4
        assert stream.read(100) == data[-4:]
        assert stream.read(1) == b""


def _members(**changed: bytes | None) -> bytes:
    members: dict[str, bytes | None] = {
        "debian-binary": b"2.0\n",
        "control.tar.gz": packed(tar_of({"control": "Package: x\n"}, "./"), "gz"),
        "data.tar.gz": packed(tar_of({}), "gz"),
    }
    members.update({name.replace("_", ".").replace("debian.", "debian-"): data for name, data in changed.items()})
    return ar_of({name: data for name, data in members.items() if data is not None})


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "no ar archive"),
        (b"<!DOCTYPE html>", "no ar archive"),
        (ar_of({"control.tar": b"", "debian-binary": b"2.0\n", "data.tar": b""}), "first member"),
        (_members(debian_binary=b"3.0\n"), "unknown"),
        (_members(data_tar_gz=None), "no data.tar"),
        (_members(data_tar_xz=b"x"), "2 data.tar"),
        (_members(control_tar_gz=None), "no control.tar"),
        (_members(control_tar_gz=packed(tar_of({"other": "x"}), "gz")), "no control file"),
        (_members(control_tar_gz=packed(tar_of({"control": "Package: x\n\nPackage: y\n"}), "gz")), "2 stanzas"),
        (_members(control_tar_gz=b"\x1f\x8b\x08 not really"), "cannot be read"),
        (_members()[:-70], "cut off|damaged"),
        (_members()[:70], "cut off|no control.tar"),
        (_members() + b"x" * 60, "damaged"),
        (_members().replace(b"control.tar.gz", b"debian-binary ", 1), "too many members, or two"),
    ],
)
def test_what_is_damaged_is_refused(tmp_path: Path, data: bytes, why: str) -> None:
    with pytest.raises(BrokenDeb, match=why) as caught:
        read_control(_written(tmp_path, data))
    assert caught.value.name == "thing_1.0-1_arm64.deb"


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.data())
def test_a_changed_byte_gives_an_answer_or_an_error_in_words(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(GOOD) - 1))
    changed = bytearray(GOOD)
    changed[at] = data.draw(st.integers(0, 255))
    cut = data.draw(st.one_of(st.just(len(GOOD)), st.integers(0, len(GOOD))))
    path = _written(tmp_path_factory.mktemp("deb"), bytes(changed[:cut]))
    with contextlib.suppress(RearchError):
        assert read_control(path)
