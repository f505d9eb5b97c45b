"""Steps -> plan: what runs, what is reused, and why. Pure: it asks a view of the store, and changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from rearch.model.plan import Action, Plan, PlannedStep
from rearch.model.step import Step, StepId
from rearch.planning.keys import keys_of, step_document
from rearch.planning.why import differences, reason_from


class StoreView(Protocol):
    """What the planner wants to know of earlier runs."""

    def has(self, key: str) -> bool:
        """Whether the result of a key is there, whole."""

    def last_key(self, step: StepId) -> str | None:
        """The key under which this project made the step last."""

    def document(self, key: str) -> Mapping[str, Any] | None:
        """What the key was made from, if that is still known."""


def make_plan(steps: tuple[Step, ...], view: StoreView, *, fresh: Iterable[StepId] = ()) -> Plan:
    """Decide for each step. Steps in `fresh` run even when their result is there.

    A step whose result is missing runs only if something that runs reads it: a source that was
    removed from the cache is not fetched again for binaries that are there. Such a step is not in the plan.
    """
    planner = _Planner(steps, view, frozenset(fresh))
    return Plan(steps=tuple(planned for step in steps if (planned := planner.decide(step))))


class _Planner:
    def __init__(self, steps: tuple[Step, ...], view: StoreView, fresh: frozenset[StepId]) -> None:
        self._view = view
        self._fresh = fresh
        self._keys = keys_of(steps)
        self._there = {step.id: step.id not in fresh and view.has(self._keys[step.id]) for step in steps}
        self._running = self._find_running(steps)
        self._rechecked = self._find_rechecked(steps)

    def decide(self, step: Step) -> PlannedStep | None:
        if step.id in self._running:
            return self._planned(step, Action.RUN, self._reason(step))
        if step.id in self._rechecked:
            return self._planned(step, Action.RUN, "what it checks is made again")
        if self._there[step.id]:
            return self._planned(step, Action.REUSE, "made from the same inputs")
        return None

    def _find_running(self, steps: tuple[Step, ...]) -> frozenset[StepId]:
        """Goals that are missing, and whatever is missing of what those need."""
        read = {need for step in steps for need in step.needs.values()}
        running: set[StepId] = set()
        for step in reversed(steps):
            wanted = step.id in running or step.id not in read or step.id.kind.is_goal
            if wanted and not self._there[step.id]:
                running.add(step.id)
                running.update(need for need in step.needs.values() if not self._there[need])
        return frozenset(running)

    def _find_rechecked(self, steps: tuple[Step, ...]) -> frozenset[StepId]:
        """Checks whose result is there, of something that is made again: only the same bytes have passed them."""
        checks = ((step, step.id.kind.checks) for step in steps)
        again = (step.id for step, role in checks if role is not None and step.needs[role] in self._running)
        return frozenset(again) - self._running

    def _planned(self, step: Step, action: Action, reason: str) -> PlannedStep:
        readable = step_document(step, self._keys) if action is Action.RUN else {}
        again = step.id in self._fresh or step.id in self._rechecked
        return PlannedStep(
            step=step, key=self._keys[step.id], action=action, reason=reason, document=readable, again=again
        )

    def _reason(self, step: Step) -> str:
        if step.id in self._fresh:
            return "asked for"
        last = self._view.last_key(step.id)
        if last is None:
            return "not made yet"
        if last == self._keys[step.id]:
            return "its result is no longer in the store"
        before = self._view.document(last)
        if before is None:
            return "its inputs changed (the earlier ones are no longer in the store)"
        now = step_document(step, self._keys)
        return reason_from(step, differences(before, now), now)
