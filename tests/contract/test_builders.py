"""One suite for all image builders (steps.ports.ImageBuilder), against a real Docker engine and a real buildah.

A Dockerfile without RUN gives the same file tree and the same config, whoever builds it: path, kind, mode, owner, link
target, content; how the container is started. Where the engines themselves disagree is listed in DIFFERENCES
(tests/support/builder_cases.py), each with its reason and with the value that it has there: a difference that goes
away fails the suite, too.
"""

from __future__ import annotations

import hashlib
import os
import re
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from rearch.errors import UsageError, VerificationError
from rearch.host.building.emulation import NoEmulation
from rearch.host.building.failure import BuildFailed
from rearch.host.docker.endpoint import find_endpoint
from rearch.host.docker.engine import connected
from rearch.host.process import Processes
from rearch.model.platform import host_platform
from rearch.oci.dockerfile.errors import BadDockerfile
from rearch.oci.layout import blob_path, read_image
from rearch.oci.types import Compression, Types
from tests.support.builder_cases import (
    AMD64,
    ARM64,
    CASES,
    S390X,
    Case,
    arranged,
    expected,
    fill,
    make_base,
    make_setting,
    text,
)
from tests.support.builders import BUILDERS, EPOCH, Built, Setting
from tests.support.engine import emulation, engine_environment, no_emulation
from tests.support.layouts import File, make_image
from tests.support.tiny_programs import failing, writer

ENGINES = ("docker", "buildah")


@pytest.fixture
def setting(tmp_path: Path) -> Setting:
    return make_setting(tmp_path)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_same_dockerfile_gives_the_same_image(setting: Setting, case: Case) -> None:
    where = arranged(setting, case)
    standard = where.build("embedded", text(case.dockerfile))
    whole: dict[str, object] = {**standard.tree(), **standard.config()}
    for builder in ENGINES:
        built = where.build(builder, text(case.dockerfile))
        assert {**built.tree(), **built.config()} == expected(case, builder, whole), builder
        assert_whole(built, where)
    assert_whole(standard, where)


def assert_whole(built: Built, where: Setting) -> None:
    """What is true of every result: the base's blobs as they are, dates, history, blobs that are there."""
    image = built.image
    if where.stages and image.base_layers:
        base = read_image(where.stages["base"])
        assert [layer.digest for layer in image.layers[: image.base_layers]] == [
            layer.digest for layer in base.manifest.layers
        ]
        for layer in base.manifest.layers:
            mine, theirs = (blob_path(layout, layer.digest) for layout in (built.layout, where.stages["base"]))
            assert mine.samefile(theirs)
    assert built.times() <= {EPOCH}
    assert image.config.created == "2020-09-13T12:26:40Z"
    history = image.config.history or ()
    assert len([line for line in history if not line.empty_layer]) == len(image.layers)
    assert not [line for line in history if "rearch-stage" in (line.created_by or "")]
    assert len(image.config.rootfs.diff_ids) == len(image.layers)
    for layer in image.layers:
        assert blob_path(built.layout, layer.digest).stat().st_size == layer.size


@pytest.mark.parametrize("builder", BUILDERS)
def test_building_again_gives_the_same_bytes(setting: Setting, builder: str) -> None:
    """Also from a context that was put together at another time."""
    dockerfile = "FROM base\nCOPY folder /folder\nWORKDIR /new\n"
    first = setting.build(builder, dockerfile)
    for folder, _, names in os.walk(setting.context):
        for name in (".", *names):
            os.utime(Path(folder) / name, (1, 1_000_000), follow_symlinks=False)
    again = setting.build(builder, dockerfile)
    assert (again.image.config, again.image.layers) == (first.image.config, first.image.layers)


@pytest.mark.parametrize("builder", BUILDERS)
@pytest.mark.parametrize(
    ("types", "compression", "media_type"),
    [
        ("oci", "zstd", "application/vnd.oci.image.layer.v1.tar+zstd"),
        ("docker", "gzip", "application/vnd.docker.image.rootfs.diff.tar.gzip"),
    ],
)
def test_layers_are_compressed_as_ordered(
    setting: Setting, builder: str, types: Types, compression: Compression, media_type: str
) -> None:
    where = replace(setting, media_types=types, compression=compression)
    built = where.build(builder, "FROM base\nCOPY one /one\n")
    assert [layer.media_type for layer in built.image.layers[built.image.base_layers :]] == [media_type]
    assert built.tree()["one"].startswith("file 0644 0:0")


