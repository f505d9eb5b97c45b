"""Does one step: lock, look again, scratch, work, record, rename."""

from __future__ import annotations

import itertools
import shlex
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO

from msgspec import Struct

from rearch.engine.records import digests
from rearch.engine.refused import HostError, is_refusal
from rearch.engine.store import Lease, Store
from rearch.errors import RearchError
from rearch.formats.hashing import sha256_file
from rearch.formats.tree import remove_tree, tree_digest
from rearch.model.command import Command, Completed
from rearch.model.digest import Digest
from rearch.model.limits import Limits
from rearch.model.plan import PlannedStep
from rearch.model.step import Artifact, Inputs, Result, StepId, StepKind
from rearch.report import Progress, Reporter
from rearch.steps.ports import Need, Outcome, Workspace

CommandRunner = Callable[[Command, IO[bytes], int], Completed]
Perform = Callable[[Inputs, Workspace], Outcome]


class Surroundings(Struct, frozen=True, kw_only=True):
    """What all steps of a run share. `logs` is a folder; `caches` holds the compilers' own caches."""

    project: Path
    logs: Path
    caches: Path
    limits: Limits
    run: CommandRunner
    perform: Perform
    report: Reporter


class Worker:
    """Makes results. Every method may be called from several threads."""

    def __init__(self, store: Store, lease: Lease, around: Surroundings) -> None:
        self._store = store
        self._lease = lease
        self._around = around
        self._numbers = itertools.count()
        self._guard = threading.Lock()
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Stop waiting for other runs. Whoever runs the commands ends those."""
        self._stopped.set()

    def work(self, planned: PlannedStep, keys: Mapping[StepId, str]) -> Result:
        """Make the result, or take it when another run has made it meanwhile. Errors: RearchError."""
        try:
            with self._store.making(planned.key, self._stopped):
                if not planned.again and self._store.has(planned.key):
                    return self._store.load(planned.key)
                return self._make(planned, keys)
        except OSError as error:
            if is_refusal(error):
                raise HostError("the machine refused", error) from error
            raise

    def log_path(self, step: StepId) -> Path:
        """Where a step's log is: logs/<stack>/<component>/<kind>[@platform].log."""
        platform = f"@{step.platform.slug}" if step.platform else ""
        return self._around.logs / step.subject / f"{step.kind}{platform}.log"

    def _make(self, planned: PlannedStep, keys: Mapping[StepId, str]) -> Result:
        with self._guard:
            scratch = self._lease.scratch / str(next(self._numbers))
        result, work = scratch / "result", scratch / "work"
        (result / "files").mkdir(parents=True)
        work.mkdir()
        log = self.log_path(planned.step.id)
        log.parent.mkdir(parents=True, exist_ok=True)
        try:
            with log.open("wb", buffering=0) as stream:
                space = self._workspace(planned, keys, result / "files", work, stream)
                outcome = self._perform(planned, space, stream)
            record = _record(planned, outcome, space)
            self._store.commit(record, planned.document, result)
            return record
        finally:
            remove_tree(scratch)

    def _perform(self, planned: PlannedStep, work: Workspace, stream: IO[bytes]) -> Outcome:
        try:
            return self._around.perform(planned.step.inputs, work)
        except RearchError as error:
            stream.write(f"\n{error.render(planned.step.id)}\n".encode())
            raise

    def _workspace(
        self, planned: PlannedStep, keys: Mapping[StepId, str], files: Path, work: Path, log: IO[bytes]
    ) -> Workspace:
        step, around = planned.step, self._around
        needs = {
            role: Need(result=self._store.load(keys[need]), files=self._store.files(keys[need]))
            for role, need in step.needs.items()
        }

        def progress(label: str, done: int, total: int, unit: str) -> None:
            around.report(Progress(step=step.id, label=label, done=done, total=total, unit=unit))

        return Workspace(
            files=files,
            scratch=work,
            caches=around.caches,
            project=around.project,
            needs=needs,
            run=lambda command: _run(command, log, around),
            say=lambda text: _say(log, text),
            progress=progress,
            limits=around.limits,
        )


def _run(command: Command, log: IO[bytes], around: Surroundings) -> Completed:
    """Run a command, which the log names first."""
    _say(log, f"$ cd {shlex.quote(str(command.cwd))} && {shlex.join(command.argv)}")
    return around.run(command, log, around.limits.log_bytes)


def _say(log: IO[bytes], text: str) -> None:
    log.write((text + "\n").encode("utf-8", "surrogateescape"))


def _record(planned: PlannedStep, outcome: Outcome, work: Workspace) -> Result:
    """The record: each file for what people take away, one digest over the tree for what only steps read.

    A check's record names the bytes that it has seen: only those may be handed out as checked.
    """
    kind, files = planned.step.id.kind, work.files
    facts = dict(outcome.facts) | ({"note": outcome.note} if outcome.note else {})
    artifacts = outcome.artifacts or ()
    if kind.checks is not None:
        facts["checked"] = digests(work.needs[kind.checks].result)
    elif kind is StepKind.COMPILE:
        artifacts = tuple(_artifact(path, files) for path in sorted(files.rglob("*")) if not path.is_dir())
    elif outcome.artifacts is None:
        facts["tree"] = tree_digest(files)
    return Result(key=planned.key, kind=kind, artifacts=artifacts, facts=facts)


def _artifact(path: Path, files: Path) -> Artifact:
    name = path.relative_to(files).as_posix()
    status = path.lstat()
    if path.is_symlink():
        target = str(path.readlink())
        digest = Digest.of(target.encode()).hex
        return Artifact(path=name, size=len(target), digest=digest, mode=0o777, target=target)
    return Artifact(path=name, size=status.st_size, digest=sha256_file(path), mode=status.st_mode & 0o777)
