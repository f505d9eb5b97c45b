"""Published images beside what there is now."""

from __future__ import annotations

from rearch.model.frozen import FrozenDict
from rearch.model.lock import PinnedBase
from rearch.upkeep.outdated_rows import Row
from rearch.upkeep.stale import Published, base_row, locked_row, packages_row, source_row, toolchain_row

ROW = Row(kind="source", name="example.org/app:1", state="unknown")
OLD, NEW = "a" * 40, "b" * 40
PREFIX = "org.opencontainers.image."


def _published(**said: str) -> Published:
    keys = {f"{PREFIX}{name.replace('_', '.')}": value for name, value in said.items() if name != "toolchain"}
    own = {"io.github.rearch.toolchain": said["toolchain"]} if "toolchain" in said else {}
    return Published(reference="example.org/app:1", annotations=FrozenDict(keys | own))


def test_a_base_may_be_named_by_its_index_or_by_the_manifest_of_a_platform() -> None:
    now = PinnedBase(reference="x", digest="sha256:1", platforms=FrozenDict({"linux/arm64": "sha256:2"}))
    states = [base_row(ROW, _published(base_digest=one), now).state for one in ("sha256:1", "sha256:2", "sha256:3")]
    assert states == ["current", "current", "newer"]
    assert base_row(ROW, _published(base_digest="sha256:1"), None).state == "gone"
    assert base_row(ROW, _published(), now).state == "unknown"


def test_a_source_is_looked_up_by_its_commit() -> None:
    app = _published(revision=OLD, version="1.0")
    refs = {"refs/tags/v1.0": OLD, "refs/tags/v1.1": NEW, "refs/heads/main": NEW}
    assert source_row(ROW, app, refs, None).newest == "v1.1"
    assert source_row(ROW, app, {"refs/tags/v1.0": OLD}, None).state == "current"
    assert source_row(ROW, app, {"refs/tags/v1.0": NEW}, None).state == "moved"
    assert source_row(ROW, app, {"refs/heads/main": OLD}, None).state == "current"
    lost = source_row(ROW, app, {"refs/heads/main": NEW}, None)
    assert (lost.state, lost.reason) == ("moved", "no tag or branch of upstream names this commit now")


def test_the_project_may_have_gone_on() -> None:
    app = _published(revision=OLD, toolchain="go-1.27 1.27.3, zig 0.15.1")
    assert locked_row(ROW, app, OLD, "rearch.lock: git x v1").state == "current"
    newer = locked_row(ROW, app, NEW, "rearch.lock: git x v2")
    assert (newer.newest, newer.reason) == (NEW, "rearch.lock has another since")
    versions = {"go-1.27": "1.27.3", "zig": "0.15.1"}
    assert toolchain_row(ROW, app, versions).state == "current"
    later = toolchain_row(ROW, app, versions | {"zig": "0.16.0"})
    assert (later.state, later.newest) == ("newer", "go-1.27 1.27.3, zig 0.16.0")
    assert toolchain_row(ROW, app, {"zig": "0.15.1"}).reason == "this project has no toolchain go-1.27"


def test_packages_are_compared_by_digest() -> None:
    app = Published(reference="x", annotations=FrozenDict({"io.github.rearch.packages": "sha256:1"}))
    assert packages_row(ROW, app, "sha256:1").state == "current"
    assert packages_row(ROW, app, "sha256:2").state == "newer"


def test_a_debian_source_is_known_by_its_address() -> None:
    app = _published(source="https://sources.debian.org/src/golang-x/1.1+ds1-3/")
    assert app.debian == ("golang-x", "1.1+ds1-3")
    assert _published(source="https://example.org/src/golang-x/1.1/").debian is None
    assert not _published(revision="1.1+ds1-3").has_commit
