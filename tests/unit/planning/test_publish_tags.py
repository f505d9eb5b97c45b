"""Targets, tag templates, tags for single platforms."""

from __future__ import annotations

import pytest

from rearch.errors import ExitCode
from rearch.model.platform import PLATFORMS, parse_platform
from rearch.model.reference import NO_LOGIN
from rearch.planning.publish_tags import arch_tag, expand_tags, tag_values
from rearch.planning.publish_targets import BadTarget, LayoutTarget, RegistryTarget, TagPlace, parse_target, place_name

COMMIT = "0123456789abcdef0123456789abcdef01234567"
ANNOTATIONS = {
    "org.opencontainers.image.version": "v0.3.8+ds1",
    "org.opencontainers.image.revision": COMMIT,
    "org.opencontainers.image.created": "2024-05-17T23:30:00Z",
}
VALUES = tag_values("v0.3.8", ANNOTATIONS, channel="nightly", time=None)


@pytest.mark.parametrize(
    ("text", "registry", "prefix", "repository"),
    [
        ("registry.example.org/prefix", "registry.example.org", "prefix", "prefix/a/b"),
        ("registry.example.org/deep/er/", "registry.example.org", "deep/er", "deep/er/a/b"),
        ("registry.example.org", "registry.example.org", "", "a/b"),
        ("localhost:5000", "localhost:5000", "", "a/b"),
        ("localhost", "localhost", "", "a/b"),
        ("localhost:5000/x", "localhost:5000", "x", "x/a/b"),
        ("[::1]:5000/x", "[::1]:5000", "x", "x/a/b"),
        ("icclab", "docker.io", "icclab", "icclab/a/b"),
        ("docker.io/library", "docker.io", "library", "library/a/b"),
        ("docker.io/icclab", "docker.io", "icclab", "icclab/a/b"),
        ("index.docker.io/icclab", "docker.io", "icclab", "icclab/a/b"),
    ],
)
def test_registries(text: str, registry: str, prefix: str, repository: str) -> None:
    target = parse_target(text)
    assert target == RegistryTarget(registry=registry, prefix=prefix)
    place = TagPlace(target=target, repository=target.repository("a/b"), tag="t")
    assert (place.repository, str(place)) == (repository, f"{registry}/{repository}:t")
    assert place.reference is not None
    assert str(place.reference) == str(place)


def test_layouts() -> None:
    target = parse_target("oci:some/where/")
    assert target == LayoutTarget(path="some/where/")
    assert place_name(target, target.repository("a/b")) == "oci:some/where/a/b"
    assert TagPlace(target=target, repository="a", tag="t").reference is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "it is empty"),
        ("/", "it is empty"),
        ("oci:", "a folder is wanted after oci:"),
        ("oci-archive:x.tar", "oci-archive: is no kind of target that rearch knows"),
        ("docker-daemon:x", "docker-daemon: is no kind of target that rearch knows"),
        ("https://registry.example.org/x", "no https:// is wanted"),
        ("http://localhost/a", "no http:// is wanted"),
        ("http://localhost:5000/a", "no http:// is wanted"),
        ("registry.example.org/x:tag", "it has a tag or a digest"),
        ("registry.example.org/x@sha256:00", "it has a tag or a digest"),
        ("registry.example.org/Prefix", "the name of a repository has lower-case letters alone"),
        ("registry.example.org//x", "a part of the name is missing here"),
        ("registry.example.org:99999/x", "a port is a number from 1 to 65535"),
        ("prefix:tag", "the name of a registry is host or host:port"),
        ("a b", "blanks and control characters cannot be part of it"),
        ("docker.io", "an account is wanted, as in docker.io/ACCOUNT"),
    ],
)
def test_bad_targets(text: str, why: str) -> None:
    with pytest.raises(BadTarget) as caught:
        parse_target(text)
    assert caught.value.why == why
    assert caught.value.exit_code is ExitCode.USAGE


