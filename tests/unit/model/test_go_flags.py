"""What a recipe may not say to go."""

from __future__ import annotations

import pytest

from rearch.model.base import Faults
from rearch.model.go_flags import is_protected, own_linker_flags, own_variable


def refused(*texts: str) -> list[int | str]:
    """The numbers of the texts that are refused."""
    try:
        own_linker_flags(texts)
    except Faults as faults:
        return [step for fault in faults.faults for step in fault.path]
    return []


@pytest.mark.parametrize("name", ["GOFLAGS", "CC", "GOARM64", "PATH", "LD_PRELOAD", "ZIG_LIB_DIR", "PKG_CONFIG_PATH"])
def test_protected(name: str) -> None:
    assert is_protected(name)
    with pytest.raises(ValueError, match="rearch sets it itself"):
        own_variable(name)


@pytest.mark.parametrize("name", ["CGO_CFLAGS", "GOEXPERIMENT", "GODEBUG", "CCX", "XPATH"])
def test_a_recipes_own(name: str) -> None:
    assert own_variable(name) == name


NAMES = (
    *("o", "cpuprofile", "memprofile", "blockprofile", "mutexprofile", "traceprofile"),
    *("benchmark", "benchmarkprofile", "tmpdir", "capturehostobjs"),
)


@pytest.mark.parametrize("name", NAMES)
def test_every_way_to_write_elsewhere(name: str) -> None:
    for text in (f"-{name} x", f"--{name} x", f"-{name}=x", f"--{name}=x", f"-s -w -{name}=x", f"'-{name}' x"):
        assert refused("-s", text) == [1]


@pytest.mark.parametrize(
    "texts",
    [
        ("-extldflags '-static -o x'",),
        ("-extldflags", "-o"),
        ("-extldflags=-o",),
        ("-X", "-o"),
        ("-X main.A=-o",),
        ("-X 'main.A=b -o c'",),
        ("-X=main.A=${{ commit }}", "-linkmode external"),
        ("-X main.A='${{ date }}",),
        ("-oo", "o", "-checklinkname=0", ""),
    ],
)
def test_what_only_looks_like_it(texts: tuple[str, ...]) -> None:
    assert refused(*texts) == []
    assert own_linker_flags(texts) == texts


@pytest.mark.parametrize(
    "texts",
    [
        ("-extldflags=-static", "-o"),
        ("-extldflags -static -o",),
        ("-X=a.B=c -o",),
        ("-X -X -o",),
        ("-X a.B=${{ commit }} -o",),
    ],
)
def test_a_value_hides_one_word(texts: tuple[str, ...]) -> None:
    assert refused(*texts) == [len(texts) - 1]


def test_all_are_told_and_an_open_quote_too() -> None:
    assert refused("-o=x", "-s", "-X 'main.A=b", "-o x -tmpdir y") == [0, 2, 3, 3]
