"""The record of a night, output/nightly.json: what was updated, built and published, and what went wrong."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from rearch.errors import ExitCode, RearchError

AS_PUBLISHED = "as published"
"""The change of a tag that names what would have been built: nothing was."""


class Stage(StrEnum):
    """Where in the night something went wrong."""

    UPDATE = "update"
    BUILD = "build"
    PUBLISH = "publish"
    PRUNE = "prune"
    RUN = "run"


class Problem(Struct, frozen=True, kw_only=True):
    """Something that went wrong. `component` is `stack/name`, empty where it is of no single one."""

    stage: Stage
    component: str
    summary: str
    details: tuple[str, ...] = ()
    hint: str = ""
    exit_code: int = int(ExitCode.FAILED)

    @property
    def is_temporary(self) -> bool:
        """Whether the same may go through another night, with nothing changed on this side."""
        return self.exit_code == ExitCode.TEMPORARY

    @property
    def words(self) -> str:
        """In one line."""
        where = f"{self.component}: " if self.component else ""
        return f"{self.stage}: {where}{self.summary}"


class Change(Struct, frozen=True, kw_only=True):
    """An entry of rearch.lock that the night changed, or a version. `before` and `after` in a word: a commit, a
    version, a digest.

    `held`: why it is as before again; empty where the change stays. `files`: YAML files that were edited for it.
    """

    name: str
    before: str
    after: str
    needed_by: tuple[str, ...]
    held: str = ""
    files: tuple[str, ...] = ()


class Tagged(Struct, frozen=True, kw_only=True):
    """A tag that names what was built, or would have been. `change`: new, moved, merged, unchanged, as published."""

    component: str
    reference: str
    change: str


class Removed(Struct, frozen=True, kw_only=True):
    """A dated tag that is (or, where nothing is applied, would be) removed."""

    reference: str
    digest: str


class Night(Struct, frozen=True, kw_only=True):
    """One night. `components`: those that were to be built; `whole` those of them of which every platform was built
    and checked; of them `as_published` those that were not built, because what is published was made from the same.
    `in_part`: not all of the project was asked for. `date` is the day in dated tags. `seconds`: its length. `told`:
    what a person should know, and is no failure."""

    date: str
    in_part: bool = False
    exit_code: int = 0
    seconds: float = 0.0
    components: tuple[str, ...] = ()
    whole: tuple[str, ...] = ()
    as_published: tuple[str, ...] = ()
    updates: tuple[Change, ...] = ()
    tags: tuple[Tagged, ...] = ()
    removed: tuple[Removed, ...] = ()
    prune_applied: bool = False
    problems: tuple[Problem, ...] = ()
    told: tuple[str, ...] = ()

    @property
    def new_tags(self) -> tuple[Tagged, ...]:
        """Those that were set this night."""
        return tuple(tag for tag in self.tags if tag.change not in ("unchanged", AS_PUBLISHED))

    @property
    def failing(self) -> tuple[str, ...]:
        """What is not well, sorted: components, and stages for what is of no single one."""
        return tuple(sorted({problem.component or str(problem.stage) for problem in self.problems}))


def problem_of(stage: Stage, component: str, error: RearchError) -> Problem:
    """An error, as it is kept."""
    return Problem(
        stage=stage,
        component=component,
        summary=error.summary,
        details=tuple(line for detail in error.details for line in detail.splitlines()),
        hint=error.hint or "",
        exit_code=int(error.exit_code),
    )
