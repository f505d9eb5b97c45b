"""What upstream's answers mean: rows for sources, bases, packages and toolchains."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from rearch.errors import StepError
from rearch.model.frozen import FrozenDict
from rearch.model.lock import PinnedBase
from rearch.model.source import DebianFile, DebianPackage
from rearch.model.watch import Watch
from rearch.upkeep.outdated import GitPin, ToolPin, base_row, failed_row, git_row, packages_row, toolchain_row
from rearch.upkeep.outdated_rows import Row, document, sorted_rows, summary, table
from rearch.upkeep.outdated_tags import rank_tags, rule_of

SOURCE = Row(kind="source", name="demo/one", state="unknown", needed_by=("demo/one",))
OLD, NEW, TAG_OBJECT = "a" * 40, "b" * 40, "c" * 40


def _refs(*tags: str, **heads: str) -> dict[str, str]:
    named = {f"refs/tags/{tag}": OLD for tag in tags}
    return named | {f"refs/heads/{name}": commit for name, commit in heads.items()}


def _pin(ref: str = "v1.0.0", version: str = "v1.0.0", commit: str = OLD, watch: Watch | None = None) -> GitPin:
    return GitPin(ref=ref, version=version, commit=commit, watch=watch)


def test_newer_tags_of_the_same_spelling_count() -> None:
    refs = _refs("v1.0.0", "v0.9", "v1.2.0", "v1.10.0", "v2.0.0-rc1", "release-3.0.0", "nightly")
    row = git_row(SOURCE, _pin(), refs)
    assert (row.state, row.current, row.newest, row.candidates) == ("newer", "v1.0.0", "v1.10.0", ("v1.2.0", "v1.10.0"))


@pytest.mark.parametrize(
    ("ref", "version", "tags", "newest"),
    [
        ("release-1.2", "1.2", ("release-1.2", "release-1.3", "v9.0"), "release-1.3"),
        ("v1.2-rancher", "1.2", ("v1.2-rancher", "v1.4-rancher", "v1.5"), "v1.4-rancher"),
        ("1.2.3.4", "1.2.3.4", ("1.2.3.4", "1.2.3.10"), "1.2.3.10"),
        ("v2.0.0-rc1", "v2.0.0-rc1", ("v2.0.0-rc1", "v2.0.0-rc2"), "v2.0.0-rc2"),
        (NEW, "1.2", ("v1.2", "v1.3"), "v1.3"),
        ("refs/tags/v1.0", "1.0", ("v1.0", "v1.1"), "v1.1"),
    ],
)
def test_without_a_rule_a_tag_is_spelled_as_the_locked_one(
    ref: str, version: str, tags: tuple[str, ...], newest: str
) -> None:
    assert git_row(SOURCE, _pin(ref, version, NEW if ref == NEW else OLD), _refs(*tags)).newest == newest


def test_the_recipe_says_which_tags_are_versions() -> None:
    watch = Watch(tags=r"build-(?P<version>\d{8})", scheme="date")
    pin = _pin("build-20240101", "20240101", watch=watch)
    row = git_row(SOURCE, pin, _refs("build-20240101", "build-20240517", "build-20249999", "v99"))
    assert (row.state, row.newest) == ("newer", "build-20240517")
    pre = _pin(watch=Watch(pre=True))
    assert git_row(SOURCE, pre, _refs("v1.0.0", "v1.1.0-rc1")).newest == "v1.1.0-rc1"


def test_a_tag_that_moved_or_is_gone_is_told_with_what_is_newer() -> None:
    refs = _refs("v1.0.0", "v1.1.0") | {"refs/tags/v1.0.0": TAG_OBJECT, "refs/tags/v1.0.0^{}": NEW}
    moved = git_row(SOURCE, _pin(), refs)
    assert (moved.state, moved.newest) == ("moved", "v1.1.0")
    assert moved.reason == f"the tag moved: locked {OLD[:12]}, now {NEW[:12]}"
    same = refs | {"refs/tags/v1.0.0^{}": OLD}
    assert git_row(SOURCE, _pin(), same).state == "newer"
    gone = git_row(SOURCE, _pin(), _refs("v1.1.0"))
    assert (gone.state, gone.newest, gone.is_outdated) == ("gone", "v1.1.0", True)


def test_a_branch_is_compared_by_its_commit() -> None:
    assert git_row(SOURCE, _pin("main", "1.0"), _refs(main=OLD)).state == "current"
    ahead = git_row(SOURCE, _pin("main", "1.0"), _refs("v1.0", main=NEW))
    assert (ahead.state, ahead.current, ahead.newest) == ("newer", OLD, NEW)
    assert git_row(SOURCE, _pin("main", "1.0", commit=""), _refs(main=NEW)).state == "unknown"


def test_a_version_that_does_not_parse_is_a_row_with_its_reason() -> None:
    row = git_row(SOURCE, _pin("stable", "stable"), _refs("stable", "v2.0.0"))
    assert (row.state, row.reason) == ("unknown", "'stable' cannot be read as a version of scheme any")
    watch = Watch(tags="v(?P<version>.*)", scheme="semver")
    odd = git_row(SOURCE, _pin(watch=watch), _refs("vx", "vy"))
    assert odd.state == "gone"
    other = git_row(SOURCE, _pin(ref="", watch=watch), _refs("vx", "vy"))
    assert (other.state, other.reason) == (
        "unknown",
        "no tag is a semver version as v(?P<version>.*): vx, vy cannot be read",
    )


def test_tags_of_one_version_have_one_order() -> None:
    rule = rule_of("v1.0", "1.0", None)
    tags = ("v1.1", "v1.1.0", "v1.01")
    both = [rank_tags(_refs(*order), rule).newer for order in (tags, tags[::-1])]
    assert [tag.name for tag in both[0]] == [tag.name for tag in both[1]] == ["v1.01", "v1.1", "v1.1.0"]


def test_a_base_is_compared_by_digest() -> None:
    pinned = PinnedBase(reference="example.org/base:1", digest=f"sha256:{OLD}", platforms=FrozenDict())
    row = Row(kind="base", name="example.org/base:1", state="unknown")
    assert base_row(row, pinned, pinned.digest).state == "current"
    assert base_row(row, pinned, None).state == "gone"
    assert base_row(row, pinned, "sha256:1").newest == "sha256:1"


def _package(name: str, version: str) -> DebianPackage:
    return DebianPackage(
        name=name, version=version, architecture="all", file=DebianFile(path="x", size=1, sha256="0" * 64)
    )


def test_packages_tell_which_differ() -> None:
    row = Row(kind="packages", name="bookworm", state="unknown")
    locked = tuple(_package(name, "1") for name in "abcde")
    offered = (*(_package(name, "2") for name in "abc"), _package("d", "1"), _package("f", "1"))
    found = packages_row(row, locked, offered)
    assert (found.state, found.current, found.newest) == ("newer", "5 packages", "5 differ")
    assert found.reason == "a 1 -> 2, b 1 -> 2, c 1 -> 2, and 2 more"
    assert found.candidates[-2:] == ("e 1 -> (gone)", "f (new) -> 1")
    assert packages_row(row, locked, locked[::-1]).state == "current"


def test_a_toolchain_stays_in_the_line_of_its_name_and_wants_a_wheel_for_every_host() -> None:
    row = Row(kind="toolchain", name="go-1.26", state="unknown")
    pin = ToolPin(name="go-1.26", version="1.26.4")
    arm, amd = ("1.27.1", "1.26.6", "1.26.5", "1.26.4"), ("1.27.1", "1.26.5", "1.26.4")
    found = toolchain_row(row, pin, (arm, amd))
    assert (found.state, found.candidates) == ("newer", ("1.26.5",))
    assert toolchain_row(row, replace(pin, name="go"), (arm, amd)).newest == "1.27.1"
    assert toolchain_row(row, pin, (("1.26.4", "1.27.0"),)).state == "current"
    assert toolchain_row(row, pin, (("1.26.5",),)).state == "gone"
    assert toolchain_row(row, replace(pin, version="tip"), (arm,)).state == "unknown"


def test_rows_are_sorted_and_shown() -> None:
    failed = failed_row(SOURCE, StepError("cannot reach it", ("no\x1broute",)))
    rows = sorted_rows([Row(kind="base", name="b", state="current", current=f"sha256:{'1' * 64}"), failed])
    assert [row.kind for row in rows] == ["source", "base"]
    assert summary(rows) == "2 names looked at: 1 unknown, 1 current"
    lines = list(table(rows, everything=False))
    assert len(lines) == 2
    assert lines[1].endswith(r"cannot reach it: no\x1broute")
    assert len(list(table(rows, everything=True))) == 3
    assert list(table([], everything=True)) == []
    assert document(rows)["rows"][1]["current"] == f"sha256:{'1' * 64}"


def test_a_pattern_without_the_group_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing says which part counts"):
        Watch(tags="v.*")
