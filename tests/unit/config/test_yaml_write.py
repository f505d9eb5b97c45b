"""What is written as YAML means the same to every reader, and is never taken for anything else."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rearch.config.yaml_tree import read_yaml
from rearch.config.yaml_write import write_yaml
from rearch.model.document import Document

# What one reader or another takes for a number, a flag, nothing, a date, a merge key or an indicator.
TEMPTING = (
    *("yes", "No", "on", "y", "N", "true", "~", "null", "Null", "", "1", "1.10", "1e3", "0o17", "0x1F", "017", "1_000"),
    *("80:80", "8080:80", "1:30:00", "2024-01-01", ".inf", "-.INF", ".nan", "nan", "<<", "=", "- a", "a: b", "a #b"),
    *(
        "*x",
        "&x",
        "!x",
        "@x",
        "`x`",
        "%x",
        "{a}",
        "[a]",
        "'a'",
        '"a"',
        "|",
        ">",
        "?",
        "a:",
        " a",
        "a ",
        "a\nb",
        "\t",
        "\x07",
    ),
)


@pytest.mark.parametrize("text", TEMPTING, ids=[f"{number}" for number in range(len(TEMPTING))])
def test_tempting_texts_have_quotes_and_stay_texts(text: str) -> None:
    written = write_yaml({"key": text, text or "empty": "x", "list": (text,)})
    assert written.splitlines()[0].startswith('key: "')
    assert yaml.safe_load(written) == {"key": text, text or "empty": "x", "list": [text]}


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.text(st.characters(codec="utf-8"), max_size=20))
@example("\ufeff")
@example("\u2028a\x85")
def test_any_text_comes_back(text: str) -> None:
    written = write_yaml({"a": text})
    assert yaml.safe_load(written) == {"a": text}
    assert read_yaml(written) == ({"a": text}, ())


@pytest.mark.parametrize("text", ["raspberry", "/var/lib", "docker.io/a/b:1.2", "type=vm", "a_b-c"])
def test_plain_words_are_plain(text: str) -> None:
    assert write_yaml({"a": text}) == f"a: {text}\n"


def test_numbers_flags_and_order_stay() -> None:
    document: Document = {"z": 1, "a": True, "m": {"w": (1, 2), "b": {}}}
    assert write_yaml(document) == "z: 1\na: true\nm:\n  w:\n    - 1\n    - 2\n  b: {}\n"


def test_what_stands_twice_is_written_twice() -> None:
    shared = {"a": "b"}
    assert write_yaml({"v": shared, "w": shared}) == "v:\n  a: b\nw:\n  a: b\n"


def test_long_texts_are_one_line() -> None:
    assert write_yaml({"a": "word " * 100 + "x"}).count("\n") == 1


def test_several_documents_and_comments() -> None:
    written = write_yaml({"a": 1}, {"b": 2}, comments=("first\nkey: value", "second"))
    assert written == "# first\\nkey: value\n# second\n---\na: 1\n---\nb: 2\n"
    assert list(yaml.safe_load_all(written)) == [{"a": 1}, {"b": 2}]
