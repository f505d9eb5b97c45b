"""What loaded images are called."""

from __future__ import annotations

from rearch.host.docker.load import names_of
from rearch.model.platform import parse_platform

ARM64, ARMV7, AMD64 = (parse_platform(name) for name in ("arm64", "arm/v7", "amd64"))


def test_the_only_image_has_the_name_itself_whatever_the_engine() -> None:
    assert names_of("a/b:1", (ARM64,), AMD64) == {ARM64: ("a/b:1",)}


def test_of_several_the_engines_own_has_it() -> None:
    assert names_of("a/b:1", (ARMV7, AMD64), AMD64) == {
        ARMV7: ("a/b:1-armv7",),
        AMD64: ("a/b:1", "a/b:1-amd64"),
    }


def test_an_engine_of_an_unknown_machine_gets_them_all_by_architecture() -> None:
    assert names_of("a/b:1", (ARMV7, ARM64), None) == {ARMV7: ("a/b:1-armv7",), ARM64: ("a/b:1-arm64",)}
