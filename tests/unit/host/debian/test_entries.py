"""The host's lists of archives in both spellings, and what is made of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from rearch.formats.debian_control import parse_stanzas
from rearch.host.debian.entries import (
    BadSourceList,
    for_architecture,
    known_suites,
    merged,
    of_distribution,
    parse_deb822,
    parse_one_line,
    read_entries,
    render,
)

ONE_LINE = """
# comment
deb http://deb.example.org/debian bookworm main contrib # more
deb-src http://deb.example.org/debian bookworm main contrib
deb [ arch=amd64,arm64 signed-by=/usr/share/k.gpg lang+=de target=Packages ] https://s.example.org bookworm-security x
deb [trusted=yes] mirror+file:/etc/apt/mirrors.list ./
"""
DEB822 = """
Types: deb deb-src
URIs: http://one.example.org/debian http://two.example.org/debian
Suites: bookworm bookworm-updates
Components: main
Languages: de
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mDMEYCQjIxYJKwYBBAHaRw8BAQdAD/P5Nvvnvk66SxBBHDbhRml9ORg1WV5CvzKY
 -----END PGP PUBLIC KEY BLOCK-----

Enabled: no
Types: deb
URIs: http://off.example.org
Suites: bookworm
"""


def test_one_line_entries() -> None:
    first, second, security, flat = parse_one_line(ONE_LINE, "sources.list")
    assert (first.uris, first.suites, first.components) == (
        ("http://deb.example.org/debian",),
        ("bookworm",),
        ("main", "contrib"),
    )
    assert merged((first, second)) == (first,)
    assert security.options == (("architectures", "amd64 arm64"), ("signed-by", "/usr/share/k.gpg"))
    assert (flat.suites, flat.components, flat.options) == (("./",), (), (("trusted", "yes"),))
    assert security.place == "sources.list:5"


@pytest.mark.parametrize(
    "line", ["deb http://x", "dep http://x stable main", "deb [arch] http://x stable main", "deb [a=b http://x s m"]
)
def test_a_broken_line_is_shown_with_its_place(line: str) -> None:
    with pytest.raises(BadSourceList) as caught:
        parse_one_line("\n" + line, "file.list")
    assert caught.value.place == "file.list:2"


def test_deb822_entries_keep_their_key() -> None:
    (entry,) = parse_deb822(DEB822, "debian.sources")
    assert entry.uris == ("http://one.example.org/debian", "http://two.example.org/debian")
    assert dict(entry.options).keys() == {"signed-by"}
    text = render((entry,), sources=True)
    (again,) = parse_stanzas(text, "x")
    assert again["types"] == "deb deb-src"
    assert again["targets"] == "Packages Sources"
    assert again["signed-by"].split("\n")[1:3] == ["-----BEGIN PGP PUBLIC KEY BLOCK-----", "."]
    assert "Types: deb\n" in render((entry,), sources=False)


def test_broken_deb822_is_shown_with_its_place() -> None:
    with pytest.raises(BadSourceList) as caught:
        parse_deb822("Types: deb\n\nnonsense\n", "x.sources")
    assert caught.value.place == "x.sources:3"
    with pytest.raises(BadSourceList, match="no Uris"):
        parse_deb822("Types: deb\nSuites: stable\n", "x.sources")


def test_files_that_apt_does_not_read_and_cds_are_left_out(tmp_path: Path) -> None:
    parts = tmp_path / "parts"
    parts.mkdir()
    (parts / "b.list").write_text("deb http://b.example.org stable main\n")
    (parts / "a.sources").write_text("URIs: http://a.example.org cdrom:[x]/\nSuites: stable\nComponents: main\n")
    (parts / "c.list.disabled").write_text("deb http://c.example.org stable main\n")
    (parts / "d~.list").write_text("deb http://d.example.org stable main\n")
    (tmp_path / "sources.list").write_text("deb cdrom:[Debian]/ stable main\ndeb http://0.example.org stable main\n")
    entries = read_entries(tmp_path / "sources.list", parts)
    assert [entry.uris for entry in entries] == [
        ("http://0.example.org",),
        ("http://a.example.org",),
        ("http://b.example.org",),
    ]
    assert read_entries(tmp_path / "none", tmp_path / "none") == ()


def test_archives_of_others_are_told_by_their_suites() -> None:
    known = known_suites(
        'ID=mint\nVERSION_CODENAME="virginia"\nUBUNTU_CODENAME=jammy\n', ["series,x\nbookworm,1\nsid\n", ""]
    )
    assert {"virginia", "jammy", "bookworm", "sid", "stable"} <= known
    assert "" not in known
    lines = [
        f"deb http://{number}.example.org {suite}"
        for number, suite in enumerate(
            ["jammy-updates main", "bookworm/updates main", "cloud-sdk-bookworm main", "nodistro main", "./"]
        )
    ]
    own, others = of_distribution(parse_one_line("\n".join(lines), "x"), known)
    assert [entry.suites for entry in own] == [("jammy-updates",), ("bookworm/updates",)]
    assert [entry.suites for entry in others] == [("cloud-sdk-bookworm",), ("nodistro",), ("./",)]


def test_an_unknown_distribution_is_taken_as_it_is() -> None:
    entries = parse_one_line("deb http://a.example.org weird main\n", "x")
    assert of_distribution(entries, frozenset({"stable"})) == (entries, ())


def test_ubuntu_has_other_architectures_elsewhere() -> None:
    entries = parse_one_line(
        "deb http://de.archive.ubuntu.com/ubuntu jammy main\n"
        "deb http://security.ubuntu.com/ubuntu jammy-security main\n"
        "deb http://deb.example.org/archive.ubuntu.com jammy main\n",
        "x",
    )
    assert for_architecture(entries, "amd64") == entries
    assert for_architecture(entries, "i386") == entries
    assert [entry.uris[0] for entry in for_architecture(entries, "arm64")] == [
        "http://ports.ubuntu.com/ubuntu-ports",
        "http://ports.ubuntu.com/ubuntu-ports",
        "http://deb.example.org/archive.ubuntu.com",
    ]
