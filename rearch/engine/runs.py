"""What happens in a run, noted as it happens: a Reporter that passes every event on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from msgspec import Struct

from rearch.errors import RearchError
from rearch.model.plan import Action, Plan, PlannedStep
from rearch.model.step import StepId
from rearch.report import Event, Failed, Finished, Planned, Reporter, Said, Skipped, Started
from rearch.reporting.record import Outcome, StepRun, Words

NOT_RUN = "not run"
UNTRIED = "the run ended before it"
Tail = Callable[[Path], tuple[str, ...]]


class _Seen(Struct, frozen=True, kw_only=True):
    """One step so far. Times in seconds since the run began."""

    start: float | None = None
    seconds: float | None = None
    note: str = ""
    failed: Failed | None = None
    because: StepId | None = None
    finished: bool = False


class Recorder:
    """Notes the events of one run. Events may come from several threads."""

    def __init__(self, report: Reporter, clock: Callable[[], float] = time.monotonic) -> None:
        self._report = report
        self._clock = clock
        self._began = clock()
        self._guard = threading.Lock()
        self._plan = Plan(steps=())
        self._seen: dict[StepId, _Seen] = {}
        self._warnings: list[str] = []

    def __call__(self, event: Event) -> None:
        with self._guard:
            self._note(event)
        self._report(event)

    @property
    def seconds(self) -> float:
        """Since the run began."""
        return self._clock() - self._began

    @property
    def plan(self) -> Plan:
        """The plan, empty as long as there is none."""
        return self._plan

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was warned of, each once."""
        return tuple(dict.fromkeys(self._warnings))

    def _note(self, event: Event) -> None:
        match event:
            case Planned():
                self._plan = event.plan
            case Started():
                self._seen[event.step] = _Seen(start=self.seconds)
            case Finished():
                self._seen[event.step] = _Seen(
                    start=self._start(event.step), seconds=event.seconds, note=event.note, finished=True
                )
            case Failed():
                start = self._start(event.step)
                self._seen[event.step] = _Seen(start=start, seconds=event.seconds, failed=event)
            case Skipped():
                self._seen[event.step] = _Seen(because=event.because)
            case Said() if event.level == "warning":
                self._warnings.append(event.text)
            case _:
                pass

    def _start(self, step: StepId) -> float | None:
        return self._seen.get(step, _Seen()).start

    def steps(self, output: Path, tail: Tail, not_run: Callable[[PlannedStep], str | None]) -> Iterator[StepRun]:
        """Every step of the plan. `tail` reads the end of a log; `not_run` says why a check that is made did not run,
        and None of one that did."""
        for planned in self._plan.steps:
            seen = self._seen.get(planned.step.id, _Seen())
            yield _step(planned, seen, output, tail, not_run)


def words(error: RearchError, where: object = "") -> Words:
    """An error as it was told."""
    return Words(
        summary=error.summary,
        details=tuple(line for detail in error.details for line in detail.splitlines()),
        hint=error.hint,
        where=str(where),
        exit_code=int(error.exit_code),
    )


def _step(
    planned: PlannedStep, seen: _Seen, output: Path, tail: Tail, not_run: Callable[[PlannedStep], str | None]
) -> StepRun:
    own = planned.step.id
    outcome, note = _outcome(planned, seen, not_run)
    log = seen.failed.log if seen.failed else None
    return StepRun(
        id=str(own),
        kind=str(own.kind),
        subject=own.subject,
        platform=str(own.platform) if own.platform else None,
        action=str(planned.action),
        reason=planned.reason,
        outcome=outcome,
        needs=tuple(dict.fromkeys(map(str, planned.step.needs.values()))),
        start=_round(seen.start),
        seconds=_round(seen.seconds),
        note=note,
        because=str(seen.because) if seen.because else UNTRIED if outcome is Outcome.NOT_STARTED else "",
        log=_relative(log, output),
        excerpt=tail(log) if log else (),
        error=words(seen.failed.error, own) if seen.failed else None,
    )


def _outcome(planned: PlannedStep, seen: _Seen, not_run: Callable[[PlannedStep], str | None]) -> tuple[Outcome, str]:
    if seen.failed is not None:
        return Outcome.FAILED, ""
    if planned.action is Action.RUN and not seen.finished:
        return Outcome.NOT_STARTED, ""
    why = not_run(planned)
    if why is not None:
        return Outcome.NOT_RUN, seen.note or why
    return (Outcome.MADE if seen.finished else Outcome.REUSED), seen.note


def _round(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)


def _relative(log: Path | None, output: Path) -> str | None:
    if log is None:
        return None
    return str(log.relative_to(output)) if log.is_relative_to(output) else str(log)
