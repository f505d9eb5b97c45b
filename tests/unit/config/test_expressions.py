"""`${{ ... }}`: names now and later, computing, faults with the word that is meant."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rearch.config.expressions import OPEN_NAMES, ExpressionFault, Scope, render
from rearch.config.sandbox import LONGEST_TEXT

SCOPE = Scope(
    values={"name": "agent", "version": "v1.10.2", "stack": "rancher"},
    variables={"flavour": "small", "items": "two"},
    open_names=frozenset(OPEN_NAMES),
    may_wait=True,
)
NOW = Scope(values=SCOPE.values, variables={}, open_names=SCOPE.open_names, may_wait=False)


def faults_of(text: str, scope: Scope = SCOPE) -> list[ExpressionFault]:
    return list(render(text, scope)[1])


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("nothing", "nothing"),
        ("${{ version }}", "v1.10.2"),
        ("${{version}}", "v1.10.2"),
        ("a ${{ name }}-${{ stack }} b", "a agent-rancher b"),
        ("${{ vars.flavour }}", "small"),
        ("${{ vars.items }}", "two"),
        ("{{ version }} $ { ${version}", "{{ version }} $ { ${version}"),
        ("${{ version[1:] }}", "1.10.2"),
        ("${{ version.split('.')[1] }}", "10"),
        ("${{ version | upper | replace('V', '') }}", "1.10.2"),
        ("${{ version.removeprefix('v') ~ '-' ~ vars.items }}", "1.10.2-two"),
        ("${{ 'x' if version == 'v1.10.2' else 'y' }}", "x"),
        ("${{ version.split('.') | join('_') }}", "v1_10_2"),
        ("${{ version.split('.') | first }}", "v1"),
        ("${{ (version.split('.') | last | int) + 1 }}", "3"),
        ("${{ version.startswith('v') }}", "true"),
        ("${{ {'a': {'b': '}}'}}['a']['b'] }}", "}}"),
        ("${{ 3 * 4 }}", "12"),
        ("$${{ Version }}", "${{ Version }}"),
        ("$$${{ Version }}", "$${{ Version }}"),
    ],
)
def test_rendered(text: str, result: str) -> None:
    assert render(text, SCOPE) == (result, ())


@pytest.mark.parametrize("name", OPEN_NAMES)
def test_names_that_are_known_later_stay(name: str) -> None:
    assert render(f"x-${{{{{name}}}}}-${{{{ version }}}}", SCOPE) == (f"x-${{{{ {name} }}}}-v1.10.2", ())


def test_an_open_version_stays() -> None:
    scope = Scope(values={"name": "a"}, variables={}, open_names=frozenset({"version"}), may_wait=True)
    assert render("v${{version}}", scope) == ("v${{ version }}", ())


@pytest.mark.parametrize(
    ("text", "word", "words", "hint"),
    [
        ("${{ versoin }}", "versoin", "versoin is not defined", "did you mean version?"),
        ("${{ vars.flavor }}", "vars.flavor", "vars.flavor is not defined", "did you mean flavour?"),
        ("${{ vars }}", "vars", "vars holds several texts", "write vars.NAME"),
        ("${{ version.upper }}", "version.upper", "version is a text: it has no upper", None),
        ("${{ commit.x }}", "commit.x", "commit is a text: it has no x", None),
        ("${{ versoin[1:] }}", "versoin", "versoin is not defined", "did you mean version?"),
        ("${{ version ~ vars.flavor }}", "vars.flavor", "vars.flavor is not defined", "did you mean flavour?"),
        ("${{ version | uper }}", "uper", "there is no filter uper", "did you mean upper?"),
        ("${{ commit[:8] }}", "commit", "commit is known only later, so nothing can be computed with it", None),
        ("${{ date | upper }}", "date", "date is known only later, so nothing can be computed with it", None),
        ("${{ }}", "${{", "the expression is empty", None),
        ("${{ version", "${{", "is not closed", None),
        ("$${{ commit }}", "${{", "would be taken for an expression", None),
        ("${{ '${{' ~ ' commit }}' }}", "${{", "would be taken for an expression", None),
        ("${{ version[99] }}", "${{", "has no element 99", None),
        ("${{ 1 / 0 }}", "${{", "division by zero", None),
        ("${{ version.split('.') }}", "${{", "it gives a list, not a text", None),
        ("${{ a b }}", "${{", "cannot be computed", None),
        ("${{ version is defined }}", "${{", "cannot be computed", None),
    ],
)
def test_faults(text: str, word: str, words: str, hint: str | None) -> None:
    (fault,) = faults_of(text)
    assert fault.word == word
    assert words in fault.text
    assert hint is None or fault.hint == hint


def test_names_that_are_known_later_need_a_place_that_waits() -> None:
    (fault,) = faults_of("${{ commit }}", NOW)
    assert fault.text == "commit is known only later"
    assert fault.hint == "it can stand under build, verify, smoke and image"


def test_every_fault_of_a_text_with_its_number() -> None:
    found = faults_of("$${{ Lit }} ${{ x }} ${{ version }} ${{ y }}")
    assert [(fault.mark, fault.word) for fault in found] == [(1, "x"), (3, "y")]


@pytest.mark.parametrize(
    "expression",
    [
        "version.__class__",
        "().__class__.__mro__",
        "version.split.__globals__",
        "version.format(1)",
        "version.encode()",
        "'{0.__class__}'.format(version)",
        "'%s' % version",
        "'%9999999999d' % 1",
        "'x' * 1000000000",
        "1000000000 * 'x'",
        "2 ** 99999999",
        "[0] * 1000000000",
        "version.ljust(1000000000)",
        "range(1000000000)",
        "lipsum(1000000000)",
        "cycler",
        "self",
        "version.replace('', '" + "x" * 100 + "')" + ".replace('', 'xxxxxxxxxxxxxxxxxxxxxx')" * 6,
        "(" * 90 + "1" + ")" * 90,
        "(" * 240,
        "not " * 100 + "1",
        "-" * 200 + "1",
    ],
)
def test_hostile_expressions_end_in_a_fault_or_a_short_text(expression: str) -> None:
    text, faults = render(f"${{{{ {expression} }}}}", SCOPE)
    assert faults or len(text) <= LONGEST_TEXT


@pytest.mark.parametrize("expression", ["version.__class__", "version.format(1)", "2 ** 9", "'x' * 9", "range(3)"])
def test_what_the_sandbox_refuses(expression: str) -> None:
    assert len(faults_of(f"${{{{ {expression} }}}}")) == 1


def test_a_long_expression_is_not_searched_for_its_end_for_ever() -> None:
    (fault,) = faults_of("${{ " + "'\\" * 200_000)
    assert "is not closed" in fault.text


def test_plain_names_do_not_import_jinja(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rearch.config.sandbox", None)
    assert render("${{ version }} ${{ vars.items }} ${{ commit }}", SCOPE) == ("v1.10.2 two ${{ commit }}", ())
    with pytest.raises(ImportError):
        render("${{ version[1:] }}", SCOPE)


WORDS = ("version", "commit", "vars", "items", "upper", "split", "if", "else", "not", "in", "is", "1")
PIECES = st.sampled_from(("${{", "}}", *"$ {}'\"\\.[]()|:~+*-,%/\n", *WORDS))


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(PIECES, max_size=30).map("".join))
def test_any_text_renders_or_has_faults(text: str) -> None:
    result, faults = render(text, SCOPE)
    assert isinstance(result, str)
    assert all(fault.text and text.count("${{") > fault.mark for fault in faults)
    if "${{" not in text:
        assert (result, faults) == (text, ())


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(PIECES, max_size=25).map(" ".join))
def test_any_expression_renders_or_has_faults(text: str) -> None:
    result, faults = render(f"${{{{ {text.replace('}}', '')} }}}}", SCOPE)
    assert isinstance(result, str)
    assert all(fault.text for fault in faults)