@pytest.mark.parametrize(
    "text",
    [
        "u5er:hunter2@localhost:1/a",
        "https://u5er:hunter2@localhost/a",
        "docker://u5er:hunter2@h/a",
        "registry:hunter2@h",
    ],
)
def test_a_login_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(BadTarget) as caught:
        parse_target(text)
    error = caught.value
    assert (error.why, error.exit_code) == (NO_LOGIN, ExitCode.USAGE)
    assert "***@" in error.summary
    assert "hunter2" not in f"{error.render()}{vars(error)}{error.args}"


def test_the_place_of_a_fault_is_shown() -> None:
    with pytest.raises(BadTarget) as caught:
        parse_target("registry.example.org/Prefix")
    assert caught.value.details == ("registry.example.org/Prefix", "                     ^")


@pytest.mark.parametrize(
    ("template", "tag"),
    [
        ("${{ tag }}", "v0.3.8"),
        ("${{version}}", "v0.3.8_ds1"),
        ("${{ channel }}-${{ date }}", "nightly-2024-05-17"),
        ("${{ timestamp }}.${{ short_commit }}", "1715988600.0123456"),
        ("${{ commit }}", COMMIT),
        ("latest", "latest"),
    ],
)
def test_templates(template: str, tag: str) -> None:
    assert expand_tags([template], VALUES, image="rancher/x") == ((tag,), [])


def test_without_templates_it_is_the_images_own_tag_and_each_tag_stands_once() -> None:
    assert expand_tags([], VALUES, image="x") == (("v0.3.8",), [])
    assert expand_tags(["a", "${{ tag }}", "a", "v0.3.8"], VALUES, image="x") == (("a", "v0.3.8"), [])


def test_the_time_can_be_told() -> None:
    told = tag_values("t", ANNOTATIONS, channel="", time=0)
    assert (told["date"], told["timestamp"]) == ("1970-01-01", "0")


def test_the_time_of_a_source_in_another_zone_is_utc() -> None:
    there = {"org.opencontainers.image.created": "2024-05-18T01:30:00+02:00"}
    assert tag_values("t", there, channel="", time=None)["date"] == "2024-05-17"


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("${{ vresion }}", "'vresion' is not known; did you mean version?"),
        ("${{ secrets }}", "'secrets' is not known"),
        ("${{ }}", "'' is not known"),
        ("${{ commit }}", "commit is not known for this image: only a git source has a commit"),
        ("${{ short_commit }}", "short_commit is not known for this image: only a git source has a commit"),
        ("${{ channel }}", "channel is not known for this image: say --channel"),
        ("${{ version }}", "version is not known for this image: the component has no version"),
        ("${{ tag", "`${{` is not closed with `}}`"),
    ],
)
def test_bad_templates(template: str, why: str) -> None:
    values = tag_values("t", {"org.opencontainers.image.revision": "1:2.3-4"}, channel="", time=None)
    _, problems = expand_tags([template], values, image="rancher/x")
    assert problems == [f"rancher/x: --tag {template!r}: {why}"]


@pytest.mark.parametrize("tag", ["", "-x", ".x", "a/b", "a:b", "a b", "x" * 129, "é", "a\n"])
def test_what_is_no_tag(tag: str) -> None:
    _, problems = expand_tags([tag], VALUES, image="x")
    assert len(problems) == 1
    assert "is no tag: a tag has letters, digits and _ . -" in problems[0]


def test_the_time_is_missing() -> None:
    values = tag_values("t", {"org.opencontainers.image.created": "yesterday"}, channel="", time=None)
    _, problems = expand_tags(["${{ date }}"], values, image="x")
    assert "set SOURCE_DATE_EPOCH for the build" in problems[0]


@pytest.mark.parametrize(
    ("platform", "tag"),
    [
        ("arm64", "v1_arm64"),
        ("arm/v7", "v1_arm"),
        ("arm/v6", "v1_arm_v6"),
        ("amd64", "v1_amd64"),
        ("386", "v1_386"),
    ],
)
def test_tags_of_single_platforms(platform: str, tag: str) -> None:
    assert arch_tag("v1", parse_platform(platform)) == tag


def test_every_platform_has_a_tag_of_its_own() -> None:
    assert len({arch_tag("v1", platform) for platform in PLATFORMS} | {"v1"}) == len(PLATFORMS) + 1
