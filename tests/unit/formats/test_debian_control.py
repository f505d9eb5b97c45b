"""Control data: what is read, and that whatever else comes is refused in words."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rearch.formats.debian_control import (
    MalformedControl,
    changelog_time,
    parse_dsc,
    parse_source_record,
    parse_stanzas,
    strip_armour,
)

SUM = "ab" * 32
DSC = f"""Format: 3.0 (quilt)
Source: thing
Version: 1:1.0-1
Checksums-Sha1:
 {"0" * 40} 5 thing_1.0.orig.tar.gz
Checksums-Sha256:
 {SUM} 5 thing_1.0.orig.tar.gz
 {SUM[::-1]} 7 thing_1.0-1.debian.tar.xz
"""
ARMOUR = f"""-----BEGIN PGP SIGNED MESSAGE-----
Hash: SHA256

{DSC}
-----BEGIN PGP SIGNATURE-----

iQIzBAEBCAAdFiEE
-----END PGP SIGNATURE-----
"""


def test_stanzas_have_lower_case_names_and_lines_without_their_indent() -> None:
    text = "# comment\nA: 1\nLong: x\n  y\n .\n# inside\n\tz\n\n\nB:2\r\n"
    assert parse_stanzas(text, "t") == ({"a": "1", "long": "x\n y\n.\nz"}, {"b": "2"})


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        (" x\n", 1, "continuation"),
        ("A: 1\nA: 2\n", 2, "twice"),
        ("A: 1\nno field\n", 2, "not a field"),
        ("A: 1\na: 2\n", 2, "twice"),
    ],
)
def test_what_is_no_control_data_is_refused_with_its_line(text: str, line: int, why: str) -> None:
    with pytest.raises(MalformedControl, match=why) as caught:
        parse_stanzas(text, "file")
    assert caught.value.line == line


def test_a_dsc_with_and_without_a_signature() -> None:
    plain = parse_dsc(DSC.encode(), "thing.dsc")
    assert (plain.package, plain.version, plain.format) == ("thing", "1:1.0-1", "3.0 (quilt)")
    assert [(file.name, file.size, file.sha256) for file in plain.files] == [
        ("thing_1.0.orig.tar.gz", 5, SUM),
        ("thing_1.0-1.debian.tar.xz", 7, SUM[::-1]),
    ]
    assert parse_dsc(ARMOUR.encode(), "thing.dsc") == plain


def test_nothing_outside_the_signature_counts() -> None:
    forged = "Source: evil\n\n" + ARMOUR + "\nVersion: 6.6.6\n"
    assert parse_dsc(forged.encode(), "x") == parse_dsc(DSC.encode(), "x")


def test_dashes_are_unescaped_and_a_cut_armour_is_an_error() -> None:
    assert strip_armour(ARMOUR.replace("Version", "- -Version"), "x").count("\n-Version") == 1
    with pytest.raises(MalformedControl, match="cut off"):
        parse_dsc(ARMOUR.split("-----BEGIN PGP SIGNATURE", maxsplit=1)[0].encode(), "x")


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("thing_1.0.orig.tar.gz", "../evil.tar.gz", "plain file name"),
        ("thing_1.0.orig.tar.gz", ".hidden", "plain file name"),
        ("thing_1.0-1.debian.tar.xz", "thing_1.0.orig.tar.gz", "twice"),
        (f"{SUM} 5", f"{SUM[1:]} 5", "not a line"),
        (f"{SUM} 5", f"{SUM} -5", "not a line"),
        ("Checksums-Sha256", "Checksums-Sha512", "checksums-sha256 is missing"),
        ("Source: thing", "Source:", "source is missing"),
        ("Version: ", "\nVersion: ", "one stanza"),
    ],
)
def test_a_dsc_that_cannot_be_trusted_is_refused(old: str, new: str, why: str) -> None:
    with pytest.raises(MalformedControl, match=why):
        parse_dsc(DSC.replace(old, new).encode(), "thing.dsc")


def test_a_source_record_has_its_directory() -> None:
    (stanza,) = parse_stanzas(DSC.replace("Source:", "Package:") + "Directory: pool/main/t/thing/\n", "x")
    record = parse_source_record(stanza, "x")
    assert (record.package, record.directory, len(record.files)) == ("thing", "pool/main/t/thing", 2)


@pytest.mark.parametrize(
    ("text", "time"),
    [
        (" -- A B <a@b.c>  Mon, 28 Nov 2022 20:02:19 +0800\n", 1669636939),
        ("x\n -- A <a>  Thu, 01 Jan 1970 00:00:01 +0000\n -- A <a>  Fri, 02 Jan 1970 00:00:00 +0000\n", 1),
        (" -- A <a>  Thu, 01 Jan 1970 00:00:00 +0200\n", 0),
        (" -- A <a>  a fine day\n", None),
        ("nothing\n", None),
    ],
)
def test_the_time_is_that_of_the_topmost_entry(text: str, time: int | None) -> None:
    assert changelog_time(text) == time


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.one_of(st.binary(), st.text().map(str.encode), st.sampled_from(DSC.splitlines()).map(str.encode)))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(MalformedControl):
        assert parse_dsc(data, "x").package
    changelog_time(data.decode("utf-8", "replace"))
