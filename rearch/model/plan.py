"""The plan: ordered steps, each with what happens to it and why."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from msgspec import Struct

from rearch.model.step import Step


class Action(StrEnum):
    RUN = "run"
    REUSE = "reuse"


class PlannedStep(Struct, frozen=True, kw_only=True):
    """`reason` is a clause in words: `edit 1 of main.go changed`. `document` is what the key was made
    from; empty for a step that is reused. With `again` it is made even if its result is there.
    """

    step: Step
    key: str
    action: Action
    reason: str
    document: Mapping[str, Any]
    again: bool = False


class Plan(Struct, frozen=True, kw_only=True):
    """Steps in an order in which each comes after those it needs."""

    steps: tuple[PlannedStep, ...]

    @property
    def to_run(self) -> tuple[PlannedStep, ...]:
        return tuple(planned for planned in self.steps if planned.action is Action.RUN)
