"""Walks a plan: starts what is ready, keeps the rest waiting, and never leaves anything torn."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from msgspec import Struct

from rearch.engine.worker import Worker
from rearch.errors import Interrupted, RearchError
from rearch.model.plan import Plan, PlannedStep
from rearch.model.step import Result, StepId
from rearch.planning.lanes import lane
from rearch.report import Failed, Finished, Reporter, Skipped, Started

POLL = 0.5


class Timed(Struct, frozen=True, kw_only=True):
    """A step that ran, with its start and length in seconds since the run began."""

    step: StepId
    start: float
    seconds: float


class Summary(Struct, frozen=True, kw_only=True):
    """What became of a plan."""

    finished: tuple[Timed, ...]
    failed: tuple[Failed, ...]
    skipped: tuple[Skipped, ...]


class Policy(Struct, frozen=True, kw_only=True):
    """`jobs` steps at once; after a failure the others go on only with `keep_going`."""

    jobs: int
    keep_going: bool = False


class Executor:
    """Runs one plan. Single use."""

    def __init__(self, worker: Worker, report: Reporter, policy: Policy, stop: Callable[[], None]) -> None:
        self._worker = worker
        self._report = report
        self._policy = policy
        self._stop = stop
        self._busy: set[str] = set()
        self._finished: list[Timed] = []
        self._failed: dict[StepId, Failed] = {}
        self._skipped: dict[StepId, Skipped] = {}

    def run(self, plan: Plan) -> Summary:
        """Run all that is to run. Errors: Interrupted; a step's own failure is in the summary."""
        keys = {planned.step.id: planned.key for planned in plan.steps}
        waiting = {planned.step.id: planned for planned in plan.to_run}
        began = time.monotonic()
        running: dict[Future[Result], tuple[PlannedStep, float]] = {}
        with ThreadPoolExecutor(self._policy.jobs, thread_name_prefix="step") as pool:
            try:
                while waiting or running:
                    self._give_up(waiting)
                    for planned in self._ready(waiting, running):
                        del waiting[planned.step.id]
                        self._report(Started(step=planned.step.id, reason=planned.reason))
                        running[pool.submit(self._worker.work, planned, keys)] = (planned, time.monotonic())
                    self._collect(running, began)
            except BaseException as error:
                self._worker.stop()
                self._stop()
                pool.shutdown(cancel_futures=True)
                if isinstance(error, KeyboardInterrupt):
                    raise Interrupted from None
                raise
        return Summary(
            finished=tuple(self._finished),
            failed=tuple(self._failed.values()),
            skipped=tuple(self._skipped.values()),
        )

    def _ready(
        self, waiting: Mapping[StepId, PlannedStep], running: Mapping[Future[Result], tuple[PlannedStep, float]]
    ) -> tuple[PlannedStep, ...]:
        """Steps that can start now, in the plan's order, as far as there are free jobs and lanes."""
        unmade = {*waiting, *(planned.step.id for planned, _ in running.values())}
        ready: list[PlannedStep] = []
        for planned in waiting.values():
            if len(ready) + len(running) >= self._policy.jobs:
                break
            own = lane(planned.step)
            if own in self._busy or not unmade.isdisjoint(planned.step.needs.values()):
                continue
            if own is not None:
                self._busy.add(own)
            ready.append(planned)
        return tuple(ready)

    def _give_up(self, waiting: dict[StepId, PlannedStep]) -> None:
        """Drop what can no longer be made: what needs a failed step, or everything after a failure."""
        if not self._failed:
            return
        for planned in tuple(waiting.values()):
            because = self._obstacle(planned)
            if because is not None:
                del waiting[planned.step.id]
                skipped = Skipped(step=planned.step.id, because=because)
                self._skipped[planned.step.id] = skipped
                self._report(skipped)

    def _obstacle(self, planned: PlannedStep) -> StepId | None:
        for need in planned.step.needs.values():
            if need in self._failed:
                return need
            if need in self._skipped:
                return self._skipped[need].because
        return None if self._policy.keep_going else next(iter(self._failed))

    def _collect(self, running: dict[Future[Result], tuple[PlannedStep, float]], began: float) -> None:
        """Wait until something ends; at most POLL seconds, so that Ctrl-C is noticed."""
        done, _ = wait(running, timeout=POLL, return_when=FIRST_COMPLETED)
        for future in done:
            planned, started = running.pop(future)
            self._busy.discard(lane(planned.step) or "")
            self._settle(planned, future, started, began)

    def _settle(self, planned: PlannedStep, future: Future[Result], started: float, began: float) -> None:
        seconds = time.monotonic() - started
        step = planned.step.id
        try:
            result = future.result()
        except RearchError as error:
            failed = Failed(step=step, seconds=seconds, error=error, log=self._worker.log_path(step))
            self._failed[step] = failed
            self._report(failed)
            return
        self._finished.append(Timed(step=step, start=started - began, seconds=seconds))
        self._report(Finished(step=step, seconds=seconds, note=str(result.facts.get("note", ""))))
