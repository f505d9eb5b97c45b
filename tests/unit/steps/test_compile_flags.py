"""Linker flags: split and joined as go does."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rearch.errors import RearchError
from rearch.steps.compile_errors import UnwritableFlag
from rearch.steps.compile_flags import (
    BadStamp,
    Stamp,
    UnterminatedQuote,
    join_flags,
    read_stamp,
    split_flags,
    stamps_in,
)


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("", ()),
        ("  -s\t-w\n", ("-s", "-w")),
        ("-X main.V=1 -s", ("-X", "main.V=1", "-s")),
        ("-X 'main.V=a b'", ("-X", "main.V=a b")),
        ("\"a 'b'\" c", ("a 'b'", "c")),
        ("-X=main.V='a", ("-X=main.V='a",)),  # a quote inside a field is a letter
        ("''", ("",)),
    ],
)
def test_split(text: str, fields: tuple[str, ...]) -> None:
    assert split_flags(text) == fields


def test_an_open_quote_is_refused() -> None:
    with pytest.raises(UnterminatedQuote):
        split_flags("-s 'main.V=a")


def test_both_quotes_cannot_be_written() -> None:
    with pytest.raises(UnwritableFlag):
        join_flags(('main.V=it\'s "it" ',))


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(st.text(alphabet=st.sampled_from("ab=.- \t'\"\n"), max_size=8), max_size=6))
def test_what_is_joined_is_split_again(fields: list[str]) -> None:
    try:
        text = join_flags(fields)
    except UnwritableFlag:
        assert any("'" in field and '"' in field for field in fields)
        return
    assert split_flags(text) == tuple(fields)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.text(max_size=60))
def test_any_text_gives_fields_or_a_worded_error(text: str) -> None:
    try:
        stamps = stamps_in(split_flags(text))
    except RearchError:
        return
    assert all(stamp.variable in text for stamp in stamps)


@pytest.mark.parametrize("words", [("-X", "a/b.V=x=y"), ("-X=a/b.V=x=y",), ("--X", "a/b.V=x=y"), ("--X=a/b.V=x=y",)])
def test_every_way_to_write_a_stamp(words: tuple[str, ...]) -> None:
    assert stamps_in(("-s", *words, "-w")) == (Stamp("a/b", "V", "x=y", "a/b.V"),)


def test_a_flag_that_only_looks_like_a_stamp() -> None:
    assert stamps_in(("-extldflags", "-Xlinker", "-X")) == ()


@pytest.mark.parametrize("variable", ["V", ".V", "main.", "main.a-b", "a b.V", ""])
def test_what_is_no_variable(variable: str) -> None:
    with pytest.raises(BadStamp):
        read_stamp(variable, "x")


def test_a_path_with_dots() -> None:
    assert read_stamp("gopkg.in/yaml.v2.Version", "1").variable == "gopkg.in/yaml.v2.Version"
    assert read_stamp("gopkg.in/yaml.v2.Version", "1").package == "gopkg.in/yaml.v2"


def test_the_old_form_without_equals_is_refused() -> None:
    with pytest.raises(BadStamp):
        stamps_in(("-X", "main.VERSION", "v1"))
