"""Trees are checked before anything is written."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rearch.errors import ExitCode
from rearch.host.sources.git_errors import GitHostile
from rearch.host.sources.git_tree import Budget, Entry, ObjectMissing, is_dot_git, parse_tree, path_problem

ID = "1" * 40
URL = "https://example.org/a"


def _line(path: bytes, mode: str = "100644", size: str = "5") -> bytes:
    return f"{mode} blob {ID} {size:>7}\t".encode() + path + b"\0"


def test_a_tree_is_read() -> None:
    data = _line(b"a/b c") + _line(b"run", "100755") + _line(b"l", "120000", "3") + _line(b"sub", "160000", "-")
    kinds = [(entry.path, entry.kind, entry.size) for entry in parse_tree(data, URL)]
    assert kinds == [("a/b c", "file", 5), ("run", "executable", 5), ("l", "link", 3), ("sub", "submodule", 0)]


def test_names_need_not_be_utf8() -> None:
    (entry,) = parse_tree(_line(b"\xff\xfe"), URL)
    assert entry.path.encode("utf-8", "surrogateescape") == b"\xff\xfe"


@pytest.mark.parametrize(
    ("name", "dot_git"),
    [
        (".git", True),
        (".GIT", True),
        (".Git ", True),
        (".git.", True),
        (".git::$INDEX_ALLOCATION", True),
        ("git~1", True),
        ("GIT~1", True),
        (".g\u200cit", True),
        ("\ufeff.git", True),
        ("a\\.git\\hooks", True),
        (".gitignore", False),
        (".github", False),
        ("git", False),
        ("git~12", False),
        ("x.git", False),
    ],
)
def test_spellings_of_dot_git(name: str, dot_git: bool) -> None:
    assert is_dot_git(name) is dot_git


@pytest.mark.parametrize(
    "path", [b"../x", b"a/../../x", b"/etc/passwd", b"a//b", b"./a", b"", b".git/config", b"a/.gIt/x"]
)
def test_paths_that_are_refused(path: bytes) -> None:
    with pytest.raises(GitHostile) as caught:
        parse_tree(_line(path), URL)
    assert caught.value.exit_code is ExitCode.VERIFICATION
    assert URL in caught.value.summary


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (_line(b"a") + _line(b"a"), "two files of one name"),
        (_line(b"a", "120000") + _line(b"a/b"), "both a file and a folder"),
        (_line(b"a", "060000"), "mode 060000"),
    ],
)
def test_trees_that_are_refused(data: bytes, what: str) -> None:
    with pytest.raises(GitHostile, match=what):
        parse_tree(data, URL)


def test_an_object_that_is_not_there_is_not_hostile() -> None:
    with pytest.raises(ObjectMissing, match=r"^a$"):
        parse_tree(_line(b"a", size="BAD"), URL)


def test_a_budget_is_spent_over_several_trees() -> None:
    entry = Entry(path="a", kind="file", object=ID, size=10)
    budget = Budget(entries=3, bytes=25)
    budget.spend(URL, [entry, entry])
    with pytest.raises(GitHostile, match="more bytes"):
        budget.spend(URL, [entry])
    with pytest.raises(GitHostile, match="more files"):
        Budget(entries=0, bytes=25).spend(URL, [entry])


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.text(alphabet="./ag\\:~ 1iItT\u200c\0", min_size=1, max_size=12))
def test_a_path_that_passes_stays_below(path: str) -> None:
    if path_problem(path) is None:
        parts = path.split("/")
        assert not {"", ".", ".."} & set(parts)
        assert ".git" not in {part.casefold() for part in parts}
        assert "\0" not in path
