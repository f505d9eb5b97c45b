"""Which tag a bump takes, and what its answer says. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal, TypeAlias

from msgspec import Struct

from rearch.errors import UsageError
from rearch.formats.printable import printable
from rearch.upkeep.outdated import few
from rearch.upkeep.outdated_tags import Ranked, Rule, Tag

Level: TypeAlias = Literal["patch", "minor", "latest"]
# How many of the leading numbers of a version stay as they are.
_KEPT: dict[Level, int] = {"patch": 2, "minor": 1, "latest": 0}
_SHOWN = 8


class NothingNewer(UsageError):
    """No tag of upstream is newer, within what was asked for."""

    def __init__(self, component: str, current: str, level: Level, beyond: Sequence[str]) -> None:
        self.component = component
        self.level = level
        self.beyond = tuple(beyond)
        more = [f"newer beyond that: {', '.join(map(printable, self.beyond[-_SHOWN:]))}"] if beyond else []
        what = {"patch": "no newer patch release", "minor": "no newer minor release", "latest": "no newer version"}
        hint = "`--minor` and `--latest` look further, `--to V` takes any" if beyond else "`--to V` takes any version"
        super().__init__(f"{component}: upstream has {what[level]} than {printable(current)}", more, hint)


class VersionUnread(UsageError):
    """The version of a recipe has no order, so nothing is newer than it."""

    def __init__(self, component: str, why: str) -> None:
        self.component = component
        super().__init__(
            f"{component}: {why}", hint="`--to V` names the version; `watch:` in the recipe says how tags are read"
        )


class Edited(Struct, frozen=True, kw_only=True):
    """A line of a YAML file, as it was and as it is; `line` from 1."""

    file: str
    line: int
    old: str
    new: str


class Log(Struct, frozen=True, kw_only=True):
    """Upstream's commits between two versions, the newest first: `hash subject`. `total` counts all of them.

    `lost`: commits of the old version that the new one does not have. `missing` says why there is no log.
    """

    lines: tuple[str, ...] = ()
    total: int = 0
    lost: int = 0
    missing: str = ""


class Bumped(Struct, frozen=True, kw_only=True):
    """What a bump did, or would do. `moved`: components (`stack/name`) whose source is another now.

    `old` and `new` are versions. `applied`: a line for each patch, fix and edit that was applied to the new source;
    `failures`: what no longer does (only with `force`).
    `note`: why there was nothing to do.
    """

    component: str
    old: str
    new: str
    edits: tuple[Edited, ...] = ()
    locked: tuple[str, ...] = ()
    moved: tuple[str, ...] = ()
    applied: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()
    log: Log = Log()
    note: str = ""
    wrote: bool = False

    @property
    def changed(self) -> bool:
        return bool(self.edits or self.locked)


def choose(component: str, ranked: Ranked, rule: Rule, level: Level) -> Tag:
    """The newest tag that keeps as many numbers as `level` says. Errors: VersionUnread, NothingNewer."""
    if rule.current is None:
        raise VersionUnread(component, rule.why)
    fits = [tag for tag in ranked.newer if _same_line(rule.current.numbers, tag.version.numbers, level)]
    if not fits:
        raise NothingNewer(component, rule.current.text, level, [tag.name for tag in ranked.newer])
    return fits[-1]


def _same_line(old: Sequence[int], new: Sequence[int], level: Level) -> bool:
    """Whether a version keeps as many of another's leading numbers as `level` says."""
    return _front(old, _KEPT[level]) == _front(new, _KEPT[level])


def _front(numbers: Sequence[int], count: int) -> tuple[int, ...]:
    """v1.2 is v1.2.0."""
    return (*numbers, 0, 0)[:count]


def already(component: str, version: str) -> str:
    """Why nothing was done."""
    return f"{component}: {printable(version)} it is already, nothing was changed"


def newer_libraries(component: str, changes: Sequence[str]) -> str:
    """What to do about the Go libraries of a version that stays; empty without changes."""
    return f"Go libraries moved: {few(changes)}: `rearch lock --update --only {component}`" if changes else ""


def bump_lines(done: Bumped) -> Iterator[str]:
    """For people. Upstream's words are made printable."""
    if not done.changed:
        yield done.note or already(done.component, done.old)
        return
    old = printable(done.old) or "as apt offers"
    same = done.old == done.new  # a Debian source whose Go libraries are others now
    yield f"{done.component}: {old}, locked anew" if same else f"{done.component}: {old} -> {printable(done.new)}"
    for edit in done.edits:
        yield f"  {edit.file}:{edit.line}"
        yield f"    - {printable(edit.old.strip())}"
        yield f"    + {printable(edit.new.strip())}"
    yield from (f"  locked {printable(line)}" for line in done.locked)
    others = [name for name in done.moved if name != done.component]
    if others:
        yield f"  moves too, for the version stands in a place that they share: {', '.join(others)}"
    yield from (f"  applies: {printable(line)}" for line in done.applied)
    yield from (f"  FAILS: {printable(line)}" for line in done.failures)
    yield from _log_lines(done.log)


def _log_lines(log: Log) -> Iterator[str]:
    if log.missing:
        yield f"  upstream's log is not to be had: {printable(log.missing)}"
    if log.lines:
        yield f"  upstream, {log.total} commit{'s' * (log.total != 1)}:"
        yield from (f"    {printable(line)}" for line in log.lines)
    if log.total > len(log.lines):
        yield f"    and {log.total - len(log.lines)} older"
    if log.lost:
        yield f"  {log.lost} commit{'s' * (log.lost != 1)} of the old version are not in the new one"


def bump_document(done: Bumped) -> dict[str, Any]:
    """For `--json`."""
    return {
        "component": done.component,
        "old": done.old,
        "new": done.new,
        "wrote": done.wrote,
        "edits": [{"file": one.file, "line": one.line, "old": one.old, "new": one.new} for one in done.edits],
        "locked": list(done.locked),
        "moved": list(done.moved),
        "applied": list(done.applied),
        "failures": list(done.failures),
        "note": done.note,
        "log": {
            "lines": list(done.log.lines),
            "total": done.log.total,
            "lost": done.log.lost,
            "missing": done.log.missing,
        },
    }
