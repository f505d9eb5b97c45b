from __future__ import annotations

import os
from pathlib import Path

import pytest

from rearch.engine.lockfile import read_lock
from rearch.engine.nightly import Begun, NightlyFolder, NightlyRuns, NightlyState, Refused, alone
from rearch.errors import ExitCode
from rearch.model.frozen import FrozenDict
from rearch.model.lock import Entry, Lock
from rearch.model.source import PinnedGit
from rearch.reporting.night_record import Night
from rearch.upkeep.bump import Edited
from rearch.upkeep.notify import Told
from rearch.upkeep.trial import Trial

NAMES = ("git https://example.org/a main", "git https://example.org/b main")


def entry(digit: str) -> Entry:
    pinned = PinnedGit(url="https://example.org/a", ref="main", commit=digit * 40, time=1)
    return Entry(identity=pinned, needed_by=("s/a",))


def lock(one: str, other: str) -> Lock:
    return Lock(FrozenDict({NAMES[0]: entry(one), NAMES[1]: entry(other)}))


def test_one_at_a_time_and_who_it_is(tmp_path: Path) -> None:
    with alone(tmp_path), pytest.raises(NightlyRuns) as caught, alone(tmp_path):
        pass
    assert caught.value.exit_code is ExitCode.TEMPORARY
    assert caught.value.holder.pid == os.getpid()
    assert caught.value.details[0].startswith(f"process {os.getpid()} on {os.uname().nodename}, since 20")
    with alone(tmp_path):
        pass


def test_a_lock_file_that_is_left_or_torn_holds_nobody(tmp_path: Path) -> None:
    (tmp_path / ".rearch/nightly").mkdir(parents=True)
    (tmp_path / ".rearch/nightly/lock").write_text('{"pid": 1, "since')
    with alone(tmp_path):
        pass


def test_the_state_comes_back(tmp_path: Path) -> None:
    folder = NightlyFolder(tmp_path)
    assert folder.state() == (NightlyState(), "")
    state = NightlyState(
        told=Told(failing=("s/a",), since="2024-05-17"),
        refused={"name": Refused(identity="x", recipes="y", why="z", since="2024-05-17", broke=("s/a",))},
        begun={"s/a": Begun(digest="sha256:0", tag="nightly-2024-05-17")},
    )
    folder.keep(state)
    assert folder.state() == (state, "")
    folder.record(Night(date="2024-05-17"))
    assert '"date": "2024-05-17"' in (tmp_path / "nightly.json").read_text()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 2}', '{"told": 3}'])
def test_a_torn_state_is_told_and_left_aside(tmp_path: Path, text: str) -> None:
    (tmp_path / ".rearch/nightly").mkdir(parents=True)
    (tmp_path / ".rearch/nightly/state.json").write_text(text)
    state, said = NightlyFolder(tmp_path).state()
    assert state == NightlyState()
    assert "left aside" in said


def test_an_update_that_no_build_has_tried_can_be_taken_back(tmp_path: Path) -> None:
    folder = NightlyFolder(tmp_path)
    folder.begin_trial(lock("1", "2"), lock("1", "3"))
    assert folder.untried(lock("1", "3")) == ({NAMES[1]: entry("2")}, "")
    assert folder.untried(lock("1", "4")) == ({}, ""), "somebody else has changed it since"
    assert read_lock(tmp_path / ".rearch/nightly/after.lock") == lock("1", "3")
    folder.begin_trial(lock("1", "2"), lock("4", "3"))
    folder.end_trial(before={NAMES[1]: entry("2")})
    assert folder.untried(lock("4", "3")) == ({NAMES[1]: entry("2")}, ""), "the other one was built"
    folder.end_trial()
    assert folder.untried(lock("4", "3")) == ({}, "")


def test_versions_come_back_until_the_trial_ends(tmp_path: Path) -> None:
    folder = NightlyFolder(tmp_path)
    assert folder.versions() == ((), "")
    edit = Edited(file="recipes/s/a.yaml", line=3, old="version: v1", new="version: v2")
    one = Trial(component="s/a", old="v1", new="v2", tag="v2", moved=("s/a",), edits=(edit,), lost=lock("1", "2"))
    folder.keep_versions([one])
    assert folder.versions() == ((one,), "")
    folder.end_trial([one])
    assert folder.versions() == ((one,), "")
    folder.end_trial()
    assert folder.versions() == ((), "")


@pytest.mark.parametrize("name", ["before.lock", "after.lock", "versions.json"])
def test_half_a_trial_is_told_and_left_aside(tmp_path: Path, name: str) -> None:
    """The other file is read, as far as it can be without this one."""
    folder = NightlyFolder(tmp_path)
    folder.begin_trial(lock("1", "2"), lock("1", "3"))
    folder.keep_versions([Trial(component="s/a", old="", new="", tag="", moved=(), edits=(), lost=lock("1", "2"))])
    path = tmp_path / ".rearch/nightly" / name
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    (untried, said), (versions, told) = folder.untried(lock("1", "3")), folder.versions()
    torn, well = ((versions, told), (untried, said)) if name == "versions.json" else ((untried, said), (versions, told))
    assert not torn[0]
    assert name in torn[1]
    assert "left aside" in torn[1]
    assert well[0]
    assert not well[1]
