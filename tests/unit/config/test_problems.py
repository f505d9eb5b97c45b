"""How problems are worded and shown."""

from __future__ import annotations

import pytest

from rearch.config.problems import ConfigProblems, Problem, key_path, masked, nearest, shown, suggestion
from rearch.errors import ExitCode


def problem(**facts: object) -> Problem:
    return Problem(**{"file": "a.yaml", "line": 1, "column": 1, "text": "wrong", **facts})  # type: ignore[arg-type]


def test_an_error_with_all_of_them_in_order() -> None:
    later, first = problem(line=9), problem(line=2)
    error = ConfigProblems([later, first, later, problem(file="b.yaml"), problem(file="", line=0)])
    assert [(one.file, one.line) for one in error.problems] == [("", 0), ("a.yaml", 2), ("a.yaml", 9), ("b.yaml", 1)]
    assert error.exit_code is ExitCode.USAGE
    assert error.summary == "the configuration has 4 problems in 2 files"
    assert error.details == ("wrong", "a.yaml:2:1: wrong", "a.yaml:9:1: wrong", "b.yaml:1:1: wrong")


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ([{}], "the configuration has 1 problem in a.yaml"),
        ([{}, {"line": 3}], "the configuration has 2 problems in a.yaml"),
        ([{"file": "--jobs", "line": 0}], "the configuration has 1 problem"),
    ],
)
def test_the_summary(facts: list[dict[str, object]], words: str) -> None:
    assert ConfigProblems([problem(**one) for one in facts]).summary == words


@pytest.mark.parametrize(
    ("source", "column", "width", "picture"),
    [
        ("key: value", 6, 5, ["    key: value", "         ^^^^^"]),
        ("\tkey: v", 2, 3, ["    \tkey: v", "    \t^^^"]),
        ("key: v", 6, 400, ["    key: v", "         ^"]),
        ("a: \u202eb", 1, 1, ["    a: \ufffdb", "    ^"]),
        ("key:", 5, 1, []),
        ("", 1, 1, []),
        ("   ", 2, 1, []),
    ],
)
def test_the_picture(source: str, column: int, width: int, picture: list[str]) -> None:
    assert problem(source=source, column=column, width=width).render().splitlines()[1:] == picture


def test_a_long_line_is_cut_around_the_place() -> None:
    source = "x" * 500 + "HERE" + "y" * 500
    line, mark = problem(source=source, column=501, width=4).render().splitlines()[1:]
    assert len(line) <= 120
    assert line[mark.index("^") : mark.rindex("^") + 1] == "HERE"


def test_a_hint_follows_the_text() -> None:
    assert problem(hint="do that").render() == "a.yaml:1:1: wrong; do that"


def test_paths_of_keys() -> None:
    assert key_path(("build", "go", "binaries")) == "build.go.binaries"
    assert key_path(("edits", 0, "file")) == "edits[0].file"
    assert key_path(("stamps", "main.VERSION", "host-local")) == 'stamps."main.VERSION".host-local'
    assert key_path(()) == ""


def test_text_that_cannot_do_harm_on_a_terminal() -> None:
    assert shown("a\x1b[31mb\n") == "a\\x1b[31mb\\n"
    assert shown("é") == "é"
    assert shown("x" * 100) == "x" * 57 + "..."


def test_passwords_are_stars_of_the_same_length() -> None:
    assert masked("see https://me:secret@host/x and git@host") == "see https://*********@host/x and git@host"


def test_nearest_and_suggestion() -> None:
    assert nearest("binariez", ["links", "binaries"]) == "binaries"
    assert nearest("BINARIES", ["links", "binaries"]) == "binaries"
    assert nearest("colour", ["links", "binaries"]) is None
    assert suggestion("colour", ["b", "a"]) == "known: a, b"
    assert suggestion("colour", []) is None
    assert suggestion("zzz", [f"n{number:02}" for number in range(30)]) == (
        "known: " + ", ".join(f"n{number:02}" for number in range(20)) + ", ..."
    )
