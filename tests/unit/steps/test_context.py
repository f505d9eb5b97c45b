"""The build context: what is in it, with which modes, and what is refused."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from rearch.errors import ExitCode
from rearch.formats.tree import path_digest
from rearch.model.step import Artifact, Result, StepKind
from rearch.model.step_images import ContextFile
from rearch.steps.context import FileChanged, NothingToCopy, fill_context, known_digests
from rearch.steps.ports import Need
from tests.support.workspace import make_workspace


def _need(folder: Path, *artifacts: Artifact) -> Need:
    return Need(result=Result(key="0" * 64, kind=StepKind.COMPILE, artifacts=artifacts, facts={}), files=folder)


def _binaries(tmp_path: Path) -> Path:
    folder = tmp_path / "store"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin/agent").write_text("elf")
    (folder / "bin/agent").chmod(0o755)
    (folder / "bin/link").symlink_to("agent")
    return folder


def test_a_binary_is_linked_in_and_a_link_of_the_recipe_is_the_program(tmp_path: Path) -> None:
    folder = _binaries(tmp_path)
    work = make_workspace(tmp_path, needs={"binaries": _need(folder)})
    files = [
        ContextFile(place="linux/arm64/agent", path="bin/agent", role="binaries"),
        ContextFile(place="linux/arm64/link", path="bin/link", role="binaries"),
    ]
    fill_context(files, work.scratch / "context", work)
    for name in ("agent", "link"):
        place = work.scratch / "context/linux/arm64" / name
        assert place.stat().st_ino == (folder / "bin/agent").stat().st_ino
        assert not place.is_symlink()


@pytest.mark.parametrize(("mode", "wanted"), [(0o664, 0o644), (0o600, 0o644), (0o775, 0o755), (0o4755, 0o755)])
def test_modes_do_not_depend_on_the_checkout(tmp_path: Path, mode: int, wanted: int) -> None:
    work = make_workspace(tmp_path)
    origin = work.project / "recipes/test/files/conf"
    origin.mkdir(parents=True)
    (origin / "x.cfg").write_text("x")
    (origin / "x.cfg").chmod(mode)
    (origin / "name").symlink_to("x.cfg")
    origin.chmod(0o700)
    file = ContextFile(place="files/conf", path="recipes/test/files/conf", role=None, digest=path_digest(origin))
    fill_context([file], work.scratch / "context", work)
    place = work.scratch / "context/files/conf"
    assert stat.S_IMODE((place / "x.cfg").stat().st_mode) == wanted
    assert stat.S_IMODE(place.stat().st_mode) == 0o755
    assert os.readlink(place / "name") == "x.cfg"  # noqa: PTH115
    assert (place / "x.cfg").stat().st_ino != (origin / "x.cfg").stat().st_ino
    assert stat.S_IMODE((origin / "x.cfg").stat().st_mode) == mode


def test_a_file_of_the_project_that_changed_since_the_plan(tmp_path: Path) -> None:
    work = make_workspace(tmp_path)
    (work.project / "x").write_text("after")
    with pytest.raises(FileChanged) as raised:
        fill_context([ContextFile(place="x", path="x", role=None, digest="0" * 64)], work.scratch / "c", work)
    assert raised.value.exit_code is ExitCode.VERIFICATION


def test_a_file_that_the_source_does_not_have_is_told_with_the_nearest(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    (folder / "gopath/src/hello/package").mkdir(parents=True)
    (folder / "gopath/src/hello/package/haproxy_reload.sh").write_text("x")
    work = make_workspace(tmp_path, needs={"source": _need(folder)})
    path = "gopath/src/hello/package/haproxy-reload.sh"
    with pytest.raises(NothingToCopy) as raised:
        fill_context(
            [ContextFile(place="source/package/haproxy-reload.sh", path=path, role="source")], work.scratch / "c", work
        )
    assert raised.value.hint == "did you mean haproxy_reload.sh?"
    assert raised.value.exit_code is ExitCode.USAGE


def test_a_link_of_the_source_does_not_lead_out_of_it(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    (folder / "gopath").mkdir(parents=True)
    (tmp_path / "secret").write_text("x")
    (folder / "gopath/out").symlink_to(tmp_path / "secret")
    work = make_workspace(tmp_path, needs={"source": _need(folder)})
    with pytest.raises(NothingToCopy):
        fill_context([ContextFile(place="out", path="gopath/out", role="source")], work.scratch / "c", work)


def test_digests_that_the_compile_step_knows_are_used(tmp_path: Path) -> None:
    agent = Artifact(path="bin/agent", size=3, digest="a" * 64, mode=0o755)
    link = Artifact(path="bin/link", size=5, digest="b" * 64, mode=0o777, target="agent")
    work = make_workspace(tmp_path, needs={"binaries": _need(_binaries(tmp_path), agent, link)})
    files = [
        ContextFile(place="one", path="bin/agent", role="binaries"),
        ContextFile(place="two", path="bin/link", role="binaries"),
        ContextFile(place="three", path="x", role=None),
    ]
    assert known_digests(files, work) == {"one": "a" * 64, "two": "a" * 64}
