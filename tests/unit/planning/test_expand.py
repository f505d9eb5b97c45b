"""Names that are known only after locking."""

from __future__ import annotations

import pytest

from rearch.model.frozen import FrozenDict
from rearch.model.platform import parse_platform
from rearch.model.source import PinnedArchive, PinnedDebian, PinnedGit
from rearch.planning.expand import Expander, NotKnown, source_names, upstream_version

GIT = PinnedGit(url="u", ref="v1", commit="a" * 40, time=1_500_000_000)


@pytest.mark.parametrize(
    ("debian", "upstream"),
    [
        ("1.1.1+ds1-3", "1.1.1"),
        ("1:2.0-1", "2.0"),
        ("0.8.6~ds1+dfsg-2", "0.8.6"),
        ("1.2.3", "1.2.3"),
        ("1.0-rc1-2", "1.0-rc1"),
        ("1.1.1+ds1-3+deb12u1", "1.1.1"),
    ],
)
def test_upstream_version(debian: str, upstream: str) -> None:
    assert upstream_version(debian) == upstream


def test_git_knows_commit_and_date() -> None:
    expand = Expander("test/x", GIT, None).on(parse_platform("armhf"))
    text = "${{ short_commit }} ${{date}} ${{ platform }} ${{ arch }}${{ variant }}"
    assert expand.text(text) == "aaaaaaa 2017-07-14T02:40:00Z linux/arm/v7 armv7"


def test_source_date_epoch_wins() -> None:
    assert source_names(GIT, 0)["date"] == "1970-01-01T00:00:00Z"


def test_debian_says_the_version() -> None:
    source = PinnedDebian(package="p", version="1.1.1+ds1-3", time=1, files=(), build_packages=())
    assert source_names(source, None)["version"] == "1.1.1"


def test_an_archive_has_no_commit_and_no_date() -> None:
    source = PinnedArchive(url="u", sha256="0" * 64, strip=1)
    expand = Expander("test/x", source, None).on(parse_platform("arm64"))
    with pytest.raises(NotKnown, match=r"test/x: \$\{\{ commit \}\}"):
        expand.text("${{ commit }}")
    with pytest.raises(NotKnown) as caught:
        expand.text("${{ date }}")
    assert "SOURCE_DATE_EPOCH" in str(caught.value.hint)


def test_what_is_the_same_everywhere_is_the_same_object() -> None:
    expand = Expander("test/x", GIT, None)
    everywhere, here = FrozenDict({"a": "${{ commit }}"}), FrozenDict({"a": "${{ commit }} ${{ arch }}"})
    first = expand.on(parse_platform("arm64"))
    shared, own = first.mapping(everywhere), first.mapping(here)
    second = expand.on(parse_platform("amd64"))
    assert second.mapping(everywhere) is shared
    assert own["a"].endswith(" arm64")
    assert second.mapping(here)["a"].endswith(" amd64")
