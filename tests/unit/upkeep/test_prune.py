from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from rearch.upkeep.prune import LiveManifest, PrunePolicy, dated, old_tags, pause, plan_prune

TODAY = date(2024, 5, 17)


def policy(keep: int = 2, days: float = 0) -> PrunePolicy:
    return PrunePolicy(channel="nightly", keep=keep, days=days)


@pytest.mark.parametrize(
    ("tag", "number", "suffix"),
    [("nightly-2024-05-17", 1, ""), ("nightly-2024-05-17-2", 2, ""), ("nightly-2024-05-17-12_arm_v6", 12, "_arm_v6")],
)
def test_dated_tags(tag: str, number: int, suffix: str) -> None:
    found = dated(tag, "nightly")
    assert found is not None
    assert (found.day, found.number, found.suffix) == (TODAY, number, suffix)


@pytest.mark.parametrize(
    "tag",
    [
        "nightly", "v1.0.0", "latest", "edge-2024-05-17", "nightly-2024-05-32", "nightly-2024-05-17-1",
        "nightly-2024-05-17-rc1", "nightly-2024-05-17\n", "xnightly-2024-05-17", "nightly-2024-05-17-02",
    ],
)  # fmt: skip
def test_tags_that_are_never_touched(tag: str) -> None:
    assert dated(tag, "nightly") is None
    assert old_tags([tag], policy(keep=1), TODAY) == ()


def test_a_channel_is_no_pattern() -> None:
    assert dated("nightlyx-2024-05-17", "nightly.") is None


def test_the_newest_and_the_young_stay() -> None:
    tags = [f"nightly-2024-05-{day:02}" for day in range(1, 18)]
    assert old_tags(tags, policy(keep=15), TODAY) == ("nightly-2024-05-01", "nightly-2024-05-02")
    assert old_tags(tags, policy(keep=2, days=14), TODAY) == tuple(f"nightly-2024-05-0{day}" for day in (1, 2, 3))


def test_a_night_counts_once_with_its_tags_for_platforms() -> None:
    tags = [f"nightly-2024-05-{day}{suffix}" for day in (15, 16, 17) for suffix in ("", "_arm64")]
    assert old_tags(tags, policy(), TODAY) == ("nightly-2024-05-15", "nightly-2024-05-15_arm64")


def test_a_day_that_has_not_come_yet_stays_and_takes_no_place() -> None:
    tags = ["nightly-2031-01-01", "nightly-2024-05-16", "nightly-2024-05-17", "nightly-2024-05-17-2"]
    assert old_tags(tags, policy(), TODAY) == ("nightly-2024-05-16",)


def test_what_was_published_last_stays_whatever_day_the_clock_said() -> None:
    tags = ["nightly-2023-01-01", "nightly-2024-05-14", "nightly-2024-05-15", "nightly-2024-05-16"]
    assert old_tags(tags, policy(), TODAY) == ("nightly-2023-01-01", "nightly-2024-05-14")
    known = replace(policy(), order=("nightly-2024-05-14", "nightly-2024-05-16", "nightly-2023-01-01", "gone", "x"))
    assert old_tags(tags, known, TODAY) == ("nightly-2024-05-14",)


def test_a_jump_by_years_is_a_pause_and_a_first_night_is_none() -> None:
    tags = ["nightly-2024-05-16", "nightly-2024-05-17", "nightly-2035-01-01", "latest"]
    assert pause(tags, policy(), date(2035, 1, 1)) == (date(2035, 1, 1) - TODAY).days
    assert pause(tags, replace(policy(), sure=True), date(2035, 1, 1)) == 0
    assert pause(tags, policy(), TODAY) == 0
    assert pause(["nightly-2035-01-01"], policy(), TODAY) == 0


def test_images_go_with_the_last_index_that_joins_them() -> None:
    live = {
        "nightly-2024-05-15": LiveManifest(digest="i1", children=("arm", "shared")),
        "nightly-2024-05-16": LiveManifest(digest="i2", children=("arm2", "shared")),
        "nightly": LiveManifest(digest="i2", children=("arm2", "shared")),
    }
    plan = plan_prune(("nightly-2024-05-15",), live)
    assert plan.tags == {"nightly-2024-05-15": "i1"}
    assert plan.manifests == ("i1", "arm")


def test_what_another_tag_names_or_joins_stays() -> None:
    live = {
        "nightly-2024-05-14": LiveManifest(digest="i1", children=("arm",)),
        "nightly-2024-05-14_arm64": LiveManifest(digest="arm"),
        "v1": LiveManifest(digest="i1", children=("arm",)),
    }
    plan = plan_prune(("nightly-2024-05-14", "nightly-2024-05-14_arm64"), live)
    assert (plan.tags, plan.manifests) == ({}, ())
    assert plan.spared == dict.fromkeys(("nightly-2024-05-14", "nightly-2024-05-14_arm64"), "v1 needs it")


def test_an_index_goes_before_its_images_and_a_tag_of_one_of_them_goes_along() -> None:
    live = {
        "nightly-2024-05-14_arm64": LiveManifest(digest="arm"),
        "nightly-2024-05-14": LiveManifest(digest="i1", children=("arm", "amd")),
        "nightly": LiveManifest(digest="i2", children=("arm2",)),
    }
    plan = plan_prune(("nightly-2024-05-14", "nightly-2024-05-14_arm64"), live)
    assert plan.manifests == ("i1", "arm", "amd")


DIGESTS = st.sampled_from("abcdef")
MANIFESTS = st.builds(
    lambda digest, children: LiveManifest(digest=f"i{digest}", children=tuple(children)),
    DIGESTS,
    st.lists(DIGESTS, max_size=3),
)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    days=st.dictionaries(st.integers(-3, 12), MANIFESTS, min_size=1, max_size=10),
    channel=MANIFESTS,
    keep=st.integers(1, 4),
)
def test_nothing_that_stays_loses_anything(days: dict[int, LiveManifest], channel: LiveManifest, keep: int) -> None:
    """Whatever is shared: all that a kept tag names or joins is there afterwards, and the newest nights are kept."""
    # One digest is one index.
    known = {one.digest: one for one in (*days.values(), channel)}
    live = {f"nightly-{TODAY - timedelta(days=day)}": known[one.digest] for day, one in days.items()}
    live["nightly"] = known[channel.digest]
    old = old_tags(live, policy(keep=keep), TODAY)
    plan = plan_prune(old, live)
    gone = set(plan.manifests)
    left = {tag: one for tag, one in live.items() if one.digest not in gone}
    assert {*live} - {*left} == {*plan.tags}
    assert {*plan.tags} | {*plan.spared} == {*old}
    assert all(gone.isdisjoint({one.digest, *one.children}) for one in left.values())
    assert "nightly" in left
    assert sum(day >= 0 for day in days) - len(old) >= min(keep, sum(day >= 0 for day in days))
