"""One vocabulary for architectures."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rearch.model.platform import PLATFORMS, UnknownPlatform, host_platform, parse_platform, parse_platforms


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("arm64", "linux/arm64"),
        ("aarch64", "linux/arm64"),
        ("arm64/v8", "linux/arm64"),
        ("linux/arm64/v8", "linux/arm64"),
        ("Linux/AArch64", "linux/arm64"),
        ("arm", "linux/arm/v7"),
        ("armhf", "linux/arm/v7"),
        ("armv7l", "linux/arm/v7"),
        ("linux/arm", "linux/arm/v7"),
        ("arm/v8", "linux/arm/v7"),
        ("arm32v6", "linux/arm/v6"),
        ("x86_64", "linux/amd64"),
        ("386", "linux/386"),
        ("i686", "linux/386"),
        ("ppc64el", "linux/ppc64le"),
        ("s390x", "linux/s390x"),
    ],
)
def test_every_usual_spelling(text: str, wanted: str) -> None:
    assert str(parse_platform(text)) == wanted


@pytest.mark.parametrize("text", ["", "mips", "windows/amd64", "linux/", "linux/arm/v9", "arm64/v7", "/", "linux"])
def test_what_is_no_platform(text: str) -> None:
    with pytest.raises(UnknownPlatform) as caught:
        parse_platform(text)
    assert "linux/arm64" in str(caught.value.hint)


def test_a_list_counts_each_once() -> None:
    assert [str(each) for each in parse_platforms("arm64, aarch64,linux/amd64 x86_64")] == [
        "linux/arm64",
        "linux/amd64",
    ]


def test_oci_parts() -> None:
    platform = parse_platform("armv6l")
    assert (platform.oci_architecture, platform.oci_variant, platform.slug) == ("arm", "v6", "linux_arm_v6")
    assert parse_platform("arm64").oci_variant is None


def test_the_text_of_a_platform_is_read_back() -> None:
    assert [parse_platform(str(platform)) for platform in PLATFORMS] == list(PLATFORMS)
    assert [host_platform(platform.arch.uname[0]) for platform in PLATFORMS] == list(PLATFORMS)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.text(max_size=30))
def test_any_text_is_a_platform_or_unknown(text: str) -> None:
    try:
        found = parse_platform(text)
    except UnknownPlatform:
        return
    assert found in PLATFORMS
