"""What every document tells of a run: the matrix, the sizes with their changes, in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from msgspec import Struct

from rearch.reporting.history import IMAGE, History, Size, sizes_of
from rearch.reporting.record import Outcome, Run, StepRun

SHARED = "all platforms"
CODES = {
    0: "done",
    1: "a step failed",
    2: "usage or configuration",
    3: "verification failed",
    4: "published in part",
    75: "temporary: try again later",
    130: "interrupted",
}


class Cell(Struct, frozen=True, kw_only=True):
    """A component on a platform: the outcome of its worst step, and why."""

    outcome: Outcome
    reason: str


class Matrix(Struct, frozen=True, kw_only=True):
    """`platforms` in the order of the plan, `SHARED` last, for steps that are for all of them."""

    components: tuple[str, ...]
    platforms: tuple[str, ...]
    cells: Mapping[tuple[str, str], Cell]


class Change(Struct, frozen=True, kw_only=True):
    """A size, and what it was before (None: it is new)."""

    size: Size
    before: int | None

    @property
    def difference(self) -> int | None:
        """In bytes."""
        return None if self.before is None else self.size.bytes - self.before


def matrix(run: Run) -> Matrix:
    """Component x platform. Toolchains are rows too when they did not come off, for they explain the others."""
    own = [step for step in run.steps if step.kind != "toolchain" or step.outcome is Outcome.FAILED]
    rows: dict[tuple[str, str], list[StepRun]] = {}
    for step in own:
        rows.setdefault((step.component, step.platform or SHARED), []).append(step)
    platforms = sorted({platform for _, platform in rows} - {SHARED})
    shared = [SHARED] if any(place == SHARED for _, place in rows) else []
    return Matrix(
        components=tuple(sorted({component for component, _ in rows})),
        platforms=(*platforms, *shared),
        cells={place: cell(steps) for place, steps in rows.items()},
    )


def cell(steps: Iterable[StepRun]) -> Cell:
    """The worst of some steps, the first among equals: it is the cause of the others."""
    worst = min(steps, key=lambda step: step.outcome.rank)
    return Cell(outcome=worst.outcome, reason=reason(worst))


def reason(step: StepRun) -> str:
    """Why a step came out as it did, in a clause."""
    match step.outcome:
        case Outcome.FAILED:
            return f"{step.kind}: {step.error.summary if step.error else 'it failed'}"
        case Outcome.NOT_STARTED:
            return step.because and f"{step.because} failed"
        case Outcome.NOT_RUN:
            return f"{step.kind}: {step.note or 'this host cannot start it'}"
        case Outcome.MADE:
            return f"{step.kind}: {step.reason}"
        case Outcome.REUSED:
            return step.reason


def failures(run: Run) -> tuple[StepRun, ...]:
    """The steps that failed."""
    return tuple(step for step in run.steps if step.outcome is Outcome.FAILED)


def changes(run: Run, history: History) -> tuple[Change, ...]:
    """Every size of a run beside what it was when it was last built."""
    before = history.sizes_before(run.id)
    return tuple(Change(size=size, before=before.get(size.key)) for size in sizes_of(run))


def totals(history: History, command: str = "build") -> Mapping[str, tuple[tuple[int, int], ...]]:
    """Platform -> (time, bytes of all binaries) of each run; what a run did not build counts as it was before, and a
    run that found nothing to do is no point of its own."""
    last: dict[tuple[str, str, str, str], int] = {}
    found: dict[str, list[tuple[int, int]]] = {}
    for line in (line for line in history.of(command) if not line.again):
        last.update({size.key: size.bytes for size in line.sizes if size.what != IMAGE})
        sums: dict[str, int] = {}
        for (_, _, platform, _), size in last.items():
            sums[platform] = sums.get(platform, 0) + size
        for platform, total in sums.items():
            found.setdefault(platform, []).append((line.time, total))
    return {platform: tuple(points) for platform, points in sorted(found.items())}


def moment(time: int) -> str:
    """`2026-11-22 22:50 UTC`."""
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d %H:%M UTC")


def iso(time: float) -> str:
    """`2026-11-22T22:50:00`, UTC, as an xs:dateTime without a zone."""
    return datetime.fromtimestamp(int(time), UTC).strftime("%Y-%m-%dT%H:%M:%S")


def human(size: int) -> str:
    """`12.3 MB`, `4.1 kB`, `17 B`: powers of 1000, as a disk's."""
    if abs(size) >= 1_000_000:
        return f"{size / 1e6:.1f} MB"
    return f"{size / 1e3:.1f} kB" if abs(size) >= 1000 else f"{size} B"


def difference(change: Change) -> str:
    """`+1.2 kB (+0.3 %)`, `as before`, `new`."""
    if change.difference is None:
        return "new"
    if not change.difference:
        return "as before"
    sign = "+" if change.difference > 0 else "\N{MINUS SIGN}"
    share = f" ({sign}{abs(change.difference) / change.before:.1%})" if change.before else ""
    return f"{sign}{human(abs(change.difference))}{share}"


def length(seconds: float) -> str:
    """`3 min 07 s`, `4.2 s`."""
    if seconds >= 60:
        return f"{int(seconds // 60)} min {int(seconds % 60):02d} s"
    return f"{seconds:.1f} s"


def verdict(run: Run) -> str:
    """A run in a sentence."""
    what = CODES.get(run.exit_code, f"exit code {run.exit_code}")
    counts = ", ".join(f"{count} {name}" for name, count in run.counts().items() if count)
    tail = f": {counts}" if counts else ""
    return f"{what}{tail}, in {length(run.seconds)}"
