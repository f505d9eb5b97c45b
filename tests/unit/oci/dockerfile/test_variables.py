"""Variables, quotes and escapes: the Dockerfile reference's rules, and what Docker 20.10 was seen to do."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rearch.oci.dockerfile.errors import Trouble
from rearch.oci.dockerfile.variables import Scope, replaced, replaced_raw

VALUES = {"A": "1", "EMPTY": "", "foo": "/bar"}


def _scope() -> Scope:
    return Scope(dict(VALUES), {"UNSET": 3}, {"TARGETARCH": "arm64"})


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("$A", "1"),
        ("${A}x$A", "1x1"),
        ("${foo}/${foo}", "/bar//bar"),
        (r"\$foo", "$foo"),
        (r"\${foo}", "${foo}"),
        ("'$A'", "$A"),
        ('"$A b"', "1 b"),
        (r'"\$A\n\"\\"', r'$A\n"' + "\\"),
        (r"a\tb\ c", "atb c"),
        ("a'b'\"c\"d", "abcd"),
        ('it"\'"s', "it's"),
        ("${NO:-d}", "d"),
        ("${EMPTY:-d}", "d"),
        ("${EMPTY-d}", ""),
        ("${NO-d}", "d"),
        ("${A:+alt}", "alt"),
        ("${EMPTY:+alt}", ""),
        ("${EMPTY+alt}", "alt"),
        ("${NO:+alt}", ""),
        ("${NO:-${A}${ALSO-x}}", "1x"),
        ("${A:-$NO}", "1"),
        ('${NO:-a "b}"}', "a b}"),
        ("${A:?why}", "1"),
        ("$", "$"),
        ('"$"', "$"),
        ("a$ b", "a$ b"),
        ("$A-b", "1-b"),
        ("$A$foo", "1/bar"),
        ("", ""),
        ("a\\", "a"),
    ],
)
def test_words(text: str, wanted: str) -> None:
    assert replaced(text, _scope(), "\\") == wanted


def test_another_escape_character() -> None:
    assert replaced('c:\\dir`$x`"', _scope(), "`") == 'c:\\dir$x"'


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("$NO", "variable NO is not defined"),
        ("$AA", "variable AA is not defined; is 'A' meant?"),
        ("${fo}", "is 'foo' meant?"),
        ("${NO:-$ALSO}", "variable ALSO is not defined"),
        ("$UNSET", "argument UNSET has no value: line 3 declares it"),
        ("$TARGETARCH", "not defined in this stage"),
        ("${NO:?give it}", "NO: give it"),
        ("${EMPTY:?}", "EMPTY: it has no value"),
        ("$1", "variable 1 is not defined"),
        ("$$", "variable $ is not defined"),
        ("${}", "without a name"),
        ("${A", "has no end"),
        ("${A:-x", "has no end"),
        ("${A%x}", "'%'"),
        ("'a", "' has no end"),
        ('"a', '" has no end'),
    ],
)
def test_what_is_refused(text: str, why: str) -> None:
    with pytest.raises(Trouble) as caught:
        replaced(text, _scope(), "\\")
    assert why in caught.value.text


def test_a_here_document_keeps_its_quotes_and_backslashes() -> None:
    assert replaced_raw("\"$A\" 'it' \\n \\$A \\\\ ${NO:-x}\n", _scope()) == "\"1\" 'it' \\n $A \\ x\n"


def test_a_declaration_does_not_take_a_value_away() -> None:
    scope = _scope()
    scope.declare("A", 9)
    scope.set("UNSET", "now")
    assert replaced("$A$UNSET", scope, "\\") == "1now"


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.text(alphabet="${}:-+?A'\"\\ x", max_size=30))
def test_any_word_is_replaced_or_refused(text: str) -> None:
    with suppress(Trouble):  # and nothing else
        assert "\0" not in replaced(text, _scope(), "\\")


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.text(alphabet="ab $\"'\\{}", max_size=30))
def test_what_is_escaped_comes_out_as_it_was(text: str) -> None:
    escaped = "".join(f"\\{char}" for char in text)
    assert replaced(escaped, _scope(), "\\") == text
