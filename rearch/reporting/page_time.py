"""The timeline: what ran when, for whom it waited, and what was taken from the cache."""

from __future__ import annotations

from collections.abc import Mapping

from rearch.reporting.html import Html, el, row, table
from rearch.reporting.page_parts import state
from rearch.reporting.record import Outcome, Run, StepRun
from rearch.reporting.view import length


def timeline_part(run: Run) -> Html:
    """A row for each step that ran, by its start; below, how many were reused."""
    ran = sorted((step for step in run.steps if step.start is not None), key=lambda step: (step.start or 0.0, step.id))
    if not ran:
        return Html(el("p", "No step ran.") + _reused(run))
    by_id = {step.id: step for step in run.steps}
    total = max(step.end or step.start or 0.0 for step in ran) or 1.0
    rows = [_row(step, by_id, total) for step in ran]
    head = ("Step", "Why", "Waited for", "Start", "Length", "When", "Result")
    caption = f"Steps that ran, by their start; the bars are {length(total)} wide"
    return Html(table("timeline", caption, head, rows) + _reused(run))


def _row(step: StepRun, by_id: Mapping[str, StepRun], total: float) -> Html:
    start, seconds = step.start or 0.0, step.seconds or 0.0
    ready = ready_at(step, by_id)
    return row(
        step.id,
        step.reason,
        waited_for(step, by_id),
        el("td", f"{start:.1f} s", class_="number"),
        el("td", length(seconds), class_="number"),
        _bar(ready / total, start / total, seconds / total, failed=step.outcome is Outcome.FAILED),
        [state(step.outcome), el("span", step.note, class_="why") if step.note else None],
    )


def ready_at(step: StepRun, by_id: Mapping[str, StepRun]) -> float:
    """When the last of what it needs was there, in seconds since the run began."""
    ends = (by_id[need].end for need in step.needs if need in by_id)
    return max((end for end in ends if end is not None), default=0.0)


def waited_for(step: StepRun, by_id: Mapping[str, StepRun]) -> str:
    """The steps of this run that had to end first, the last of them with its end; and how many were in the cache."""
    needs = [by_id[need] for need in step.needs if need in by_id]
    ran = sorted((need for need in needs if need.end is not None), key=lambda need: need.end or 0.0)
    cached = sum(need.outcome is Outcome.REUSED or need.start is None for need in needs)
    words = [need.id for need in ran[:-1]] + [f"{need.id} (until {need.end:.1f} s)" for need in ran[-1:]]
    if cached:
        words.append(f"{cached} from the cache")
    queued = (step.start or 0.0) - ready_at(step, by_id)
    if ran and queued >= 0.1:
        words.append(f"then {queued:.1f} s for a free job")
    return "; ".join(words) or "nothing"


def _bar(ready: float, start: float, width: float, *, failed: bool) -> Html:
    """Grey from when it could have begun, blue while it worked. The numbers stand beside it, so it is not read out."""
    wait = _rect("wait", ready, max(0.0, start - ready), 4, 2)
    work = _rect("work failed" if failed else "work", start, max(width, 0.005), 1, 8)
    track = el("rect", class_="track", width="100", height="10")
    bar = el(
        "svg", track, wait, work, class_="bar", viewBox="0 0 100 10", preserveAspectRatio="none", aria_hidden="true"
    )
    return el("td", bar)


def _rect(name: str, start: float, width: float, top: int, height: int) -> Html:
    left = min(start * 100, 99.5)
    shown = min(width * 100, 100 - left)
    return el("rect", class_=name, x=f"{left:.2f}", y=str(top), width=f"{shown:.2f}", height=str(height))


def _reused(run: Run) -> Html:
    """Cache hits, folded: of 50 components x 3 platforms there are more than a thousand."""
    steps = [step for step in run.steps if step.outcome is Outcome.REUSED or step.start is None]
    idle = [step for step in steps if step.outcome is not Outcome.NOT_STARTED]
    untried = [step for step in steps if step.outcome is Outcome.NOT_STARTED]
    return Html(
        _folded(f"{len(idle)} steps from the cache", idle) + _folded(f"{len(untried)} steps not started", untried)
    )


def _folded(title: str, steps: list[StepRun]) -> Html:
    if not steps:
        return Html("")
    lines = [el("li", step.id, f": {step.because} failed" if step.because else None) for step in steps]
    return el("details", el("summary", title), el("ul", lines))
