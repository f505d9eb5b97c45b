"""YAML -> text: what is read, what is refused, where it stands, and what it may cost."""

from __future__ import annotations

import time
from typing import Any

import pytest

from rearch.config import yaml_tree
from rearch.config.yaml_tree import DEEPEST, MOST_VALUES, find, places, read_yaml, span_at

COMPOSERS = [yaml_tree._FAST, yaml_tree._PureComposer]


@pytest.fixture(params=COMPOSERS, ids=["libyaml", "pure"])
def composer(request: pytest.FixtureRequest) -> Any:
    return request.param


def test_libyaml_is_in_use() -> None:
    assert yaml_tree._FAST is not yaml_tree._PureComposer


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1.10", "1.10"),
        ("386", "386"),
        ("no", "no"),
        ("0o17", "0o17"),
        ("1_000", "1_000"),
        ("2024-05-17", "2024-05-17"),
        ("true", "true"),
        (".inf", ".inf"),
        ("1e3", "1e3"),
        ("'~'", "~"),
        ('"null"', "null"),
        ('""', ""),
        ("''", ""),
        ("", None),
        ("~", None),
        ("null", None),
        ("NULL", None),
        ("|\n  two\n  lines", "two\nlines"),
        ("{}", {}),
        ("[1, 2.0, ~]", ["1", "2.0", None]),
    ],
)
def test_scalars_are_text(text: str, value: object, composer: Any) -> None:
    assert read_yaml(f"key: {text}", composer) == ({"key": value}, ())


def test_keys_are_text(composer: Any) -> None:
    assert read_yaml("386: a\nno: b\n1.10: c\nnull: d", composer) == (
        {"386": "a", "no": "b", "1.10": "c", "null": "d"},
        (),
    )


@pytest.mark.parametrize("text", ["", "# only words\n", "---\n", "\n\n"])
def test_nothing_is_none(text: str, composer: Any) -> None:
    assert read_yaml(text, composer) == (None, ())


def test_an_alias_is_what_it_names(composer: Any) -> None:
    assert read_yaml("a: &x [1]\nb: *x", composer) == ({"a": ["1"], "b": ["1"]}, ())


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("a: 1\nb: 2\na: 3", (3, 1), "twice"),
        ("k: {x: 1, x: 2}", (1, 11), "twice"),
        ("a: &b {x: 1}\nc:\n  <<: *b", (3, 3), "merge keys"),
        ("a: !!python/object/apply:os.system [x]", (1, 4), "tags are not read"),
        ("a: !mine 1", (1, 4), "tags are not read"),
        ("!!str a: 1", (1, 1), "tags are not read"),
        ("? [x]\n: 1", (1, 3), "a key is a word"),
        ("? {x: 1}\n: 1", (1, 3), "a key is a word"),
        ("a: 1\n---\nb: 2", (2, 1), "second document"),
        ("a: *nowhere", (1, 4), "undefined alias"),
        ("a: b: c", (1, 5), "mapping values are not allowed"),
        ("a: \x07", (1, 4), "U+0007"),
        ("a: 1\nb: \ufeff", (2, 4), "U+FEFF"),
        ("a: &x [*x]", (1, 4), "alias that contains itself"),
    ],
)
def test_refused(text: str, place: tuple[int, int], words: str, composer: Any) -> None:
    _, faults = read_yaml(text, composer)
    assert [(fault.span.line, fault.span.column) for fault in faults] == [place]
    assert words in faults[0].text


def test_an_empty_key_with_an_empty_value_is_refused(composer: Any) -> None:
    _, faults = read_yaml("? ''\n: x", composer)
    assert [fault.text for fault in faults] == ["a key is empty"]


def test_a_quoted_merge_key_is_a_key(composer: Any) -> None:
    assert read_yaml('"<<": 1', composer) == ({"<<": "1"}, ())


def test_all_faults_of_a_document(composer: Any) -> None:
    _, faults = read_yaml("a: 1\na: 2\nb: !x 3\n<<: {}\n", composer)
    assert [fault.span.line for fault in faults] == [2, 3, 4]


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("a:\n\tb: 1", "indent with spaces, not tabs"),
        ("a: @b", "put the text in quotes"),
        ("a: b: c", "a text with `: ` in it needs quotes"),
        ("a: [${{ b }}]", "an expression inside [] or {} needs quotes"),
    ],
)
def test_hints(text: str, hint: str, composer: Any) -> None:
    _, faults = read_yaml(text, composer)
    assert [fault.hint for fault in faults] == [hint]


@pytest.mark.parametrize("text", ["[" * 50_000, "- " * 5_000, "{a: " * 5_000, "? " * 5_000])
def test_depth_is_limited(text: str, composer: Any) -> None:
    _, faults = read_yaml(text, composer)
    assert [fault.text for fault in faults] == [f"nested deeper than {DEEPEST} levels"]


def test_some_depth_is_fine(composer: Any) -> None:
    text = "[" * (DEEPEST - 1) + "]" * (DEEPEST - 1)
    assert read_yaml(text, composer)[1] == ()


def test_an_alias_bomb_is_counted(composer: Any) -> None:
    bomb = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))
    started = time.monotonic()
    _, faults = read_yaml(bomb, composer)
    assert [fault.text for fault in faults] == [f"with its aliases the file has more than {MOST_VALUES} values"]
    assert time.monotonic() - started < 20


def test_places_of_values_and_keys() -> None:
    text = "# words\na:\n  b: [x, {c: 'é~'}]\n  d: ~\n"
    spots = places(text)
    spot, depth = find(spots, ("a", "b", 1, "c"))
    assert depth == 4
    assert (spot.value.line, spot.value.column, text[spot.value.start : spot.value.end]) == (3, 14, "'é~'")
    assert spot.key is not None
    assert (spot.key.line, spot.key.column) == (3, 11)


def test_the_deepest_place_of_a_path_that_leads_nowhere() -> None:
    spot, depth = find(places("a:\n  b: 1\n"), ("a", "x", "y"))
    assert depth == 1
    assert spot.key is not None
    assert (spot.key.line, spot.key.column) == (1, 1)


@pytest.mark.parametrize("line_break", ["\n", "\r\n", "\r", "\x85", "\u2028"])
def test_lines_are_counted_as_yaml_does(line_break: str) -> None:
    text = line_break.join(["a: 1", "b: 2", "b: 3"])
    _, faults = read_yaml(text)
    assert [(fault.span.line, fault.span.column) for fault in faults] == [(3, 1)]
    assert span_at(text, faults[0].span.start).line == 3


def test_of_a_key_that_stands_twice_the_first_value_is_read(composer: Any) -> None:
    text = "a: 1\nb: {x: 1, x: 2}\na: &z [*z]\n"
    data, faults = read_yaml(text, composer)
    assert data == {"a": "1", "b": {"x": "1"}}
    assert [(fault.span.line, fault.usable) for fault in faults] == [(2, True), (3, True)]
    spot, _ = find(places(text), ("a",))
    assert (spot.value.line, spot.value.column) == (1, 4)


def test_other_faults_make_the_data_useless(composer: Any) -> None:
    _, faults = read_yaml("a: 1\na: 2\nb: !x 3\n", composer)
    assert [fault.usable for fault in faults] == [True, False]
