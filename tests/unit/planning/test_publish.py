"""What was built and what the tags name now -> what is sent and set, in which order, for which requests."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from rearch.model.frozen import FrozenDict
from rearch.model.platform import parse_platform
from rearch.planning.publish import plan_publish, questions
from rearch.planning.publish_show import plan_document, plan_lines
from rearch.planning.publish_tags import BadTags
from rearch.planning.publish_targets import Target, parse_target
from rearch.planning.publish_values import (
    Action,
    Blob,
    LiveTag,
    MergeTag,
    PublishChild,
    PublishImage,
    PublishOptions,
    PublishPlan,
    SendBlob,
    SendIndex,
    SendManifest,
    SetTag,
    TagAction,
)
from tests.support.snapshots import assert_snapshot

REGISTRY = parse_target("registry.example.org/rancher")


def digest(name: str) -> str:
    return "sha256:" + name.encode().hex().ljust(64, "0")


def blob(name: str, size: int = 1000) -> Blob:
    return Blob(media_type="x", digest=digest(name), size=size)


def child(name: str, platform: str | None, *shared: str) -> PublishChild:
    return PublishChild(
        platform=parse_platform(platform) if platform else None,
        manifest=blob(f"{name}.m"),
        config=blob(f"{name}.c"),
        layers=(*(blob(each, 30_000_000) for each in shared), blob(f"{name}.l", 18_000_000)),
    )


def image(name: str, *platforms: str, build: str = "1", shared: Sequence[str] = (), **more: Any) -> PublishImage:
    fields: dict[str, Any] = {"tag": "v1", "annotations": FrozenDict()} | more
    return PublishImage(
        component=f"rancher/{name}",
        repository=name,
        index=blob(f"{name}{build}.i"),
        children=tuple(child(f"{name}{build}.{each}", each, *shared) for each in platforms),
        **fields,
    )


def options(*tags: str, **more: Any) -> PublishOptions:
    fields: dict[str, Any] = {"targets": (REGISTRY,)} | more
    return PublishOptions(tags=tags, **fields)


def plan(
    images: Sequence[PublishImage], wish: PublishOptions, live: Mapping[str, LiveTag | str | None] = FrozenDict()
) -> PublishPlan:
    """`live`: `repository:tag` without registry and prefix -> digest or more."""
    found: dict[Any, LiveTag | None] = {}
    for place in questions(images, wish):
        now = live.get(f"{place.repository.rpartition('/')[2]}:{place.tag}")
        found[place] = LiveTag(digest=now) if isinstance(now, str) else now
    return plan_publish(images, wish, found)


def kinds(actions: Sequence[Action]) -> list[str]:
    return [type(action).__name__ for action in actions]


def sent(actions: Sequence[Action]) -> list[str]:
    return [name(action.blob.digest) for action in actions if isinstance(action, SendBlob)]


def name(text: str) -> str:
    return bytes.fromhex(text.removeprefix("sha256:")).rstrip(b"\0").decode()


def tags(made: PublishPlan) -> list[tuple[str, TagAction]]:
    return [(tag.place.tag, tag.action) for each in made.images for tag in each.tags]


def test_a_first_publish_sends_parts_before_what_names_them() -> None:
    made = plan([image("x", "arm64", "amd64")], options("v1", "latest"))
    (planned,) = made.images
    assert planned.repository == "rancher/x"
    assert kinds(planned.actions) == ["SendBlob"] * 4 + ["SendManifest"] * 2 + ["SendIndex"] + ["SetTag"] * 2
    assert sent(planned.actions) == ["x1.arm64.l", "x1.arm64.c", "x1.amd64.l", "x1.amd64.c"]
    assert not any(action.ask for action in planned.actions if isinstance(action, SendBlob)), (
        "it may be a new repository"
    )
    assert made.most_requests == 2 + 4 * 2 + 2 + 1 + 2
    assert not made.is_done


def test_questions_are_one_a_tag_and_target() -> None:
    wish = options("v1", "v1", "${{ tag }}", "latest", targets=(REGISTRY, parse_target("oci:out"), REGISTRY))
    assert [str(place) for place in questions([image("x", "arm64")], wish)] == [
        "registry.example.org/rancher/x:v1",
        "registry.example.org/rancher/x:latest",
        "oci:out/x:v1",
        "oci:out/x:latest",
    ]


def test_nothing_new_is_one_request_a_tag() -> None:
    images = [image("x", "arm64", "amd64"), image("y", "arm64", "amd64")]
    made = plan(images, options("v1"), {"x:v1": digest("x1.i"), "y:v1": digest("y1.i")})
    assert made.is_done
    assert made.most_requests == 2
    assert tags(made) == [("v1", TagAction.UNCHANGED)] * 2
    assert list(plan_lines(made))[-1] == "nothing to do: 2 tags as they should be"


def test_a_changed_image_stays_within_the_issues_budget() -> None:
    """Two platforms, a new binary in each: at most 20 requests with the ping."""
    made = plan([image("x", "arm64", "amd64", build="2")], options("v1"), {"x:v1": digest("x1.i")})
    (planned,) = made.images
    assert all(action.ask for action in planned.actions if isinstance(action, SendBlob)), "a part may be there"
    assert made.most_requests == 1 + 4 * 3 + 2 + 1 + 1
    assert [(tag.before, tag.after) for tag in planned.tags] == [(digest("x1.i"), digest("x2.i"))]


def test_three_first_images_stay_within_the_issues_budget() -> None:
    made = plan([image(each, "arm64", "amd64") for each in "xyz"], options("v1"))
    blobs, manifests = 3 * 4, 3 * 3
    assert made.most_requests <= blobs * 2 + manifests * 2 + 3


def test_another_tag_of_an_index_that_is_there_costs_one_request() -> None:
    made = plan(
        [image("x", "arm64", "amd64")], options("v1", "latest"), {"x:v1": digest("x1.i"), "x:latest": "sha256:0"}
    )
    (planned,) = made.images
    assert kinds(planned.actions) == ["SetTag"]
    (action,) = planned.actions
    assert isinstance(action, SetTag)
    assert (action.place.tag, action.to.digest, action.before) == ("latest", digest("x1.i"), "sha256:0")


def test_a_blob_goes_once_and_is_mounted_after_that() -> None:
    images = [image(each, "arm64", shared=["base"]) for each in "xyz"]
    made = plan(images, options("v1"), {"z:v1": digest("old")})
    mounts = [
        (each.repository, name(action.blob.digest), action.ask, action.mount)
        for each in made.images
        for action in each.actions
        if isinstance(action, SendBlob) and name(action.blob.digest) == "base"
    ]
    assert mounts == [
        ("rancher/x", "base", False, None),
        ("rancher/y", "base", False, "rancher/x"),
        ("rancher/z", "base", False, "rancher/x"),
    ]


def test_a_blob_is_mounted_from_an_image_that_is_there_already() -> None:
    images = [image(each, "arm64", shared=["base"]) for each in "xy"]
    made = plan(images, options("v1"), {"y:v1": digest("y1.i")})
    assert [action.mount for action in made.images[0].actions if isinstance(action, SendBlob)] == [
        "rancher/y",
        None,
        None,
    ]
    assert made.images[1].is_done


def test_nothing_is_mounted_from_another_registry() -> None:
    targets = (REGISTRY, parse_target("other.example.org/rancher"))
    made = plan([image("x", "arm64")], options("v1", targets=targets))
    assert [kinds(each.actions) for each in made.images] == [
        ["SendBlob", "SendBlob", "SendManifest", "SendIndex", "SetTag"]
    ] * 2
    assert not any(action.mount for each in made.images for action in each.actions if isinstance(action, SendBlob))


def test_two_targets_that_are_one_repository_get_the_bytes_once() -> None:
    targets: tuple[Target, ...] = (parse_target("r.example.org/a"), parse_target("r.example.org/a/b"))
    long = image("b/c", "arm64")
    short = PublishImage(component="c", repository="c", tag="v2", index=long.index, children=long.children)
    made = plan([long, short], options(targets=targets))
    by_place = {(str(each.target), each.image.repository): sent(each.actions) for each in made.images}
    assert by_place["r.example.org/a", "b/c"] == ["b/c1.arm64.l", "b/c1.arm64.c"]
    assert by_place["r.example.org/a/b", "c"] == []


def test_blobs_that_two_platforms_share_are_sent_once() -> None:
    made = plan([image("x", "arm64", "amd64", shared=["data"])], options("v1"))
    assert sent(made.images[0].actions).count("data") == 1


def test_images_of_an_index_that_was_read_are_not_sent_again() -> None:
    now = LiveTag(digest=digest("old"), platforms={"linux/amd64": digest("x1.amd64.m"), "linux/arm64": digest("old")})
    made = plan([image("x", "arm64", "amd64", shared=["data"])], options("v1"), {"x:v1": now})
    (planned,) = made.images
    assert sent(planned.actions) == ["x1.arm64.l", "x1.arm64.c"], "data is there: it is part of the amd64 image"
    assert [name(each.manifest.digest) for each in planned.actions if isinstance(each, SendManifest)] == ["x1.arm64.m"]


def test_tags_of_single_platforms() -> None:
    made = plan(
        [image("x", "arm64", "arm/v7", "amd64")], options("v1", per_arch=True), {"x:v1_arm": digest("x1.arm/v7.m")}
    )
    (planned,) = made.images
    assert [(tag.place.tag, str(tag.platform), tag.action) for tag in planned.tags] == [
        ("v1_arm64", "linux/arm64", TagAction.NEW),
        ("v1_arm", "linux/arm/v7", TagAction.UNCHANGED),
        ("v1_amd64", "linux/amd64", TagAction.NEW),
        ("v1", "None", TagAction.NEW),
    ]
    last = [action for action in planned.actions if isinstance(action, SetTag)][-1]
    assert (last.place.tag, last.to.digest) == ("v1", digest("x1.i")), "the tag that most readers use moves last"
    assert "x1.arm/v7.l" not in sent(planned.actions)


def test_only_the_image_of_a_missing_platform_tag_is_looked_at() -> None:
    live = {"x:v1": digest("x1.i"), "x:v1_amd64": digest("x1.amd64.m"), "x:v1_arm64": digest("older")}
    made = plan([image("x", "arm64", "amd64")], options("v1", per_arch=True), live)
    (action,) = made.images[0].actions
    assert isinstance(action, SetTag)
    assert action.to.digest == digest("x1.arm64.m")


def test_attestations_go_with_the_index_and_have_no_tag() -> None:
    with_attestation = image("x", "arm64")
    children = (*with_attestation.children, child("att", None))
    made = plan(
        [PublishImage(component="c", repository="x", tag="v1", index=blob("i"), children=children)],
        options(per_arch=True),
    )
    assert [tag.place.tag for tag in made.images[0].tags] == ["v1_arm64", "v1"]
    assert "att.l" in sent(made.images[0].actions)


def test_merging_reads_first_and_then_keeps_what_we_did_not_build() -> None:
    ours = image("x", "arm64", "amd64")
    wish = options("v1", merge=True)
    first = plan([ours], wish, {"x:v1": digest("live")})
    assert [str(place) for place in first.to_read] == ["registry.example.org/rancher/x:v1"]
    assert first.images[0].tags[0].action is TagAction.MERGE
    live = LiveTag(digest=digest("live"), platforms={"linux/386": digest("386"), "linux/arm64": digest("older")})
    second = plan([ours], wish, {"x:v1": live})
    assert second.to_read == ()
    (planned,) = second.images
    assert kinds(planned.actions) == ["SendBlob"] * 4 + ["SendManifest"] * 2 + ["MergeTag"]
    assert planned.actions[-1] == MergeTag(place=planned.tags[0].place, before=digest("live"))
    assert planned.tags[0].after is None
    assert planned.tags[0].changes == (
        "linux/arm64 sha256:6f6c64657200 -> sha256:78312e61726d",
        "linux/amd64 is new",
        "linux/386 is kept",
    )


def test_merging_does_nothing_where_all_of_ours_is_there() -> None:
    live = LiveTag(digest=digest("live"), platforms={"linux/arm64": digest("x1.arm64.m"), "linux/386": digest("386")})
    made = plan([image("x", "arm64")], options("v1", merge=True), {"x:v1": live})
    assert made.is_done
    assert made.images[0].tags[0].reason == "it has all of this build, beside linux/386"
    assert made.images[0].tags[0].after == digest("live")


def test_there_is_nothing_to_merge_with_where_we_have_all_platforms() -> None:
    live = LiveTag(digest=digest("live"), platforms={"linux/arm64": digest("older")})
    made = plan([image("x", "arm64", "amd64")], options("v1", "new", merge=True), {"x:v1": live})
    assert tags(made) == [("v1", TagAction.MOVED), ("new", TagAction.NEW)]
    assert isinstance(made.images[0].actions[-3], SendIndex)


def test_a_platform_that_goes_is_told() -> None:
    live = LiveTag(digest=digest("live"), platforms={"linux/arm64": digest("x1.arm64.m"), "linux/386": digest("386")})
    made = plan([image("x", "arm64")], options("v1"), {"x:v1": live})
    assert made.images[0].tags[0].changes == ("linux/386 goes: this build does not have it, and --merge would keep it",)
    assert made.to_compare == ()
    unread = plan([image("x", "arm64")], options("v1"), {"x:v1": "sha256:1"})
    assert [str(place) for place in unread.to_compare] == ["registry.example.org/rancher/x:v1"]


def test_a_layout_is_asked_nothing_over_the_network() -> None:
    made = plan([image("x", "arm64")], options("v1", targets=(parse_target("oci:out"),)))
    assert kinds(made.images[0].actions) == ["SendBlob", "SendBlob", "SendManifest", "SendIndex", "SetTag"]
    assert made.most_requests == 0


def test_all_bad_tags_are_told_at_once() -> None:
    commit = {"org.opencontainers.image.revision": "0" * 40}
    images = [image("x", "arm64", annotations=commit), image("y", "arm64")]
    with pytest.raises(BadTags) as caught:
        questions(images, options("${{ commit }}", "${{ comit }}", "a b"))
    assert [problem.partition(":")[0] for problem in caught.value.problems] == [
        "rancher/x",
        "rancher/x",
        "rancher/y",
        "rancher/y",
        "rancher/y",
    ]
    assert "did you mean commit?" in caught.value.problems[0]


@pytest.mark.parametrize(
    ("images", "wish", "problem"),
    [
        (
            [image("x", "arm64"), image("x", "arm64", build="2")],
            options("v1"),
            "registry.example.org/rancher/x:v1 would name two images: rancher/x (index) and rancher/x (index)",
        ),
        (
            [image("x", "arm64")],
            options("v1", "v1_arm64", per_arch=True),
            "registry.example.org/rancher/x:v1_arm64 would name two images: "
            "rancher/x (linux/arm64) and rancher/x (index)",
        ),
        (
            [image("x", "arm64")],
            options("v" * 125, per_arch=True),
            f"rancher/x: '{'v' * 125}_arm64' for linux/arm64 is no tag: a tag has letters, digits and _ . -, "
            "starts with no . or -, and has at most 128 characters",
        ),
    ],
)
def test_tags_that_cannot_be(images: list[PublishImage], wish: PublishOptions, problem: str) -> None:
    with pytest.raises(BadTags) as caught:
        questions(images, wish)
    assert caught.value.problems == (problem,)


def _everything() -> PublishPlan:
    created = {"org.opencontainers.image.created": "2024-05-17T09:30:00Z"}
    images = [image(each, "arm64", "amd64", shared=["base"], annotations=created) for each in ("net", "agent", "old")]
    live: dict[str, LiveTag | str] = {
        "net:v1": LiveTag(
            digest=digest("live"),
            platforms={
                "linux/386": digest("386"),
                "linux/arm64": digest("older"),
                "linux/amd64": digest("net1.amd64.m"),
            },
        ),
        "agent:v1": "sha256:" + "ab" * 32,
        "old:v1": digest("old1.i"),
        "old:2024-05-17": digest("old1.i"),
    }
    targets = (REGISTRY, parse_target("oci:out"))
    return plan(images, options("${{ date }}", "v1", targets=targets, merge=True), live)


def test_a_plan_for_people() -> None:
    assert_snapshot("publish-plan.txt", "\n".join(plan_lines(_everything())) + "\n")


def test_a_plan_for_programs() -> None:
    assert_snapshot("publish-plan.json", json.dumps(plan_document(_everything()), indent=2) + "\n")
