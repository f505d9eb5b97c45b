"""Patches as messages and back, and the lines of `series`."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rearch.upkeep.patch_series import (
    BadPatchName,
    Made,
    check_name,
    header_of,
    joined,
    message_of,
    series_text,
    slug,
    told,
)

SERIES = "# ours\nodd.patch -p0  # why\n\n# general\n\n# of b\nb.patch\n# end\n"


def made(*names: str, new: tuple[str, ...] = ()) -> list[Made]:
    return [Made(name=name, data=b"", kept=name not in new) for name in names]


@pytest.mark.parametrize(
    ("patches", "wanted"),
    [
        (made("odd.patch", "b.patch"), SERIES),
        (made("odd.patch", "b.patch", "c.patch", new=("c.patch",)), SERIES.replace("# end", "c.patch\n# end")),
        (made("odd.patch"), "\n# general\n\n# ours\nodd.patch -p0  # why\n# end\n"),
        (made("b.patch"), "# ours\n\n# general\n\n# of b\nb.patch\n# end\n"),
        (made("odd.patch", "b.patch", new=("odd.patch",)), SERIES.replace("odd.patch -p0  # why", "odd.patch")),
        (made("b.patch", "odd.patch"), "\n# general\n\n# of b\nb.patch\n# ours\nodd.patch -p0  # why\n# end\n"),
        ([], "# ours\n\n# general\n\n# end\n"),
    ],
    ids=["same", "more", "last-gone", "first-gone", "anew", "turned", "none"],
)
def test_series(patches: list[Made], wanted: str) -> None:
    assert series_text(SERIES, patches, 1) == wanted


def test_what_we_write_is_p1() -> None:
    assert series_text("", made("a.patch", new=("a.patch",)), 0) == "a.patch -p1\n"
    assert series_text("a.patch", made("a.patch"), 0) == "a.patch\n"


@pytest.mark.parametrize(
    "header",
    [b"", b"Description: x\n --- not a file\n", b"Subject: y\n\n---\n a.c | 2 +-\n\n", b"caf\xe9\n", b"--- dashes\n"],
)
@pytest.mark.parametrize("start", [b"diff --git a/f b/f\n", b"--- a/f\n+++ b/f\n", b"Index: f\n=====\n--- f\n+++ f\n"])
def test_headers_are_what_is_before_the_first_file(header: bytes, start: bytes) -> None:
    data = header + start + b"@@ -1 +1 @@\n-a\n+b\n"
    assert header_of(data) == header
    assert told(message_of("x.patch", header)) == ("x.patch", header)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.binary(max_size=60).filter(lambda data: b"\0" not in data))
def test_any_header_comes_back(header: bytes) -> None:
    assert told(message_of("debian/a.patch", header)) == ("debian/a.patch", header)


def test_a_commit_of_somebody_gets_a_name() -> None:
    assert told(b"Fix: the Loop!\n\nIt spun.") == ("fix-the-loop.patch", b"Fix: the Loop!\n\nIt spun.\n")
    assert slug("\u4f60") == "change.patch"
    assert joined(b"why", b"diff") == b"why\ndiff"


@pytest.mark.parametrize("name", ["a", "../a.patch", "a/b.patch", ".a.patch", "a b.patch", "-a.patch", "\u00e4.patch"])
def test_bad_names(name: str) -> None:
    with pytest.raises(BadPatchName):
        check_name(name)
