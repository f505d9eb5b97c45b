"""The downloads by hash: checked at every use, named only when right, locked in one order."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from rearch.formats.held import HeldDownloads, WrongContent
from rearch.model.digest import Digest


def test_held_files_are_checked_every_time(tmp_path: Path) -> None:
    held, data = HeldDownloads(tmp_path / "downloads"), b"content"
    name = Digest.of(data).hex
    calls: list[Path] = []

    def fetch(into: Path) -> None:
        calls.append(into)
        into.write_bytes(data)

    path = held.get(name, fetch)
    assert held.get(name, fetch) == path
    assert len(calls) == 1
    path.write_bytes(b"damaged")
    assert held.get(name, fetch).read_bytes() == data
    assert len(calls) == 2


def test_wrong_content_gets_no_name(tmp_path: Path) -> None:
    held = HeldDownloads(tmp_path)

    def fetch(into: Path) -> None:
        into.write_bytes(b"other")

    with pytest.raises(WrongContent) as caught:
        held.get("0" * 64, fetch)
    assert caught.value.found == Digest.of(b"other").hex
    assert not (tmp_path / ("0" * 64)).exists()
    assert not list(tmp_path.glob("*.new"))


def test_a_use_is_noted_as_such(tmp_path: Path) -> None:
    held, data = HeldDownloads(tmp_path), b"content"
    path = tmp_path / Digest.of(data).hex
    path.write_bytes(data)
    os.utime(path, (1, 1))
    assert held.find(path.name, len(data)) == path
    assert path.stat().st_mtime > 1
    assert held.find(path.name, 3) is None
    assert held.find("0" * 64) is None


def test_an_unfinished_file_may_stay_beside(tmp_path: Path) -> None:
    held, data = HeldDownloads(tmp_path), b"content"
    name = Digest.of(data).hex

    def broken(into: Path) -> str:
        into.with_name(into.name + ".part").write_bytes(data[:3])
        raise OSError("the line dropped")

    def resumed(into: Path) -> str:
        part = into.with_name(into.name + ".part")
        into.write_bytes(part.read_bytes() + data[3:])
        part.unlink()
        return name

    with pytest.raises(OSError, match="the line dropped"):
        held.get(name, broken)
    assert held.get(name, resumed).read_bytes() == data


def test_two_at_once_fetch_once_and_never_wait_for_each_other(tmp_path: Path) -> None:
    held = HeldDownloads(tmp_path)
    contents = [b"one", b"two", b"three"]
    names = [Digest.of(data).hex for data in contents]
    fetched: list[str] = []

    def one(order: list[int]) -> None:
        with held.locked(names[number] for number in order):
            for number in order:
                if held.find(names[number]) is None:
                    fetched.append(names[number])
                    draft = tmp_path / f"draft-{number}-{threading.get_ident()}"
                    draft.write_bytes(contents[number])
                    held.accept(draft, names[number])

    threads = [threading.Thread(target=one, args=(order,)) for order in ([0, 1, 2], [2, 1, 0], [1, 0, 2])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert not any(thread.is_alive() for thread in threads)
    assert sorted(fetched) == sorted(names)


def test_a_draft_that_is_not_it_stays_what_it_was(tmp_path: Path) -> None:
    draft = tmp_path / "draft"
    draft.write_bytes(b"other")
    with pytest.raises(WrongContent, match="not what was pinned"):
        HeldDownloads(tmp_path).accept(draft, "0" * 64)
    assert draft.read_bytes() == b"other"
