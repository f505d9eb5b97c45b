"""manifest-tool's spec files and arguments: what is read, what is refused, and in which words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from rearch.config.manifest_spec import BadManifestArguments, BadManifestSpec, from_args, read_manifest_spec
from rearch.config.schema import render_schemas
from rearch.errors import ExitCode
from rearch.model.publish import ManifestSpec
from tests.support.yaml_projects import said

TALK = """\
image: icclab/ubuntu-multi-arch:16.04
manifests:
  - image: ubuntu:16.04
    platform: {architecture: amd64, os: linux}
  - image: aarch64/ubuntu:16.04
    platform: {architecture: arm64, os: linux}
"""
ONE = "image: a/b:1\nmanifests: [{image: a/c:1}]\n"


def read(folder: Path, text: str) -> ManifestSpec:
    (folder / "spec.yml").write_text(text)
    return read_manifest_spec(folder / "spec.yml")


def wrong(folder: Path, text: str) -> list[str]:
    with pytest.raises(BadManifestSpec) as caught:
        read(folder, text)
    assert caught.value.exit_code is ExitCode.USAGE
    return [line.removeprefix(f"{folder}/") for line in said(caught.value.problems)]


def test_the_example_of_the_talk(tmp_path: Path) -> None:
    spec = read(tmp_path, TALK)
    assert [str(name) for name in spec.names] == ["docker.io/icclab/ubuntu-multi-arch:16.04"]
    assert [str(one.reference) for one in spec.manifests] == [
        "docker.io/library/ubuntu:16.04",
        "docker.io/aarch64/ubuntu:16.04",
    ]
    assert [str(one.wanted) for one in spec.manifests] == ["linux/amd64", "linux/arm64"]


def test_numbers_are_text(tmp_path: Path) -> None:
    spec = read(
        tmp_path,
        """\
---
image: localhost:5000/some/image
tags: [3.6, 3, 1.10, 3.6]
annotations: {org.example.build: 0x1F, org.example.on: yes}
manifests:
  - image: localhost:5000/some/image:386
    platform: {architecture: 386, os: linux}
  - image: localhost:5000/windows:1
    platform: {architecture: amd64, os: windows, osversion: 10.0.17763, osfeatures: [win32k]}
""",
    )
    assert [name.tag for name in spec.names] == ["latest", "3.6", "3", "1.10"]
    assert {name.place for name in spec.names} == {"localhost:5000/some/image"}
    assert spec.annotations == {"org.example.build": "0x1F", "org.example.on": "yes"}
    first, second = (one.wanted for one in spec.manifests)
    assert first is not None
    assert second is not None
    assert first.architecture == "386"
    assert (second.osversion, second.osfeatures) == ("10.0.17763", ("win32k",))


@pytest.mark.parametrize(
    "platform", ["", "    platform: {}\n", "    platform: {os: '', architecture: '', variant: ''}\n"]
)
def test_an_empty_platform_is_left_to_the_image(tmp_path: Path, platform: str) -> None:
    (manifest,) = read(tmp_path, f"image: a/b:1\nmanifests:\n  - image: a/c:1\n{platform}").manifests
    assert manifest.wanted is None


def test_annotations_have_three_levels(tmp_path: Path) -> None:
    spec = read(
        tmp_path,
        "image: a/b:1\nannotations: {level: index}\n"
        "manifests: [{image: a/c:1, annotations: {level: descriptor}, manifest_annotations: {level: manifest}}]\n",
    )
    (manifest,) = spec.manifests
    assert [dict(found) for found in (spec.annotations, manifest.annotations, manifest.manifest_annotations)] == [
        {"level": "index"},
        {"level": "descriptor"},
        {"level": "manifest"},
    ]


def test_sources_of_other_registries_are_taken(tmp_path: Path) -> None:
    digest = "sha256:" + "ab" * 32
    text = f"image: localhost:5000/x:1\nmanifests: [{{image: 'other.example.org/deep/er/x@{digest}'}}]\n"
    (manifest,) = read(tmp_path, text).manifests
    assert (manifest.reference.registry, manifest.reference.digest) == ("other.example.org", digest)


def test_everything_wrong_is_told_at_once(tmp_path: Path) -> None:
    text = """\
