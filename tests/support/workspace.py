"""A Workspace for tests of steps: real folders, the real process runner, and a log that can be read."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

from rearch.host.process import Processes
from rearch.model.command import Command, Completed
from rearch.model.limits import Limits
from rearch.model.step import Artifact, Result, StepKind
from rearch.steps.ports import Need, Workspace


class _Log:
    """What the step said and what its commands printed, in order; `run` and `say` are a Workspace's."""

    def __init__(self) -> None:
        self.buffer = io.BytesIO()
        self.moves: list[tuple[str, int, int, str]] = []
        self._processes = Processes()

    def run(self, command: Command) -> Completed:
        return self._processes.run(command, self.buffer)

    def say(self, line: str) -> None:
        self.buffer.write(line.encode() + b"\n")

    def progress(self, label: str, done: int, total: int, unit: str) -> None:
        self.moves.append((label, done, total, unit))


def make_workspace(
    base: Path,
    *,
    needs: Mapping[str, Need] | None = None,
    project: Path | None = None,
    caches: Path | None = None,
    limits: Limits | None = None,
) -> Workspace:
    """A workspace below `base`, which is made when it is missing.

    `files` and `scratch` are new on every call, so one `base` serves for several steps; `caches` and
    `project` are `base/caches` and `base/project` unless they are given. Commands really run.
    """
    number = 1
    while (place := base / f"work-{number}").exists():
        number += 1
    files, scratch = place / "files", place / "scratch"
    project = project or base / "project"
    caches = caches or base / "caches"
    for folder in (files, scratch, project, caches):
        folder.mkdir(parents=True, exist_ok=True)
    log = _Log()
    return Workspace(
        files=files,
        scratch=scratch,
        caches=caches,
        project=project,
        needs=dict(needs or {}),
        run=log.run,
        say=log.say,
        progress=log.progress,
        limits=limits or Limits(),
    )


def log_of(work: Workspace) -> str:
    """Everything in the step's log so far: its own lines and the output of its commands."""
    return _log(work).buffer.getvalue().decode("utf-8", "replace")


def progress_of(work: Workspace) -> tuple[tuple[str, int, int, str], ...]:
    """Every call of `work.progress` so far, as (label, done, total, unit)."""
    return tuple(_log(work).moves)


def make_need(
    files: Path,
    kind: StepKind,
    *,
    facts: Mapping[str, object] | None = None,
    artifacts: tuple[Artifact, ...] = (),
    key: str = "0" * 64,
) -> Need:
    """A finished step whose result is the folder `files`, as a Workspace's `needs` hold it."""
    return Need(result=Result(key=key, kind=kind, artifacts=artifacts, facts=dict(facts or {})), files=files)


def _log(work: Workspace) -> _Log:
    log = getattr(work.say, "__self__", None)
    if not isinstance(log, _Log):
        raise TypeError("this workspace was not made by make_workspace")
    return log