@pytest.mark.parametrize("builder", BUILDERS)
def test_a_base_of_another_platform_is_refused_before_anything_starts(setting: Setting, builder: str) -> None:
    make_base(setting.folder / "foreign", AMD64)
    where = replace(setting, stages={"base": setting.folder / "foreign"})
    with pytest.raises(VerificationError, match=r"linux/amd64.*linux/arm64"):
        where.build(builder, "FROM base\nCOPY one /one\n")
    assert not list((where.folder / builder).rglob("Dockerfile"))


@pytest.mark.parametrize("builder", BUILDERS)
@pytest.mark.parametrize(
    ("dockerfile", "message"),
    [
        ("FROM base\nCOPPY one /one\n", "test.Dockerfile.j2:2: unknown instruction COPPY"),
        ("FROM base\nCOPY $NOTHING /one\n", "test.Dockerfile.j2:2: .*NOTHING"),
        ("FROM debian:bookworm\n", "test.Dockerfile.j2:1: .*debian:bookworm"),
        ("FROM base\nCOPY --from=bass /a /b\n", "test.Dockerfile.j2:2: .*bass.*base"),
        ("FROM base\nCOPY --chmod=0999 one /one\n", "test.Dockerfile.j2:2: .*0999"),
    ],
)
def test_a_bad_dockerfile_is_refused_by_all_in_the_same_words(
    setting: Setting, builder: str, dockerfile: str, message: str
) -> None:
    with pytest.raises(BadDockerfile, match=message) as caught:
        setting.build(builder, dockerfile)
    assert caught.value.exit_code == 2


MISSING = (
    ("FROM base\nCOPY one /one\nCOPY ones /two\n", "test.Dockerfile.j2:3: ones is not in the context; is 'one' meant?"),
    ("FROM base\nADD folder/aa /a\n", "test.Dockerfile.j2:2: folder/aa is not in the context; is 'folder/a' meant?"),
    ("FROM base\nARG N=deep/c\nCOPY folder/$N /c\n", "test.Dockerfile.j2:3: folder/deep/c is not in the context"),
    ("FROM base\nCOPY *.nothing /a/\n", "test.Dockerfile.j2:2: nothing in the context matches *.nothing"),
    ("FROM base\nCOPY left.out /a\n", "test.Dockerfile.j2:2: left.out is left out of the context by .dockerignore"),
    (
        "FROM base AS a\nCOPY nil /a\nFROM base\nCOPY --from=a /a /a\n",
        "test.Dockerfile.j2:2: nil is not in the context",
    ),
)


@pytest.mark.parametrize("builder", BUILDERS)
@pytest.mark.parametrize(("dockerfile", "message"), MISSING)
def test_a_missing_file_is_told_before_anything_starts(
    setting: Setting, builder: str, dockerfile: str, message: str
) -> None:
    fill(setting.context, {".dockerignore": "left.*\n", "left.out": "x"})
    with pytest.raises(BadDockerfile, match=re.escape(message)) as caught:
        setting.build(builder, dockerfile)
    assert caught.value.exit_code == 2
    assert not list((setting.folder / builder).rglob("Dockerfile"))


@pytest.mark.parametrize("builder", ENGINES)
def test_a_source_that_the_engine_alone_can_spell_out_is_left_to_it(setting: Setting, builder: str) -> None:
    """BUILDARCH is the engine's machine: the file for it is there, the one for the image's platform is not."""
    native = host_platform(os.uname().machine).arch.goarch
    fill(setting.context, {f"tool-{native}": "native\n"})
    where = replace(setting, platform=S390X, stages={})
    tree = where.build(builder, "FROM scratch\nARG BUILDARCH\nCOPY tool-$BUILDARCH /tool\n").tree()
    assert list(tree) == ["tool"]


ONBUILD = r"""
FROM base AS first
ONBUILD ENV ADDED=by-trigger
ONBUILD COPY one /triggered
FROM first
ENV MORE=$ADDED-more
ONBUILD ENV NEXT=$MORE  LAST="two words"
ONBUILD RUN  make   "it"
"""


