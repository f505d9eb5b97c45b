"""The timeline: what ran when, for whom it waited, and what was taken from the cache."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rearch.reporting.html import Html, breakable, el, number_head, row, table
from rearch.reporting.page_parts import state
from rearch.reporting.record import Outcome, Run, StepRun
from rearch.reporting.view import length

SHOWN = 40


def timeline_part(run: Run) -> Html:
    """A row for each step that ran, by its start, the shorter ones of many folded; below, how many were reused."""
    ran = sorted((step for step in run.steps if step.start is not None), key=lambda step: (step.start or 0.0, step.id))
    if not ran:
        return Html(el("p", "No step ran.") + _reused(run))
    by_id = {step.id: step for step in run.steps}
    total = max(step.end or step.start or 0.0 for step in ran) or 1.0
    long = _longest(ran)
    whole = f"Steps that ran, by their start; the bars are {length(total)} wide"
    if len(long) == len(ran):
        return Html(_table("timeline", whole, ran, by_id, total) + _reused(run))
    short = [step for step in ran if step.id not in long]
    first = f"Of {len(ran)} steps that ran the {len(long)} longest, by their start; the bars are {length(total)} wide"
    return Html(
        _table("timeline", first, [step for step in ran if step.id in long], by_id, total)
        + el(
            "details",
            el("summary", f"{len(short)} shorter steps"),
            _table("timeline-short", "The shorter steps, by their start", short, by_id, total),
        )
        + _reused(run)
    )


def _longest(ran: Sequence[StepRun]) -> frozenset[str]:
    """The ids of those to look at: of a build of everything nine steps of ten take no time to speak of."""
    ranked = sorted(ran, key=lambda step: (step.outcome is not Outcome.FAILED, -(step.seconds or 0.0), step.id))
    failed = sum(step.outcome is Outcome.FAILED for step in ran)
    return frozenset(step.id for step in ranked[: max(SHOWN, failed)])


def _table(name: str, caption: str, steps: Sequence[StepRun], by_id: Mapping[str, StepRun], total: float) -> Html:
    head = ("Step", "Why", "Waited for", number_head("Start"), number_head("Length"), "When", "Result")
    return table(name, caption, head, [_row(step, by_id, total) for step in steps])


def _row(step: StepRun, by_id: Mapping[str, StepRun], total: float) -> Html:
    start, seconds = step.start or 0.0, step.seconds or 0.0
    ready = ready_at(step, by_id)
    return row(
        step.id,
        el("span", step.reason, class_="why"),
        el("span", breakable(waited_for(step, by_id)), class_="why"),
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