image: a/b:1
tags: [ok, -no]
anotations: {a: b}
manifests:
  - image: a/C
    platform: {architecture: aarch64, os: linx}
  - image: a/d
    platform: {architecture: arm64, os: linux, variant: v7, os.version: 3}
  - image: a/e
    platform: {architecture: armv7l, os: linux}
"""
    assert wrong(tmp_path, text) == [
        "spec.yml:2:12: tags[1]: -no: a tag has letters, digits and _ . -, starts with no . or -, "
        "and has at most 128 characters",
        "spec.yml:3:1: unknown key anotations; did you mean annotations?",
        "spec.yml:5:12: manifests[0].image: a/C: not a reference to an image: at character 3, "
        "the name of a repository has lower-case letters alone",
        "spec.yml:6:30: manifests[0].platform.architecture: aarch64: not what OCI calls it; write arm64",
        "spec.yml:6:43: manifests[0].platform.os: linx: no operating system that Go builds for; did you mean linux?",
        "spec.yml:8:57: manifests[1].platform.variant: arm64 has no variant v7: it is v8",
        'spec.yml:8:61: unknown key manifests[1].platform."os.version"; did you mean osversion?',
        "spec.yml:10:30: manifests[2].platform.architecture: armv7l: not what OCI calls it; "
        "write arm with `variant: v7`",
    ]


@pytest.mark.parametrize(
    ("architecture", "variant", "good"),
    [
        ("arm", "v5", True),
        ("arm", "v6", True),
        ("arm", "v7", True),
        ("arm", "v8", False),
        ("arm", "7", False),
        ("arm64", "v8", True),
        ("arm64", "v9", False),
        ("amd64", "v1", False),
        ("amd64", "v2", False),
        ("loong64", "", True),
        ("mips64le", "", True),
        ("sparc", "", False),
    ],
)
def test_variants_are_those_of_manifest_tool(tmp_path: Path, architecture: str, variant: str, good: bool) -> None:
    platform = f"{{os: linux, architecture: {architecture}, variant: '{variant}'}}"
    text = f"image: a/b:1\nmanifests: [{{image: a/c, platform: {platform}}}]\n"
    if good:
        assert read(tmp_path, text).manifests[0].wanted is not None
    else:
        assert len(wrong(tmp_path, text)) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("architecture: arm64", "architecture: arm64, variant: v8"),
        ("architecture: arm", "architecture: arm, variant: v7"),
        ("architecture: amd64", "architecture: amd64"),
    ],
)
def test_a_platform_stands_once(tmp_path: Path, one: str, other: str) -> None:
    text = "image: a/b:1\nmanifests:\n" + "".join(
        f"  - {{image: a/c, platform: {{os: linux, {each}}}}}\n" for each in (one, other)
    )
    (problem,) = wrong(tmp_path, text)
    assert problem.startswith("spec.yml:4:")
    assert "is there already, in manifests[0]: an index has one image for a platform" in problem


def test_windows_of_two_versions_are_two_platforms(tmp_path: Path) -> None:
    one, other = ("{image: a/c, platform: {os: windows, architecture: amd64, osversion: %s}}" % n for n in ("1.0", "1"))  # noqa: UP031
    assert len(read(tmp_path, f"image: a/b:1\nmanifests: [{one}, {other}]\n").manifests) == 2


@pytest.mark.parametrize(
    ("text", "part"),
    [
        (ONE + "---\n" + ONE, "a second document begins here"),
        ("image: a/b\nimage: a/c\nmanifests: [{image: a/d}]\n", "stands here twice"),
        ("", "the file is empty"),
        ("- a\n", "keys with values are wanted"),
        ("image: a/b:1\nmanifests: []\n", "at least 1 wanted, 0 given"),
        ("image: a/b:1\n", "manifests is missing"),
        ("image: a/b@sha256:" + "0" * 64 + "\nmanifests: [{image: a/d}]\n", "a digest cannot be written to"),
        ("image: https://a/b\nmanifests: [{image: a/d}]\n", "no https:// is wanted"),
        ("image: a/b\nmanifests: {image: a/d}\n", "a list is wanted, not a mapping"),
        ("image: a/b\ntags: 3.6\nmanifests: [{image: a/d}]\n", "a list is wanted, not the text 3.6; write [3.6]"),
        ("image: !!str a/b\nmanifests: [{image: a/d}]\n", "tags are not read"),
        (
            "image: a/b\nmanifests: [{image: a/d, platform: {variant: v9}}]\n",
            "an architecture has no variant v9: it is v5 or v6 or v7 or v8",
        ),
        ("image: [\n", "not YAML"),
        ("image: a/b\nmanifests: [{platform: {os: linux}}]\n", "manifests[0].image is missing"),
    ],
)
def test_bad_files(tmp_path: Path, text: str, part: str) -> None:
    assert part in "\n".join(wrong(tmp_path, text))


def test_unreadable_files(tmp_path: Path) -> None:
    for name, part in (("none.yml", "No such file"), (".", "no plain file"), ("a\0b", "no file can have that name")):
        with pytest.raises(BadManifestSpec, match="configuration") as caught:
            read_manifest_spec(tmp_path / name)
        assert part in caught.value.details[0]
        assert caught.value.hint is None


def test_a_spec_may_be_a_link_to_another_folder(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "far/real.yml").write_text(ONE)
    (tmp_path / "link.yml").symlink_to("far/real.yml")
    assert read_manifest_spec(tmp_path / "link.yml").image == "a/b:1"
    (tmp_path / "far/real.yml").write_text(ONE + "colour: red\n")
    with pytest.raises(BadManifestSpec) as caught:
        read_manifest_spec(tmp_path / "link.yml")
    assert caught.value.problems[0].place == f"{tmp_path}/link.yml:3:1", "the name is the one that was given"


@pytest.mark.parametrize(
    ("text", "good"),
    [
        (TALK, True),
        ("image: a/b\ntags: [3.6, 3]\nmanifests: [{image: x, platform: {architecture: 386}}]", True),
        ("image: a/b\nmanifests: []", False),
        ("image: a/b\nmanifests: [{image: x, plat: {}}]", False),
    ],
)
def test_the_schema_for_editors(text: str, good: bool) -> None:
    schema: Any = json.loads(render_schemas()["manifest-spec.json"])
    assert Draft202012Validator(schema).is_valid(yaml.safe_load(text)) is good


def test_arguments() -> None:
    spec = from_args("linux/amd64,linux/arm/v7", "foo/bar-ARCHVARIANT:v1", "foo/bar:v1", ["1", "1.0,latest"])
    assert [one.image for one in spec.manifests] == ["foo/bar-amd64:v1", "foo/bar-armv7:v1"]
    assert [str(one.wanted) for one in spec.manifests] == ["linux/amd64", "linux/arm/v7"]
    assert [name.tag for name in spec.names] == ["v1", "1", "1.0", "latest"]


@pytest.mark.parametrize(
    ("template", "image"),
    [
        ("r/OS/x-ARCH-VARIANT:1", "r/linux/x-arm-v7:1"),
        ("r/x:ARCH-ARCH", "r/x:arm-ARCH"),
        ("r/x:OS-ARCH-OS", "r/x:linux-arm-OS"),
        ("VARIANT/ARCH:OS", "v7/arm:linux"),
    ],
)
def test_each_word_is_replaced_once(template: str, image: str) -> None:
    (manifest,) = from_args(["linux/arm/v7"], template, "r/x:1").manifests
    assert manifest.image == image


def test_an_empty_variant_leaves_nothing() -> None:
    (manifest,) = from_args(["linux/amd64"], "r/x:1-ARCH-VARIANT", "r/x:1").manifests
    assert manifest.image == "r/x:1-amd64-"


@pytest.mark.parametrize(
    ("arguments", "problems"),
    [
        (
            ("linux/amd64,linux/arm64", "r/x:1", "r/y:1"),
            ["--template gives r/x:1 for linux/amd64 and for linux/arm64: put ARCH into it"],
        ),
        (
            ("linux/arm/v6,linux/arm/v7", "r/x:ARCH", "r/y:1"),
            ["--template gives r/x:arm for linux/arm/v6 and for linux/arm/v7: put VARIANT into it"],
        ),
        (
            ("linux/amd64,windows/amd64", "r/x:ARCH", "r/y:1"),
            ["--template gives r/x:amd64 for linux/amd64 and for windows/amd64: put OS into it"],
        ),
        (
            ("amd64,linux/aarch64,linux/arm64/v9,linux//v7", "r/x-ARCH", "r/y:1"),
            [
                "--platforms: 'amd64' is not os/arch or os/arch/variant",
                "--platforms: linux/aarch64: aarch64: not what OCI calls it; write arm64",
                "--platforms: linux/arm64/v9: arm64 has no variant v9: it is v8",
                "--platforms: 'linux//v7' is not os/arch or os/arch/variant",
            ],
        ),
        (
            ("linux/arm64,linux/arm64/v8", "r/x-ARCH", "r/y:1"),
            ["--platforms: linux/arm64/v8 stands there twice, first as linux/arm64"],
        ),
        (
            ("linux/amd64", "r/x-ARCH-VARIANT:1", "r/y:1"),
            [
                "--template: 'r/x-amd64-:1' for linux/amd64 is no reference: at character 10, a part has lower-case "
                "letters and digits, with . _ __ or - between them; VARIANT is empty for linux/amd64: "
                "write ARCHVARIANT, or name the images in a spec file"
            ],
        ),
        (
            ("linux/amd64", "r/ARCH/ARCH", "r/y:1"),
            [
                "--template: 'r/amd64/ARCH' for linux/amd64 is no reference: at character 9, "
                "the name of a repository has lower-case letters alone; ARCH is replaced once alone"
            ],
        ),
        (
            ("", "r/x", "r/Y:1", ["-"]),
            [
                "--platforms is empty",
                "--target: 'r/Y:1' is no reference: at character 3, "
                "the name of a repository has lower-case letters alone",
                "--tags: '-' is no tag: a tag has letters, digits and _ . -, starts with no . or -, "
                "and has at most 128 characters",
            ],
        ),
        (
            ("linux/amd64", "r/x", "r/y@sha256:" + "0" * 64),
            ["--target: a digest cannot be written to: name a tag"],
        ),
    ],
)
def test_bad_arguments(arguments: Any, problems: list[str]) -> None:
    with pytest.raises(BadManifestArguments) as caught:
        from_args(*arguments)
    assert list(caught.value.problems) == problems
    assert caught.value.exit_code is ExitCode.USAGE


@pytest.mark.parametrize(
    "text",
    [
        "image: u5er:hunter2@example.org/a\nmanifests: [{image: a/d}]\n",
        "image: 'https://u5er:my hunter2@example.org/a'\nmanifests: [{image: a/d}]\n",
        "image: a/b\nmanifests:\n  - image: u5er:hunter2@x@example.org/a:1\n",
        "image: a/b\nmanifests: [{image: u5er:hunter2@example.org/a, platform: {os: linux}}]\n",
        f"image: u5er:hunter2{'x' * 200}@example.org/a\nmanifests: [{{image: a/d}}]\n",
        "image: >-\n  u5er:hunter2@example.org/a\nmanifests: [{image: a/d}]\n",
    ],
)
def test_a_login_in_a_spec_is_not_shown(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadManifestSpec) as caught:
        read(tmp_path, text)
    told = f"{caught.value.render()}{caught.value.problems}{vars(caught.value)}"
    assert "a reference has no login; logins belong in `docker login`" in told
    assert "u5er" not in told
    assert "hunter2" not in told


def test_logins_in_arguments_are_not_shown() -> None:
    with pytest.raises(BadManifestArguments) as caught:
        from_args("linux/amd64,linux/arm64", "u5er:hunter2@example.org/a:1", "https://u5er:hunter2@example.org/a")
    told = f"{caught.value.render()}{vars(caught.value)}"
    assert "--target: 'https://***@example.org/a' is no reference: at character 9, a reference has no login" in told
    assert "--template: '***@example.org/a:1' for linux/amd64 is no reference" in told
    assert "u5er" not in told
    assert "hunter2" not in told
