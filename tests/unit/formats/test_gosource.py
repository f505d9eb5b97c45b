"""Which names of a package the linker's -X can set."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rearch.formats.gosource import Stampable, nearest, package_name, string_variables, tokens
from rearch.formats.gotags import constraints, included
from rearch.model.platform import parse_platform

YES, NO, UNKNOWN = Stampable.YES, Stampable.NO, Stampable.UNKNOWN

PACKAGE = """// var COMMENT string
package main

import "os"

/* var BLOCK string
*/
var VERSION string
var first, second = "a", `raw
var inside string
`
var (
	GitCommit = "x" + "y" // with a comment
	count     int
	home      = os.Getenv("HOME")
	typed     string = os.Args[0]
	fromConst = fallback
	fromIota  = zero
	fromOther = other.Version
	copied    = VERSION
	one, two  = pair()
	list      = []string{
		"var string",
	}
	letter    = 'x'
	converted = string("d")
	number    = -1
)

const fallback = "none"
const zero = iota

func main() {
	var local string
	_ = "}"
}

var joined string = ("a" +
	"b")
var callback = func() string {
	var hidden string
	return hidden
}
var last Name; var after string
"""

VERDICTS = {
    "VERSION": YES,
    "first": YES,
    "second": YES,
    "GitCommit": YES,
    "count": NO,
    "home": NO,
    "typed": NO,
    "fromConst": YES,
    "fromIota": NO,
    "fromOther": UNKNOWN,
    "copied": NO,
    "one": NO,
    "two": NO,
    "list": NO,
    "letter": NO,
    "converted": YES,
    "number": NO,
    "fallback": NO,
    "zero": NO,
    "joined": YES,
    "callback": NO,
    "last": NO,
    "after": YES,
}


def test_every_declaration_is_judged_and_nothing_else_is_seen() -> None:
    found = {item.name: item.stampable for item in string_variables({"main.go": PACKAGE})}
    assert found == VERDICTS


def test_the_place_and_the_reason_are_told() -> None:
    found = {item.name: item for item in string_variables({"main.go": PACKAGE})}
    assert (found["VERSION"].file, found["VERSION"].line, found["VERSION"].why) == ("main.go", 8, "")
    assert found["fallback"].why == "a constant"
    assert found["count"].why == "of type int"
    assert found["home"].why == "initialised by a call"
    assert found["copied"].why == "initialised from the variable VERSION"
    assert PACKAGE.split("\n")[found["number"].line - 1].strip().startswith("number")


def test_a_constant_of_another_file_counts_and_a_test_file_does_not() -> None:
    sources = {"a.go": "package p\nvar V = base\n", "b.go": "package p\nconst base = `1`\n"}
    assert [item.stampable for item in string_variables(sources) if item.name == "V"] == [YES]
    assert string_variables({"a_test.go": "package p\nvar V string\n"}) == ()


def test_constants_that_refer_to_each_other_end() -> None:
    sources = {"a.go": "package p\nconst a = b\nconst b = a\nvar V = a\n"}
    assert [item.stampable for item in string_variables(sources) if item.name == "V"] == [UNKNOWN]


def test_nearest_names_those_that_can_be_set() -> None:
    found = string_variables({"main.go": PACKAGE})
    assert nearest("Version", found)[0] == "VERSION"
    assert nearest("gitCommit", found)[0] == "GitCommit"
    assert "fallback" not in nearest("fallbac", found)
    assert nearest("zzzzzz", found) == ()


@pytest.mark.parametrize(
    ("source", "name"),
    [("package main\n", "main"), ("// c\n/* d */ package x; var a int", "x"), ("", None), ("func x() {}", None)],
)
def test_package_name(source: str, name: str | None) -> None:
    assert package_name(source) == name


def test_semicolons_are_implied_as_the_language_says() -> None:
    assert [token.text for token in tokens("a\nb +\nc\nreturn\n")] == ["a", ";", "b", "+", "c", ";", "return", ";"]


GO_PIECES = st.sampled_from(
    [
        "var ",
        "const ",
        "(",
        ")",
        "{",
        "}",
        '"',
        "`",
        "'",
        "//",
        "/*",
        "*/",
        "\n",
        "string",
        "=",
        ",",
        "\\",
        "x",
        ";",
        "+",
    ]
)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.one_of(st.text(max_size=300), st.lists(GO_PIECES, max_size=120).map("".join)))
def test_any_text_is_read(source: str) -> None:
    names = [item.name for item in string_variables({"x.go": source})]
    assert all(name.isidentifier() or name.replace("_", "a").isalnum() for name in names)
    line_count = source.count("\n") + 1
    assert all(1 <= token.line <= line_count for token in tokens(source))


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.dictionaries(st.from_regex(r"[a-z]{3,8}", fullmatch=True), st.booleans(), min_size=1, max_size=8))
def test_what_is_declared_is_found(wanted: dict[str, bool]) -> None:
    lines = [f"var {name} string" if plain else f"var {name} = f()" for name, plain in wanted.items()]
    found = string_variables({"x.go": "package p\n" + "\n".join(lines) + "\n"})
    reserved = {"var", "func", "map", "for", "type", "const", "case", "chan", "goto", "else"}
    expected = {name: YES if plain else NO for name, plain in wanted.items() if name not in reserved}
    assert {item.name: item.stampable for item in found if item.name not in reserved} == expected


ARM64, ARMV7, AMD64 = (parse_platform(name) for name in ("arm64", "arm/v7", "amd64"))


@pytest.mark.parametrize(
    ("name", "source", "expected"),
    [
        ("x.go", "package p", True),
        ("x_linux.go", "package p", True),
        ("x_windows.go", "package p", False),
        ("x_amd64.go", "package p", False),
        ("x_linux_arm64.go", "package p", True),
        ("x_linux_arm.go", "package p", False),
        ("linux.go", "package p", True),
        ("amd64.go", "package p", True),
        ("x_test.go", "package p", False),
        ("x.go", "// +build linux,amd64 linux,arm\n\npackage p", False),
        ("x.go", "// +build linux,amd64 linux,arm64\n\npackage p", True),
        ("x.go", "// +build linux\n// +build !arm64\n\npackage p", False),
        ("x.go", "//go:build linux && (amd64 || arm64)\n\npackage p", True),
        ("x.go", "//go:build !linux || amd64\n// +build linux\npackage p", False),
        ("x.go", "//go:build go1.18 && !cgo\npackage p", True),
        ("x.go", "//go:build ignore\npackage p", False),
        ("x.go", "//go:build netgo\npackage p", True),
        ("x.go", "//go:build linux &&\npackage p", False),
        ("x.go", "package p\n// +build windows\n", True),
        ("x.go", "/* c\n */\n// +build windows\n\npackage p", False),
        ("x.go", "//go:build a#b\npackage p", True),
    ],
)
def test_what_a_platform_compiles(name: str, source: str, expected: bool) -> None:
    assert included(name, source, ARM64, frozenset({"netgo"})) is expected


def test_the_variant_of_arm_is_no_tag_of_its_own() -> None:
    assert included("x_arm.go", "package p", ARMV7)
    assert not included("x_arm.go", "package p", AMD64)


def test_constraint_lines_have_their_place() -> None:
    found = constraints("// Copyright\n\n//go:build linux\n// +build linux\n\npackage p\n// +build no\n")
    assert [(item.line, item.text, item.old) for item in found] == [(3, "linux", False), (4, "linux", True)]


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.text(alphabet="()!&|a b\t", max_size=60))
def test_any_constraint_is_judged(text: str) -> None:
    assert included("x.go", f"//go:build {text}\npackage p", ARM64) in (True, False)
