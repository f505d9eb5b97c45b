"""A folder as a volume: what is at a path, and that no link leads out of it."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from msgspec.structs import replace

from rearch.host.volume_folder import NoFolder, folder_volume
from rearch.volumes.errors import InTheWay, VolumeMissing, WrongProgram
from rearch.volumes.fill import fill
from rearch.volumes.things import File, FoundFile, FoundFolder, FoundLink, FoundOther
from tests.support.elves import make_elf
from tests.support.volumes import AMD64, ARM64, content, file, small


def test_what_is_found(tmp_path: Path) -> None:
    root = tmp_path / "volume"
    (root / "bin").mkdir(parents=True)
    (root / "bin/a").write_bytes(make_elf(ARM64))
    (root / "bin/a").chmod(0o4711)
    (root / "broken").write_bytes(make_elf(ARM64)[:40])
    (root / "away").symlink_to("/etc")
    os.mkfifo(root / "pipe")
    with folder_volume(root, write=False) as place:
        found = place.look("bin/a")
        assert isinstance(found, FoundFile)
        assert (found.mode, found.size) == (0o4711, len(make_elf(ARM64)))
        assert found.elf is not None
        broken = place.look("broken")
        assert isinstance(broken, FoundFile)
        assert broken.elf is None
        assert isinstance(place.look("bin"), FoundFolder)
        assert place.look("away") == FoundLink(target="/etc")
        assert place.look("pipe") == FoundOther(kind="pipe")
        assert place.look("none") is place.look("none/below") is place.look("pipe/below") is None
        assert place.look("away/passwd") is None
        assert list(place.names()) == ["away", "bin", "broken", "pipe", "bin/a"]


def test_a_link_on_the_way_is_refused_and_what_it_points_to_untouched(tmp_path: Path) -> None:
    root, outside = tmp_path / "volume", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    (root / "bin").symlink_to(outside)
    with pytest.raises(InTheWay), folder_volume(root, write=True) as place:
        fill(small(tmp_path / "src"), place)
    assert list(outside.iterdir()) == []


def test_even_a_link_that_comes_between_looking_and_writing(tmp_path: Path) -> None:
    root, outside = tmp_path / "volume", tmp_path / "outside"
    (root / "bin").mkdir(parents=True)
    outside.mkdir()
    one = file(tmp_path / "src", "bin/hello", make_elf(ARM64))
    with folder_volume(root, write=True) as place:
        place.stage((one,), 0)
        (root / "bin").rmdir()
        (root / "bin").symlink_to(outside)
        with pytest.raises(NotADirectoryError):
            place.swap((one,), 0)
        place.tidy()
    assert list(outside.iterdir()) == []


def test_the_folder_itself_may_be_no_link_and_no_file(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "file").write_text("x")
    for name in ("link", "file"):
        with pytest.raises(NoFolder, match="is no folder"), folder_volume(tmp_path / name, write=True, create=True):
            pass


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(VolumeMissing), folder_volume(tmp_path / "none", write=True):
        pass
    with pytest.raises(VolumeMissing), folder_volume(tmp_path / "none", write=False, create=True):
        pass
    assert not (tmp_path / "none").exists()


def test_a_folder_that_was_made_for_nothing_is_taken_away(tmp_path: Path) -> None:
    root = tmp_path / "deep" / "volume"
    wrong = file(tmp_path / "src", "a", make_elf(AMD64))
    with pytest.raises(WrongProgram), folder_volume(root, write=True, create=True) as place:
        fill(content(wrong), place)
    assert not root.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give files away")
def test_root_sets_owners(tmp_path: Path) -> None:
    one: File = file(tmp_path / "src", "a", make_elf(ARM64), owner=(7, 8), mode=0o4755)
    with folder_volume(tmp_path / "volume", write=True, create=True) as place:
        assert place.sets_owners
        fill(content(one), place)
        found = place.look("a")
        assert isinstance(found, FoundFile)
        assert (found.uid, found.gid, found.mode) == (7, 8, 0o4755)
        changes = fill(content(replace(one, uid=9)), place)
    assert [change.reason for change in changes] == ["its owner is 7:8"]
    assert (tmp_path / "volume/a").stat().st_uid == 9


def test_a_socket_in_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "v").mkdir()
    monkeypatch.chdir(tmp_path / "v")  # the path of a socket is short
    with socket.socket(socket.AF_UNIX) as one:
        one.bind("a")
    with pytest.raises(InTheWay) as caught, folder_volume(tmp_path / "v", write=True) as place:
        fill(content(file(tmp_path / "src", "a", make_elf(ARM64))), place)
    assert caught.value.things == (("a", "socket", "file"),)
