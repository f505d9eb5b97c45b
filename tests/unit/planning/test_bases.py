"""Which manifest serves a platform."""

from __future__ import annotations

import pytest

from rearch.errors import ExitCode
from rearch.model.lock import PinnedBase
from rearch.model.platform import parse_platform
from rearch.planning.bases import BaseWithoutPlatform, manifest_for

DIGEST = "sha256:" + "1" * 64


def pinned(**platforms: str) -> PinnedBase:
    return PinnedBase(
        reference="debian:12", digest=DIGEST, platforms={key.replace("_", "/"): DIGEST for key in platforms}
    )


def test_the_platform_itself() -> None:
    assert manifest_for(pinned(linux_arm64="", linux_amd64=""), parse_platform("aarch64")) == DIGEST


@pytest.mark.parametrize("other", ["arm/v6", "arm64", "amd64"])
def test_no_other_will_do(other: str) -> None:
    base = pinned(**{f"linux/{other}".replace("/", "_"): ""})
    with pytest.raises(BaseWithoutPlatform) as caught:
        manifest_for(base, parse_platform("arm/v7"))
    assert caught.value.summary == "docker.io/library/debian:12 has no linux/arm/v7"
    assert caught.value.details == (f"it has linux/{other}",)
    assert caught.value.exit_code is ExitCode.USAGE


def test_one_that_has_nothing() -> None:
    with pytest.raises(BaseWithoutPlatform, match="has no linux/arm64") as caught:
        manifest_for(pinned(), parse_platform("arm64"))
    assert caught.value.details == ("it has no platform that rearch knows",)
