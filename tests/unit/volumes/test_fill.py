"""A volume is filled as a whole or not at all. The place is a real folder; what must not happen is made to happen."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from rearch.host.volume_folder import FolderVolume, folder_volume
from rearch.volumes.errors import NotAsWritten, SourceChanged, VolumeFull, VolumeInUse, WrongProgram
from rearch.volumes.fill import fill
from rearch.volumes.things import Content, File, Thing
from tests.support.elves import make_elf
from tests.support.volumes import AMD64, ARM64, content, file, small


def tree(root: Path) -> dict[str, object]:
    """Everything below a folder: bytes of files, targets of links, None for folders."""
    found: dict[str, object] = {}
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        found[name] = str(path.readlink()) if path.is_symlink() else path.read_bytes() if path.is_file() else None
    return found


def filled(root: Path, wanted: Content, **options: Any) -> list[str]:
    with folder_volume(root, write=True, create=True) as place:
        return [change.action for change in fill(wanted, place, **options)]


def test_a_volume_is_filled_and_then_there_is_nothing_to_do(tmp_path: Path) -> None:
    root, wanted = tmp_path / "volume", small(tmp_path / "src")
    assert filled(root, replace(wanted, mtime=1000)) == ["new"] * 5
    assert tree(root) == {
        "bin": None,
        "bin/hello": make_elf(ARM64),
        "conf": None,
        "current": "bin",
        "readme": b"hello\n",
    }
    assert (root / "bin/hello").stat().st_mode & 0o7777 == 0o755
    assert (root / "bin/hello").stat().st_mtime == 1000
    assert (root / "conf").stat().st_mode & 0o7777 == 0o711
    before = {path: path.lstat().st_ino for path in root.rglob("*")}
    assert filled(root, wanted) == ["keep"] * 5
    assert {path: path.lstat().st_ino for path in root.rglob("*")} == before


def test_only_what_differs_is_written_and_others_files_are_left(tmp_path: Path) -> None:
    root = tmp_path / "volume"
    filled(root, small(tmp_path / "src"))
    (root / "bin/own").write_text("mine")
    (root / "readme").chmod(0o600)
    inode = (root / "bin/hello").stat().st_ino
    assert filled(root, small(tmp_path / "src")) == ["keep", "keep", "keep", "renew", "keep"]
    assert (root / "readme").stat().st_mode & 0o777 == 0o644
    assert (root / "bin/hello").stat().st_ino == inode
    assert (root / "bin/own").read_text() == "mine"


def test_a_file_that_somebody_has_open_keeps_its_bytes(tmp_path: Path) -> None:
    root = tmp_path / "volume"
    filled(root, small(tmp_path / "src"))
    with (root / "bin/hello").open("rb") as old:
        filled(root, small(tmp_path / "src", extra=b"more"))
        assert old.read() == make_elf(ARM64)
    assert (root / "bin/hello").read_bytes() == make_elf(ARM64) + b"more"


def test_what_a_killed_run_left_is_taken_away_even_if_nothing_is_to_do(tmp_path: Path) -> None:
    root = tmp_path / "volume"
    filled(root, small(tmp_path / "src"))
    (root / ".rearch/deep").mkdir(parents=True)
    (root / ".rearch/0").write_text("half")
    assert filled(root, small(tmp_path / "src")) == ["keep"] * 5
    assert not (root / ".rearch").exists()


@pytest.mark.parametrize("leave", ["absent", "changed", "foreign", "no program", "damaged"])
def test_what_is_not_the_verified_program_never_leaves_the_machine(tmp_path: Path, leave: str) -> None:
    root, wanted = tmp_path / "volume", small(tmp_path / "src")
    filled(root, wanted)
    before = tree(root)
    data = {"foreign": make_elf(AMD64), "no program": b"#!/bin/sh\n", "damaged": make_elf(ARM64)[:30]}
    new = file(tmp_path / "new", "bin/hello", data.get(leave, b"1"))
    if leave == "absent":
        new.source.unlink()
    if leave == "changed":
        new.source.write_bytes(b"2")
    wrong = SourceChanged if leave in ("absent", "changed") else WrongProgram
    with pytest.raises(wrong):
        filled(root, content(new))
    assert tree(root) == before


def test_a_script_needs_to_be_no_program_but_if_it_is_one_then_of_the_platform(tmp_path: Path) -> None:
    assert filled(tmp_path / "v", content(file(tmp_path / "s", "a", b"#!/bin/sh\n", program=False))) == ["new"]
    with pytest.raises(WrongProgram) as caught:
        filled(tmp_path / "v", content(file(tmp_path / "s", "b", make_elf(AMD64), program=False)))
    assert "x86_64" in caught.value.render()


class Ill(FolderVolume):
    """A folder that fails in one way."""

    full = torn = forgetful = False
    busy: tuple[str, ...] = ()

    def users(self) -> tuple[str, ...]:
        return self.busy

    def stage(self, files: Sequence[File], mtime: int) -> None:
        super().stage(files, mtime)
        if self.full:
            raise VolumeFull("demo", 1)
        if self.torn:
            (Path(self.name) / ".rearch/0").write_bytes(b"torn")

    def swap(self, things: Sequence[Thing], mtime: int) -> None:
        super().swap(things, mtime)
        if self.forgetful:
            (Path(self.name) / "bin/hello").unlink()


def ill(root: Path, wanted: Content, *, in_use: bool = False, **how: object) -> None:
    top = os.open(root, os.O_RDONLY)
    try:
        place = Ill(root, top)
        for name, value in how.items():
            setattr(place, name, value)
        fill(wanted, place, in_use=in_use)
    finally:
        os.close(top)


@pytest.mark.parametrize(("how", "error"), [("full", VolumeFull), ("torn", NotAsWritten)])
def test_what_fails_before_the_swap_leaves_everything_as_it_was(
    tmp_path: Path, how: str, error: type[Exception]
) -> None:
    root = tmp_path / "volume"
    filled(root, small(tmp_path / "src"))
    before = tree(root)
    with pytest.raises(error) as caught:
        ill(root, small(tmp_path / "src", extra=b"more"), **{how: True})
    assert tree(root) == before
    if isinstance(caught.value, NotAsWritten):
        assert caught.value.untouched
        assert "what was there before is untouched" in caught.value.summary


def test_what_is_gone_after_the_swap_is_told(tmp_path: Path) -> None:
    root = tmp_path / "volume"
    root.mkdir()
    with pytest.raises(NotAsWritten) as caught:
        ill(root, small(tmp_path / "src"), forgetful=True)
    assert caught.value.path == "bin/hello"
    assert not caught.value.untouched
    assert "not there" in caught.value.summary
    assert not (root / ".rearch").exists()


def test_a_volume_in_use_is_refused_unless_it_is_asked_for_or_nothing_is_to_do(tmp_path: Path) -> None:
    root = tmp_path / "volume"
    root.mkdir()
    wanted = small(tmp_path / "src")
    with pytest.raises(VolumeInUse) as caught:
        ill(root, wanted, busy=("agent", "net"))
    assert caught.value.containers == ("agent", "net")
    assert tree(root) == {}
    ill(root, wanted, busy=("agent",), in_use=True)
    ill(root, wanted, busy=("agent",))
    assert "bin/hello" in tree(root)
