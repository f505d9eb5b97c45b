"""Go's build information: both formats, and blobs that lie."""

from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rearch.formats.elf import read_elf_stream
from rearch.formats.gobuildinfo import GoBuildInfo, GoModule, parse_build_info, read_build_info
from rearch.model.platform import PLATFORMS, Platform, parse_platform
from tests.support.elves import DATA, MAGIC, go_blob, make_elf, old_go_blob

TEXT = """path\texample.org/cmd/tool
mod\texample.org\tv1.0.0\th1:main=
dep\texample.org/a\tv1.2.3\th1:a=
dep\texample.org/b\tv0.0.0
=>\texample.org/fork\tv2.0.0\th1:fork=
build\t-compiler=gc
build\tCGO_ENABLED=0
build\t-ldflags="-X main.VERSION=\\"v 1\\""
build\t"odd key"=`a\\b`
build\tGOARM=6
newer\tsomething that later versions of Go write
"""


class Blob:
    """Memory that holds one blob at an address."""

    def __init__(self, data: bytes, address: int = DATA) -> None:
        self.data, self.address = data, address

    def data_areas(self) -> list[tuple[int, int]]:
        return [(self.address, len(self.data))]

    def at(self, address: int, size: int) -> bytes:
        start = address - self.address
        return self.data[start : start + size] if 0 <= start < len(self.data) and size > 0 else b""


def go_of(elf: bytes) -> GoBuildInfo | None:
    facts = read_elf_stream(io.BytesIO(elf), "sample")
    assert facts is not None
    return facts.go


def test_the_text() -> None:
    info = parse_build_info("go1.27.3 X:experiment", TEXT)
    assert info.version == "go1.27.3 X:experiment"
    assert info.path == "example.org/cmd/tool"
    assert info.main == GoModule(path="example.org", version="v1.0.0", sum="h1:main=")
    assert info.deps == (
        GoModule(path="example.org/a", version="v1.2.3", sum="h1:a="),
        GoModule(
            path="example.org/b",
            version="v0.0.0",
            replace=GoModule(path="example.org/fork", version="v2.0.0", sum="h1:fork="),
        ),
    )
    assert info.setting("-ldflags") == '-X main.VERSION="v 1"'
    assert info.setting("odd key") == "a\\b"
    assert (info.setting("GOARM"), info.setting("GOOS")) == ("6", None)


def test_a_replaced_main_module() -> None:
    info = parse_build_info("go1.20", "mod\texample.org\t(devel)\n=>\t./fork\t(devel)\n")
    assert info.main is not None
    assert info.main.replace == GoModule(path="./fork", version="(devel)")


@pytest.mark.parametrize("platform", PLATFORMS, ids=str)
def test_inline_format_on_every_platform(platform: Platform) -> None:
    info = go_of(make_elf(platform, go=go_blob("go1.18", text=TEXT)))
    assert info is not None
    assert (info.version, info.setting("GOARM"), len(info.deps)) == ("go1.18", "6", 2)


@pytest.mark.parametrize("platform", PLATFORMS, ids=str)
def test_pointer_format_on_every_platform(platform: Platform) -> None:
    text = "path\texample.org/old\nmod\texample.org/old\tv1.0.0\t\n"
    info = go_of(make_elf(platform, go=old_go_blob(platform, "go1.17.13", text)))
    assert info is not None
    assert (info.version, info.path, info.settings) == ("go1.17.13", "example.org/old", ())


def test_gopath_builds_of_old_go_have_a_version_alone() -> None:
    arm64 = parse_platform("arm64")
    assert go_of(make_elf(arm64, go=old_go_blob(arm64, "go1.13", ""))) == GoBuildInfo(version="go1.13")


def test_the_magic_counts_where_it_is_aligned() -> None:
    shifted = bytes(5) + MAGIC + bytes(13)
    found = read_build_info(Blob(shifted + go_blob("go1.20")))
    assert found is not None
    assert (found.version, found.path) == ("go1.20", "example.org/hello")
    assert read_build_info(Blob(bytes(5) + go_blob("go1.20"))) is None
    assert read_build_info(Blob(go_blob("go1.20"), address=DATA + 8)) is None


def test_the_magic_is_found_behind_a_megabyte() -> None:
    found = read_build_info(Blob(bytes(3 << 20) + go_blob("go1.21")))
    assert found is not None
    assert found.version == "go1.21"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        MAGIC,
        MAGIC + b"\x08\x02" + bytes(16),
        MAGIC + b"\x08\x02" + bytes(16) + b"\xff" * 10,
        MAGIC + b"\x08\x02" + bytes(16) + b"\xff\xff\xff\xff\x7f",
        MAGIC + b"\x08\x02" + bytes(16) + b"\x06go1",
        MAGIC + b"\x08\x02" + bytes(16) + b"\x00\x00",
        MAGIC + b"\x07\x00" + bytes(16),
        MAGIC + b"\x08\x00" + b"\xff" * 16,
        go_blob("go1.20")[:-1],
    ],
)
def test_damaged_blobs_are_no_build_information(data: bytes) -> None:
    assert read_build_info(Blob(data)) is None


def test_escapes_for_the_terminal_are_shown_as_text() -> None:
    info = parse_build_info("go1.20\x1b[2J", 'path\t\x07\nbuild\t-ldflags="\\x1b\\u202e\\ud800"\n')
    assert (info.version, info.path) == ("go1.20\\x1b[2J", "\\x07")
    assert info.setting("-ldflags") == "\\x1b\\u202e\\ud800"


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.binary(max_size=200), st.integers(0, 3), st.integers(0, 255))
def test_any_bytes_behind_the_magic(noise: bytes, flags: int, width: int) -> None:
    found = read_build_info(Blob(MAGIC + bytes((width, flags)) + noise))
    assert found is None or found.version


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.text(max_size=200))
def test_any_text(text: str) -> None:
    info = parse_build_info("go1.20", text)
    again = GoBuildInfo.from_facts(info.to_facts())
    assert (again.version, again.path) == (info.version, info.path)
    assert str(info).isprintable()
