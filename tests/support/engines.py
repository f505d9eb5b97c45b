"""An executor over a real store, whose steps are done by a function of the test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import IO

from rearch.engine.executor import Executor, Policy, Summary
from rearch.engine.store import Store
from rearch.engine.worker import Surroundings, Worker
from rearch.model.command import Command, Completed
from rearch.model.limits import Limits
from rearch.model.plan import Plan
from rearch.model.step import CompileInputs, Inputs, SmokeInputs
from rearch.report import Event
from rearch.steps.ports import Outcome, Workspace

Perform = Callable[[Inputs, Workspace], Outcome]


def make_files(inputs: Inputs, work: Workspace) -> Outcome:
    """Leave what the kind of step would leave, without doing its work."""
    work.say(f"did {type(inputs).__name__}")
    if isinstance(inputs, CompileInputs):
        (work.files / "bin").mkdir()
        for name in inputs.binaries:
            (work.files / "bin" / name).write_bytes(f"{name} for {inputs.platform}".encode())
            (work.files / "bin" / name).chmod(0o755)
        for name, target in inputs.links.items():
            (work.files / "bin" / name).symlink_to(target)
    else:
        (work.files / "file").write_text(type(inputs).__name__)
    return Outcome(facts={"outcome": "passed"} if isinstance(inputs, SmokeInputs) else {})


class Bench:
    """Runs plans in a folder, and keeps the events."""

    def __init__(self, base: Path, perform: Perform = make_files, *, jobs: int = 2, keep_going: bool = False) -> None:
        self.store = Store(base / "cache")
        self.base = base
        self.perform = perform
        self.policy = Policy(jobs=jobs, keep_going=keep_going)
        self.events: list[Event] = []
        self.stopped = 0

    def run(self, plan: Plan) -> Summary:
        with self.store.lease() as lease:
            lease.declare(planned.key for planned in plan.steps)
            worker = Worker(self.store, lease, self._around())
            return Executor(worker, self.events.append, self.policy, self._stop).run(plan)

    def _stop(self) -> None:
        self.stopped += 1

    def _around(self) -> Surroundings:
        return Surroundings(
            project=self.base,
            logs=self.base / "logs",
            caches=self.base / "cache",
            limits=Limits(),
            run=_no_command,
            perform=self.perform,
            report=self.events.append,
        )


def _no_command(command: Command, _log: IO[bytes], _limit: int) -> Completed:
    raise AssertionError(f"no command is wanted here: {command.argv}")
