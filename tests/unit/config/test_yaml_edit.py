"""One scalar changes; every other byte stays."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rearch.config.yaml_edit import CannotEdit, line_of, replace_scalar
from rearch.config.yaml_tree import read_yaml

ODD = """\
# head

name:   a   # a name
"version" :    'v1.0'    # the version
source: {git: 'https://example.org/a',   ref:   "${{ version }}" }  # flow
list:
    - one

    -   two # second
block: |
    v1.0
folded: >-
    v1.0
anchor: &v1 v1
tail: v1.0
"""


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        (("version",), "'v1.0'    #", "'v2.0'    #"),
        (("name",), "name:   a   #", "name:   v2.0   #"),
        (("source", "ref"), 'ref:   "${{ version }}" }', 'ref:   "v2.0" }'),
        (("list", 1), "-   two #", "-   v2.0 #"),
        (("block",), "block: |\n    v1.0\n", 'block: "v2.0"\n'),
        (("folded",), ">-\n    v1.0", ">-\n    v2.0"),
        (("anchor",), "&v1 v1", "&v1 v2.0"),
        (("tail",), "tail: v1.0", "tail: v2.0"),
    ],
    ids=lambda value: "-".join(map(str, value)) if isinstance(value, tuple) else "",
)
def test_only_the_scalar_changes(path: tuple[str | int, ...], old: str, new: str) -> None:
    assert ODD.count(old) == 1
    assert replace_scalar("a.yaml", ODD, path, "v2.0") == ODD.replace(old, new)


@pytest.mark.parametrize("end", ["\r\n", "\r", "\n"], ids=["crlf", "cr", "lf"])
def test_line_ends_and_letters_stay(end: str) -> None:
    text = ODD.replace("# head", "# h\u00e4d \U0001f600").replace("\n", end)
    assert replace_scalar("a.yaml", text, ("version",), "v2.0") == text.replace("'v1.0'", "'v2.0'")


@pytest.mark.parametrize("new", ["a: b", "x # y", "null", "it's", '"', "- x", "", "{", "ä\u2028b", "1.10", "no"])
def test_what_cannot_stand_plain_is_quoted(new: str) -> None:
    text = replace_scalar("a.yaml", "a: 1\nversion: v1  # why\nb: 2\n", ("version",), new)
    assert read_yaml(text)[0] == {"a": "1", "version": new, "b": "2"}
    assert text.endswith("  # why\nb: 2\n")


def test_a_value_that_others_share_is_refused() -> None:
    text = "a: &x v1\nversion: *x\n"
    with pytest.raises(CannotEdit) as caught:
        replace_scalar("recipes/s/a.yaml", text, ("version",), "v2")
    assert "recipes/s/a.yaml:1" in caught.value.render()
    with pytest.raises(CannotEdit):
        replace_scalar("a.yaml", text, ("nothing",), "v2")


def test_lines_count_from_one() -> None:
    assert line_of(ODD, ("version",)) == 4
    assert line_of(ODD, ("list", 1)) == 9


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.text(max_size=20))
def test_any_text_is_written_so_that_it_is_read_again(new: str) -> None:
    before = "a: 1\nversion: 'old'\nb: 2\n"
    try:
        text = replace_scalar("a.yaml", before, ("version",), new)
    except CannotEdit:  # a letter that YAML has no place for, even in quotes
        assert not new.isprintable()
        return
    assert read_yaml(text) == ({"a": "1", "version": new, "b": "2"}, ())
