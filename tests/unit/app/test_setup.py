"""What is there is not touched, and what is written is whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from rearch.app.setup import CannotSetUp, SetupExists, SetupPlan, write_setup
from rearch.app.setup_facts import MeansNothing, SetupOrder, check_flags
from rearch.errors import ExitCode
from rearch.model.setup import SetupFile, SetupKind

FILES = (SetupFile(path="sub/a.yml", text="one\ntwo\n"), SetupFile(path="b.env", text="# x\n", mode=0o600))


def plan(folder: Path) -> SetupPlan:
    return SetupPlan(folder=folder, files=FILES)


def state(folder: Path) -> dict[str, tuple[str, int]]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): (path.read_text(), path.stat().st_mode & 0o777) for path in files}


def test_files_are_written_with_their_modes(tmp_path: Path) -> None:
    done = write_setup(plan(tmp_path), force=False)
    assert done.wrote == (tmp_path / "sub/a.yml", tmp_path / "b.env")
    assert state(tmp_path) == {"sub/a.yml": ("one\ntwo\n", 0o644), "b.env": ("# x\n", 0o600)}


def test_the_same_is_nothing_to_do(tmp_path: Path) -> None:
    write_setup(plan(tmp_path), force=False)
    before = (tmp_path / "b.env").stat()
    done = write_setup(plan(tmp_path), force=True)
    assert done.wrote == ()
    assert done.same == (tmp_path / "sub/a.yml", tmp_path / "b.env")
    assert (tmp_path / "b.env").stat().st_ino == before.st_ino


def test_nothing_is_written_when_one_differs(tmp_path: Path) -> None:
    (tmp_path / "b.env").write_text("SECRET=1\n")
    (tmp_path / "b.env").chmod(0o600)
    with pytest.raises(SetupExists) as caught:
        write_setup(plan(tmp_path), force=False)
    assert caught.value.paths == (tmp_path / "b.env",)
    assert "-SECRET=1" in caught.value.render()
    assert state(tmp_path) == {"b.env": ("SECRET=1\n", 0o600)}
    assert write_setup(plan(tmp_path), force=True).wrote == (tmp_path / "sub/a.yml", tmp_path / "b.env")
    assert state(tmp_path)["b.env"] == ("# x\n", 0o600)


def test_a_file_that_others_may_read_differs(tmp_path: Path) -> None:
    write_setup(plan(tmp_path), force=False)
    (tmp_path / "b.env").chmod(0o644)
    with pytest.raises(SetupExists, match=r"b\.env") as caught:
        write_setup(plan(tmp_path), force=False)
    assert "0600 is wanted" in caught.value.render()


def test_a_link_is_something_else(tmp_path: Path) -> None:
    (tmp_path / "b.env").symlink_to("/nowhere")
    with pytest.raises(SetupExists) as caught:
        write_setup(plan(tmp_path), force=False)
    assert "no plain file" in caught.value.render()


def test_a_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    (tmp_path / "b.env").write_bytes(b"\xff\xfe")
    with pytest.raises(SetupExists) as caught:
        write_setup(plan(tmp_path), force=False)
    assert "no text" in caught.value.render()


def test_a_file_where_a_folder_is_wanted_is_told(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("mine\n")
    with pytest.raises(CannotSetUp, match="Not a directory") as caught:
        write_setup(plan(tmp_path / "notes"), force=True)
    assert caught.value.exit_code is ExitCode.USAGE
    assert state(tmp_path) == {"notes": ("mine\n", 0o644)}


@pytest.mark.parametrize(
    ("order", "flag"),
    [
        (SetupOrder(kind=SetupKind.SYSTEMD, program=(), mail="ops"), "mail"),
        (SetupOrder(kind=SetupKind.CRON, program=(), install="."), "install"),
        (SetupOrder(kind=SetupKind.GITHUB, program=(), user="builder"), "user"),
        (SetupOrder(kind=SetupKind.GITLAB, program=(), name="other"), "name"),
    ],
)
def test_a_flag_without_a_use_is_refused(order: SetupOrder, flag: str) -> None:
    with pytest.raises(MeansNothing) as caught:
        check_flags(order)
    assert caught.value.flag == flag


def test_flags_that_have_a_use_are_taken() -> None:
    check_flags(SetupOrder(kind=SetupKind.CRON, program=(), mail="ops", user="builder", name="other"))
    check_flags(SetupOrder(kind=SetupKind.JENKINS, program=(), install="."))
