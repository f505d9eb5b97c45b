"""Which images of output/ may be published, and which may not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rearch.errors import ExitCode, RearchError
from rearch.oci.layout_errors import WrongBlob
from rearch.publishing.build_json import image_rows
from rearch.publishing.built import Built, read_built
from rearch.publishing.errors import ChangedAfterAudit, DamagedBuildFile, NotAudited, NothingToPublish, NotStarted
from tests.support.built_output import BOTH, add_built, make_project


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return make_project(tmp_path)


def read(project: Path, **more: Any) -> tuple[Built, ...]:
    return read_built(project / "output", **({"stacks": None, "only": (), "require_smoke": False} | more))


def test_an_image_is_read_with_all_that_it_has(project: Path) -> None:
    digest = add_built(project, "agent", repository="rancher/agent")
    [built] = read(project)
    assert (built.image.component, built.image.repository, built.image.tag) == ("demo/agent", "rancher/agent", "v1.0.0")
    assert built.image.index.digest == digest
    assert tuple(built.platforms) == BOTH
    assert {digest, *built.platforms.values()} == set(built.documents)
    assert all(len(child.blobs) == 3 for child in built.image.children)


@pytest.mark.parametrize(
    ("stacks", "only", "names"),
    [
        (None, (), ["demo/a", "demo/b", "other/c"]),
        (("demo",), (), ["demo/a", "demo/b"]),
        (None, ("b", "other/c"), ["demo/b", "other/c"]),
        (("demo",), ("a",), ["demo/a"]),
    ],
)
def test_images_are_chosen_by_stack_and_name(
    project: Path, stacks: tuple[str, ...] | None, only: tuple[str, ...], names: list[str]
) -> None:
    for name, stack in (("a", "demo"), ("b", "demo"), ("c", "other")):
        add_built(project, name, ("linux/arm64",), stack=stack)
    assert [built.image.component for built in read(project, stacks=stacks, only=only)] == names


@pytest.mark.parametrize("wanted", [{"only": ("agnt",)}, {"stacks": ("dmo",)}])
def test_what_was_not_built_is_told_with_the_nearest_name(project: Path, wanted: dict[str, Any]) -> None:
    add_built(project, "agent")
    with pytest.raises(NothingToPublish, match="there is no image of") as caught:
        read(project, **wanted)
    assert caught.value.hint in ("did you mean agent?", "did you mean demo?")


@pytest.mark.parametrize("text", [None, "{}", '{"images": []}', '{"images": [{"path": "x"}]}'])
def test_without_a_build_there_is_nothing(project: Path, text: str | None) -> None:
    (project / "output").mkdir()
    if text is not None:
        (project / "output" / "build.json").write_text(text)
    assert image_rows(project / "output" / "build.json") == ()
    with pytest.raises(NothingToPublish):
        read(project)


@pytest.mark.parametrize("text", ["", "{", "[]", "\udcff", '{"images": 7}', '{"images": [{"path": "x"}, 3]}'])
def test_a_torn_file_is_called_damaged(project: Path, text: str) -> None:
    path = project / "output" / "build.json"
    path.parent.mkdir()
    path.write_text(text, errors="surrogateescape")
    with pytest.raises(DamagedBuildFile, match=r"build\.json is damaged") as caught:
        read(project)
    assert caught.value.path == path
    assert caught.value.exit_code is ExitCode.USAGE
    assert "invoke build" in str(caught.value.hint)


@pytest.mark.parametrize("audit", [None, {"outcome": "failed"}, "passed"])
def test_what_was_not_audited_is_refused(project: Path, audit: object) -> None:
    add_built(project, "agent", audit=audit)
    with pytest.raises(NotAudited) as caught:
        read(project)
    assert caught.value.missing == ("demo/agent linux/amd64", "demo/agent linux/arm64")
    assert caught.value.exit_code is ExitCode.VERIFICATION


def test_what_nobody_started_is_named_and_refused_on_request(project: Path) -> None:
    add_built(project, "agent", smoke="not run")
    assert read(project)[0].not_started == BOTH
    with pytest.raises(NotStarted):
        read(project, require_smoke=True)


def blob_of(project: Path, kind: str) -> Path:
    [built] = read(project)
    child = built.image.children[0]
    digest = {"index": built.image.index, "manifest": child.manifest, "config": child.config, "layer": child.layers[0]}
    return built.layout / "blobs" / "sha256" / digest[kind].digest.removeprefix("sha256:")


def changed(project: Path) -> RearchError:
    with pytest.raises((ChangedAfterAudit, WrongBlob)) as caught:
        read(project)
    assert caught.value.exit_code is ExitCode.VERIFICATION
    return caught.value


@pytest.mark.parametrize("kind", ["index", "manifest", "config", "layer"])
def test_a_blob_of_another_size_is_noticed_before_anything_is_sent(project: Path, kind: str) -> None:
    add_built(project, "agent")
    path = blob_of(project, kind)
    path.write_bytes(path.read_bytes() + b" ")
    assert "has" in changed(project).summary


@pytest.mark.parametrize("kind", ["config", "layer"])
def test_a_blob_that_is_gone_is_noticed(project: Path, kind: str) -> None:
    add_built(project, "agent")
    blob_of(project, kind).unlink()
    assert "missing" in changed(project).summary


@pytest.mark.parametrize("kind", ["index", "manifest"])
def test_a_document_that_was_edited_is_noticed(project: Path, kind: str) -> None:
    add_built(project, "agent")
    path = blob_of(project, kind)
    path.write_bytes(path.read_bytes().replace(b"amd64", b"arm64").replace(b"tar+gzip", b"tar+gzig"))
    changed(project)


def test_a_layout_with_another_index_is_noticed(project: Path) -> None:
    add_built(project, "agent")
    before = (project / "output" / "build.json").read_bytes()
    add_built(project, "agent", build="2")
    (project / "output" / "build.json").write_bytes(before)
    assert isinstance(changed(project), ChangedAfterAudit)


def test_an_index_with_an_image_that_nobody_audited_is_noticed(project: Path) -> None:
    add_built(project, "agent")
    path = project / "output" / "build.json"
    found = json.loads(path.read_text())
    del found["images"][0]["platforms"][0]
    path.write_text(json.dumps(found))
    assert "linux/amd64" in changed(project).summary


def test_docker_lists_have_their_words_from_the_labels(project: Path) -> None:
    add_built(project, "agent", types="docker")
    [built] = read(project)
    assert built.index.annotations is None
    assert built.image.annotations["org.opencontainers.image.version"] == "v1.0.0"
