from __future__ import annotations

from pathlib import Path

import pytest

from rearch.errors import ExitCode
from rearch.formats.archive_errors import LinkEscapes
from rearch.formats.tree import tree_digest
from rearch.host.sources.local import LocalSources, NoSuchFolder, SourceChanged, left_out, local_digest
from rearch.model.source import PinnedLocal
from tests.support.workspace import log_of, make_workspace


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "project/src"
    (folder / "pkg/output").mkdir(parents=True)
    (folder / "main.go").write_text("package main")
    (folder / "pkg/output/x.go").write_text("package output")
    return folder


def fetch(folder: Path, digest: str) -> Path:
    work = make_workspace(folder.parent.parent)
    LocalSources(folder.parent).fetch(PinnedLocal(path=folder.name, digest=digest), work)
    assert "src" in log_of(work)
    return work.files / "source"


def test_what_is_left_out() -> None:
    paths = ("output", "output/bin", ".git", "a/.git", "a/__pycache__", "a/output", ".github", "outputs")
    assert [path for path in paths if left_out(path)] == ["output", ".git", "a/.git", "a/__pycache__"]


def test_results_and_caches_are_no_part_of_it(folder: Path) -> None:
    digest = local_digest(folder)
    for name in ("output/bin", ".git/objects", "pkg/__pycache__"):
        (folder / name).mkdir(parents=True)
        (folder / name / "file").touch()
    assert local_digest(folder) == digest
    source = fetch(folder, digest)
    assert tree_digest(source) == digest
    assert (source / "pkg/output/x.go").exists()
    assert not (source / "output").exists()


def test_the_copy_is_a_copy(folder: Path) -> None:
    source = fetch(folder, local_digest(folder))
    (source / "main.go").write_text("changed")
    assert (folder / "main.go").read_text() == "package main"


def test_a_folder_that_changed_since_the_plan(folder: Path) -> None:
    digest = local_digest(folder)
    (folder / "main.go").write_text("package other")
    with pytest.raises(SourceChanged) as caught:
        fetch(folder, digest)
    assert caught.value.exit_code is ExitCode.VERIFICATION
    assert "changed while it was read" in caught.value.summary
    assert digest in caught.value.render()


def test_no_folder(folder: Path) -> None:
    with pytest.raises(NoSuchFolder):
        local_digest(folder / "nothing")
    with pytest.raises(NoSuchFolder) as caught:
        fetch(folder.parent / "nothing", "0" * 64)
    assert caught.value.exit_code is ExitCode.USAGE


def test_a_link_out_of_the_folder(folder: Path) -> None:
    (folder / "link").symlink_to("../secret")
    with pytest.raises(LinkEscapes, match="link"):
        fetch(folder, local_digest(folder))
