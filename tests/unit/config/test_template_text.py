"""No value can add an instruction, a flag or an expansion: what is written is read back as it was."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rearch.config.template_text import (
    Unquotable,
    breaks_lines,
    duration,
    json_text,
    label_key,
    pattern,
    quote,
    word,
)
from rearch.oci.dockerfile.parse import parse_dockerfile
from rearch.oci.dockerfile.values import duration as read_duration
from rearch.oci.dockerfile.variables import Scope, replaced

TEXTS = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from(list("\"'\\$`#= \t{}[]*?<-~")), max_size=30)
LINES = TEXTS.filter(lambda text: not breaks_lines(text))
BOUNDED = settings(max_examples=100, deadline=None, derandomize=True)


def test_plain_words_stay_plain() -> None:
    assert word("/usr/bin/agent") == "/usr/bin/agent"
    assert word("haproxy:haproxy") == "haproxy:haproxy"
    assert quote("1.10") == '"1.10"'
    assert label_key("org.opencontainers.image.title") == "org.opencontainers.image.title"
    assert pattern("linux/arm64/agent") == "linux/arm64/agent"
    assert json_text(["/usr/bin/tini", "--"]) == '["/usr/bin/tini", "--"]'


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("a b", '"a b"'),
        ("$HOME", r'"\$HOME"'),
        ('say "hi"', r'"say \"hi\""'),
        ("ends with \\", r'"ends with \\"'),
        ("it's", '"it\'s"'),
        ("~root", '"~root"'),
        ("tab\there", '"tab\there"'),
    ],
)
def test_what_is_special_is_quoted(value: str, written: str) -> None:
    assert word(value) == written
    assert quote(value) == written


def test_a_source_of_copy_is_no_pattern() -> None:
    assert pattern("a[1]*?.txt") == '"a[[]1][*][?].txt"'


@pytest.mark.parametrize("value", ["a\nRUN x", "a\rb", "a\x00b", "a\x1b[2J", "a\u2028b", "a\x85b", "a\x0bb"])
def test_a_line_break_is_refused(value: str) -> None:
    for written in (quote, word, pattern, label_key):
        with pytest.raises(Unquotable, match="line break or a control character"):
            written(value)


@pytest.mark.parametrize("value", ["", "--from=other", "--"])
def test_what_would_be_a_flag_or_nothing_is_no_word(value: str) -> None:
    with pytest.raises(Unquotable, match="cannot be a word"):
        word(value)


@pytest.mark.parametrize("value", ["a=b", "", " "])
def test_labels_that_cannot_be_named(value: str) -> None:
    with pytest.raises(Unquotable):
        label_key(value)


@pytest.mark.parametrize("value", [None, 1, True, ["a"], {"a": "b"}])
def test_only_texts_are_quoted(value: object) -> None:
    for written in (quote, word, pattern, label_key):
        with pytest.raises(TypeError):
            written(value)


@pytest.mark.parametrize("value", [None, 1, True, [1], ["a", None], [["a"]], {"a": 1}])
def test_only_texts_are_json(value: object) -> None:
    with pytest.raises(TypeError):
        json_text(value)


@BOUNDED
@given(st.lists(TEXTS, max_size=4))
def test_json_stands_on_one_line_and_reads_back(words: list[str]) -> None:
    text = json_text(words)
    assert json.loads(text) == words
    assert len(text.splitlines()) == 1
    assert all(letter.isprintable() for letter in text)


def read(dockerfile: str) -> tuple[object, ...]:
    return parse_dockerfile("FROM scratch\n" + dockerfile, "t").stages[0].instructions


@BOUNDED
@given(LINES)
def test_a_variable_reads_back(value: str) -> None:
    (env,) = read(f"ENV A={quote(value)}\n")
    ((name, written),) = env.pairs  # type: ignore[attr-defined]
    assert (name, expanded(written)) == ("A", value)


@BOUNDED
@given(LINES.filter(str.strip).filter(lambda text: "=" not in text), LINES)
def test_a_label_reads_back(key: str, value: str) -> None:
    (label,) = read(f"LABEL {label_key(key)}={quote(value)}\n")
    ((name, written),) = label.pairs  # type: ignore[attr-defined]
    assert (expanded(name), expanded(written)) == (key, value)


@BOUNDED
@given(LINES.filter(lambda text: text and not text.startswith("--")))
def test_a_path_reads_back(path: str) -> None:
    (copy,) = read(f"COPY {json_text([pattern('x' + path), word(path)])}\n")
    assert expanded(copy.target) == path  # type: ignore[attr-defined]
    literal = expanded(copy.sources[0])  # type: ignore[attr-defined]
    assert literal.replace("[[]", "[").replace("[*]", "*").replace("[?]", "?") == "x" + path


def expanded(written: str) -> str:
    """As the embedded builder takes a word: quotes away, variables filled in, of which there are none."""
    return replaced(written, Scope(), "\\")


@pytest.mark.parametrize(
    ("seconds", "written"),
    [(30.0, "30s"), (1.5, "1500ms"), (0.0001, "1ms"), (86400, "86400s"), (0.1 + 0.2, "300ms"), (1e8, "100000000s")],
)
def test_durations(seconds: float, written: str) -> None:
    assert duration(seconds) == written
    assert read_duration(written) >= seconds * 1e9 * (1 - 1e-9)


def test_no_time_is_no_time() -> None:
    assert duration(0) == "0s"


@pytest.mark.parametrize("value", [-1, float("nan"), float("inf"), 1e10, "30s", True, None])
def test_no_durations(value: object) -> None:
    with pytest.raises(TypeError):
        duration(value)
