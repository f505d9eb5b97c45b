"""Events, and the protocol of whoever shows them. Steps report; only a Reporter knows the terminal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rearch.errors import RearchError

if TYPE_CHECKING:  # a publish reports too, and has no need of the models of recipes and steps
    from rearch.model.plan import Plan
    from rearch.model.step import StepId


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """The plan is made; nothing has started."""

    plan: Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    step: StepId
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Part of a step's work, for a bar: `done` of `total` (0: unknown) in `unit` ("B" for bytes)."""

    step: StepId
    label: str
    done: int
    total: int
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """`note` is what the step wants said of its result, as `not run: no emulator`."""

    step: StepId
    seconds: float
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    step: StepId
    seconds: float
    error: RearchError
    log: Path | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """A step that was not tried because `because` failed."""

    step: StepId
    because: StepId


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A line for people. `level` is info, detail (only with --verbose) or warning."""

    text: str
    level: str = "info"


Event = Planned | Started | Progress | Finished | Failed | Skipped | Said
Reporter = Callable[[Event], None]


def silent(_event: Event) -> None:
    """A Reporter that shows nothing."""
