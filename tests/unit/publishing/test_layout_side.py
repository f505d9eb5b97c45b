"""Publishing to a folder of layouts."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from rearch.errors import ExitCode
from rearch.oci.layout_read import ref_names
from rearch.oci.types import Index, read_document
from rearch.oci.validate import validate
from rearch.planning.publish_targets import LayoutTarget
from rearch.planning.publish_values import PublishOptions
from rearch.publishing.built import read_built
from rearch.publishing.lag import Lag
from rearch.publishing.layout_side import LayoutSide, NotALayout
from rearch.publishing.outcome import PublishResult
from rearch.publishing.publisher import Publisher
from tests.support.built_output import add_built, make_project


@pytest.fixture
def project(tmp_path: Path) -> Path:
    project = make_project(tmp_path)
    add_built(project, "agent")
    return project


def publish(project: Path, folder: Path, *tags: str, merge: bool = False) -> PublishResult:
    target = LayoutTarget(path=str(folder))
    built = read_built(project / "output", stacks=None, only=(), require_smoke=False)
    options = PublishOptions(targets=(target,), tags=tags, merge=merge)
    return Publisher(
        built, options, lambda _target, _stop: LayoutSide(target), say=lambda _text, _level: None, lag=Lag(settle=0)
    ).publish()


def names(layout: Path) -> list[str]:
    index = read_document(Index, (layout / "index.json").read_bytes(), "index.json")
    return [name for entry in index.manifests for name in ref_names(entry)]


def test_the_layout_is_whole_and_shares_its_blobs(project: Path, tmp_path: Path) -> None:
    result = publish(project, tmp_path / "out", "v1", "latest")
    assert result.exit_code is ExitCode.OK
    assert names(tmp_path / "out" / "agent") == ["latest", "v1"]
    assert not [fault for fault in validate(tmp_path / "out" / "agent") if not fault.warning]
    shared = {path.stat().st_ino for path in (project / "output/images/agent/blobs/sha256").iterdir()}
    own = {path.stat().st_ino for path in (tmp_path / "out" / "agent/blobs/sha256").iterdir()}
    assert len(own & shared) == 6


def test_other_names_stay(project: Path, tmp_path: Path) -> None:
    old = publish(project, tmp_path / "out", "v1").tags[0].digest
    new = add_built(project, "agent", build="2")
    publish(project, tmp_path / "out", "v2")
    layout = tmp_path / "out" / "agent"
    assert names(layout) == ["v1", "v2"]
    index = read_document(Index, (layout / "index.json").read_bytes(), "index.json")
    assert [entry.digest for entry in index.manifests] == [old, new]
    again = publish(project, tmp_path / "out", "v2")
    assert [tag.how for tag in again.tags] == ["unchanged"]


def test_platforms_are_merged(project: Path, tmp_path: Path) -> None:
    publish(project, tmp_path / "out")
    add_built(project, "agent", ("linux/arm/v7",), build="2")
    result = publish(project, tmp_path / "out", merge=True)
    assert [*result.tags[0].platforms] == ["linux/amd64", "linux/arm64", "linux/arm/v7"]


def test_a_changed_blob_is_not_taken(project: Path, tmp_path: Path) -> None:
    blob = max((project / "output/images/agent/blobs/sha256").iterdir(), key=lambda path: path.stat().st_size)
    data = bytearray(blob.read_bytes())
    data[50] ^= 1
    blob.write_bytes(data)
    result = publish(project, tmp_path / "out")
    assert result.exit_code is ExitCode.VERIFICATION
    assert not (tmp_path / "out" / "agent" / "index.json").exists()


def test_a_folder_of_other_things_is_left_alone(project: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out" / "agent"
    folder.mkdir(parents=True)
    (folder / "letters.txt").write_text("dear")
    [outcome] = publish(project, tmp_path / "out").outcomes
    assert isinstance(outcome.error, NotALayout)
    assert os.listdir(folder) == ["letters.txt"]  # noqa: PTH208


def test_several_at_once_lose_no_name(project: Path, tmp_path: Path) -> None:
    publish(project, tmp_path / "out", "v0")
    threads = [threading.Thread(target=publish, args=(project, tmp_path / "out", f"v{n}")) for n in range(1, 6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(names(tmp_path / "out" / "agent")) == [f"v{n}" for n in range(6)]