def test_triggers_are_carried_out_and_kept_alike(setting: Setting) -> None:
    docker, buildah = (setting.build(builder, text(ONBUILD)) for builder in ENGINES)
    assert {**buildah.tree(), **buildah.config()} == {**docker.tree(), **docker.config()}
    assert docker.config()["OnBuild"] == ['ENV NEXT=$MORE  LAST="two words"', 'RUN  make   "it"']
    assert "triggered" in docker.tree()
    again = replace(setting, stages={"base": setting.folder / "on"})
    make_image(again.stages["base"], ARM64, [[]], env=("A=1",), on_build=("ENV T=t", "COPY ons /two"))
    for builder in ENGINES:
        with pytest.raises(BadDockerfile, match=r"test\.Dockerfile\.j2:1: ons is not in the context; is 'one' meant"):
            again.build(builder, "FROM base\nENV U=$T\n")


@pytest.fixture
def running(setting: Setting) -> Setting:
    """A base that holds programs: /writer makes the file /made, /failing exits with 3."""
    programs = [File("writer", writer(ARM64, "/made", b"made by RUN\n")), File("failing", failing(ARM64, 3))]
    make_base(setting.folder / "programs", ARM64, *programs)
    return replace(setting, stages={"base": setting.folder / "programs"})


# What engines mount over while RUN goes on; where the base lacks it, it stays behind, empty.
MOUNT_POINTS = {"dev", "proc", "sys", "run", "etc/hostname", "etc/hosts", "etc/resolv.conf"}
NOTHING = hashlib.sha256().hexdigest()[:12]


@pytest.mark.parametrize("builder", ENGINES)
def test_run_is_emulated(running: Setting, builder: str) -> None:
    with emulation(ARM64):
        built = running.build(builder, 'FROM base\nCOPY one /one\nRUN ["/writer"]\nENV LAST=1\n')
    tree = built.tree()
    assert tree["made"].startswith("file 0644 0:0")
    more = set(tree) - set(running.build("embedded", "FROM base\nCOPY one /one\n").tree()) - {"made"}
    assert more <= MOUNT_POINTS
    assert {tree[path].partition(" ")[2] for path in more} <= {"0755 0:0", f"0755 0:0 {NOTHING}"}
    assert max(built.times()) <= EPOCH


@pytest.mark.parametrize("builder", ENGINES)
def test_without_emulation_it_is_said_how_to_register_it(running: Setting, builder: str) -> None:
    with no_emulation(ARM64), pytest.raises(NoEmulation, match=r"test\.Dockerfile\.j2:3: RUN") as caught:
        running.build(builder, 'FROM base\nCOPY one /one\nRUN ["/writer"]\n')
    assert "apt-get install qemu-user-static" in caught.value.render()
    assert not list((running.folder / builder).rglob("Dockerfile"))


@pytest.mark.parametrize("builder", ENGINES)
def test_a_run_that_fails_is_told_with_its_line(running: Setting, builder: str) -> None:
    with emulation(ARM64), pytest.raises(BuildFailed) as caught:
        running.build(builder, 'FROM base\nCOPY one /one\n\n# why\nRUN ["/writer"]\nRUN ["/failing"]\n')
    assert (caught.value.line, caught.value.instruction) == (6, 'RUN ["/failing"]')
    assert any("3" in line and "exit" in line for line in caught.value.details)
    assert caught.value.exit_code == 1


def test_embedded_refuses_run_and_says_who_can(running: Setting) -> None:
    with pytest.raises(UsageError, match=r"test\.Dockerfile\.j2:2") as caught:
        running.build("embedded", 'FROM base\nRUN ["/writer"]\n')
    assert "docker" in caught.value.render()
    assert "buildah" in caught.value.render()


@pytest.mark.parametrize("dockerfile", ["FROM base\nCOPY one /one\n", "FROM base\nCOPY folder /etc/passwd\n"])
def test_nothing_stays_in_the_engine(setting: Setting, dockerfile: str) -> None:
    with suppress(BuildFailed):
        setting.build("docker", dockerfile)
    sent = (setting.folder / "docker/work-1/scratch/Dockerfile").read_text()
    tag = sent.split()[1]
    assert tag.startswith("rearch-stage:")
    with connected(find_endpoint("", engine_environment()), Processes(), engine_environment()) as engine:
        assert [name for name in (tag, tag.removesuffix("-0")) if engine.has(name)] == []
