"""What is wanted against what was found: every difference has its words, and nothing of others is replaced."""

from __future__ import annotations

from pathlib import Path

import pytest

from rearch.formats.elf import read_elf
from rearch.volumes.compare import compare, missing
from rearch.volumes.errors import InTheWay
from rearch.volumes.things import File, Folder, Found, FoundFile, FoundFolder, FoundLink, FoundOther, Link
from tests.support.elves import make_elf
from tests.support.volumes import AMD64, content, file


class Shelf:
    """What is found, and what was asked for."""

    def __init__(self, **found: Found) -> None:
        self.found = {path.replace("__", "/"): each for path, each in found.items()}
        self.asked: list[tuple[str, bool]] = []

    def __call__(self, path: str, *, brief: bool = False) -> Found | None:
        self.asked.append((path, brief))
        return self.found.get(path)


def as_found(wanted: File, **more: object) -> FoundFile:
    values = {"mode": wanted.mode, "uid": wanted.uid, "gid": wanted.gid, "size": wanted.size, "sha256": wanted.sha256}
    return FoundFile(**values | more)  # type: ignore[arg-type]


FOLDER = FoundFolder(mode=0o755, uid=0, gid=0)


def test_what_is_as_it_should_be_is_kept(tmp_path: Path) -> None:
    hello = file(tmp_path, "bin/hello", b"1")
    wanted = content(Folder(path="bin", implied=True), Folder(path="conf"), hello, Link(path="current", target="bin"))
    shelf = Shelf(
        bin=FoundFolder(mode=0o1777, uid=9, gid=9),
        conf=FOLDER,
        bin__hello=as_found(hello),
        current=FoundLink(target="bin"),
    )
    assert [(change.action, change.reason) for change in compare(wanted, shelf)] == [("keep", "")] * 4
    # A folder on the way is somebody else's: only that it is one matters.
    assert shelf.asked == [("bin", True), ("conf", False), ("bin/hello", False), ("current", False)]


def test_below_a_folder_that_is_not_there_nothing_is_asked_for(tmp_path: Path) -> None:
    wanted = content(
        Folder(path="a", implied=True), Folder(path="a/b", implied=True), file(tmp_path, "a/b/hello", b"1")
    )
    shelf = Shelf()
    assert [change.action for change in compare(wanted, shelf)] == ["new"] * 3
    assert shelf.asked == [("a", True)]
    assert compare(wanted, shelf) == missing(wanted)


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"sha256": "0" * 64}, "its content differs"),
        ({"size": 7}, "its content differs"),
        ({"mode": 0o644}, "its mode is 0644"),
        ({"mode": 0o4755}, "its mode is 4755"),
        ({"uid": 1, "gid": 2}, "its owner is 1:2"),
        ({"mode": 0o600, "gid": 2}, "its mode is 0600; its owner is 0:2"),
    ],
)
def test_a_file_that_differs(tmp_path: Path, more: dict[str, object], reason: str) -> None:
    hello = file(tmp_path, "hello", b"1")
    (change,) = compare(content(hello), Shelf(hello=as_found(hello, **more)))
    assert (change.action, change.reason) == ("renew", reason)


def test_a_foreign_program_is_called_by_its_name(tmp_path: Path) -> None:
    foreign = tmp_path / "foreign"
    foreign.write_bytes(make_elf(AMD64))
    hello = file(tmp_path, "hello", b"1")
    (change,) = compare(content(hello), Shelf(hello=as_found(hello, sha256="0" * 64, elf=read_elf(foreign))))
    assert change.reason == "what is there is for another platform: ELF 64-bit LSB x86_64, static"


def test_owners_do_not_count_where_they_cannot_be_set(tmp_path: Path) -> None:
    hello = file(tmp_path, "hello", b"1")
    shelf = Shelf(hello=as_found(hello, uid=1000, gid=1000), conf=FoundFolder(mode=0o755, uid=1000, gid=1000))
    changes = compare(content(Folder(path="conf"), hello), shelf, owners=False)
    assert [change.action for change in changes] == ["keep", "keep"]


def test_a_link_that_points_elsewhere_and_a_link_where_a_file_belongs(tmp_path: Path) -> None:
    shelf = Shelf(current=FoundLink(target="/etc"), hello=FoundLink(target="/bin/sh"))
    changes = compare(content(file(tmp_path, "hello", b"1"), Link(path="current", target="bin")), shelf)
    assert [(change.action, change.reason) for change in changes] == [
        ("renew", "a link is there"),
        ("renew", "it points to /etc"),
    ]


def test_what_would_be_lost_stands_in_the_way_and_all_of_it_is_told(tmp_path: Path) -> None:
    wanted = content(
        Folder(path="bin", implied=True),
        Folder(path="conf"),
        file(tmp_path, "bin/hello", b"1"),
        file(tmp_path, "hello", b"1"),
        file(tmp_path, "pipe", b"1"),
        Link(path="managed.d", target="x"),
    )
    shelf = Shelf(bin=FoundLink(target="/"), conf=FoundOther(kind="pipe"), hello=FOLDER, pipe=FoundOther(kind="pipe"))
    shelf.found["managed.d"] = FOLDER
    with pytest.raises(InTheWay) as caught:
        compare(wanted, shelf)
    assert caught.value.things == (
        ("bin", "link", "folder"),
        ("conf", "pipe", "folder"),
        ("hello", "folder", "file"),
        ("pipe", "pipe", "file"),
        ("managed.d", "folder", "link"),
    )
    assert ("bin/hello", False) not in shelf.asked
