"""Events, and the protocol of whoever shows them. Steps report; only a Reporter knows the terminal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from rearch.errors import RearchError

if TYPE_CHECKING:  # a publish reports too, and has no need of the models of recipes and steps
    from rearch.model.plan import Plan
    from rearch.model.step import StepId


class Planned(Struct, frozen=True, kw_only=True):
    """The plan is made; nothing has started."""

    plan: Plan


class Started(Struct, frozen=True, kw_only=True):
    step: StepId
    reason: str


class Progress(Struct, frozen=True, kw_only=True):
    """Part of a step's work, for a bar: `done` of `total` (0: unknown) in `unit` ("B" for bytes)."""

    step: StepId
    label: str
    done: int
    total: int
    unit: str


class Moved(Struct, frozen=True, kw_only=True):
    """Bytes that a publish sends, for a bar: `part` of `size` of one thing, `done` of `total` of all."""

    what: str
    part: int
    size: int
    done: int
    total: int


class Finished(Struct, frozen=True, kw_only=True):
    """`note` is what the step wants said of its result, as `not run: no emulator`."""

    step: StepId
    seconds: float
    note: str = ""


class Failed(Struct, frozen=True, kw_only=True):
    step: StepId
    seconds: float
    error: RearchError
    log: Path | None


class Skipped(Struct, frozen=True, kw_only=True):
    """A step that was not tried because `because` failed."""

    step: StepId
    because: StepId


class Said(Struct, frozen=True, kw_only=True):
    """A line for people. `level` is info, detail (only with --verbose) or warning."""

    text: str
    level: str = "info"


Event = Planned | Started | Progress | Moved | Finished | Failed | Skipped | Said
Reporter = Callable[[Event], None]


def silent(_event: Event) -> None:
    """A Reporter that shows nothing."""
