"""A plan as text."""

from __future__ import annotations

from collections.abc import Iterator

from rearch.model.plan import Action, Plan, PlannedStep
from rearch.planning.planner import StoreView
from rearch.planning.why import differences


def plan_lines(plan: Plan, explain_with: StoreView | None = None, *, everything: bool = False) -> Iterator[str]:
    """What runs and why, one line a step; with `everything` what is reused too; with a view, what differs."""
    for planned in plan.steps:
        if planned.action is Action.RUN or everything:
            yield f"{planned.action:<6} {planned.step.id}: {planned.reason}"
            if explain_with is not None and planned.action is Action.RUN:
                yield from _explanation(planned, explain_with)
    count = len(plan.to_run)
    yield (
        f"{count} to run, {len(plan.steps) - count} reused"
        if count
        else (f"nothing to do: all {len(plan.steps)} steps are made from the same inputs")
    )


def _explanation(planned: PlannedStep, view: StoreView) -> Iterator[str]:
    last = view.last_key(planned.step.id)
    before = view.document(last) if last else None
    yield f"         key {planned.key[:12]}" + (f", before {last[:12]}" if last else "")
    if before is None:
        return
    for difference in differences(before, planned.document):
        yield f"         {difference}"
