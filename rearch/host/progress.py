"""Reporters for people and for programs. They write to the stream they are given (stderr), nowhere else."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, assert_never

from rearch.errors import RearchError, UsageError
from rearch.host.logs import last_lines
from rearch.report import Event, Failed, Finished, Moved, Planned, Progress, Reporter, Said, Skipped, Started

if TYPE_CHECKING:
    from rearch.model.plan import Plan

LOG_LINES = 12


def reporter(kind: str, stream: IO[str], environment: dict[str, str], *, verbose: bool, root: Path) -> Reporter:
    """The reporter for `--progress auto|plain|tty|json|quiet`. Paths are shown relative to `root`.

    auto is a bar on a terminal that can move its cursor, and plain lines elsewhere (CI, NO_COLOR, a pipe).
    """
    if kind == "auto":
        bar = stream.isatty() and not {"CI", "NO_COLOR"} & environment.keys() and environment.get("TERM") != "dumb"
        kind = "tty" if bar else "plain"
    match kind:
        case "plain":
            return PlainReporter(stream, verbose=verbose, root=root)
        case "quiet":
            return PlainReporter(stream, verbose=False, root=root, quiet=True)
        case "tty":
            return BarReporter(stream, verbose=verbose, root=root)
        case "json":
            return JsonReporter(stream)
    raise UsageError(f"--progress {kind}: no such kind", hint="use auto, plain, tty, json or quiet")


class PlainReporter:
    """One line a step, for logs and pipes."""

    def __init__(self, stream: IO[str], *, verbose: bool, root: Path, quiet: bool = False) -> None:
        self._stream = stream
        self._verbose = verbose
        self._root = root
        self._quiet = quiet
        self._lock = threading.Lock()
        self._total = self._ended = 0

    def __call__(self, event: Event) -> None:
        with self._lock:
            for line in self._lines(event):
                self._print(line)

    def _print(self, line: str) -> None:
        self._stream.write(line + "\n")
        self._stream.flush()

    def _lines(self, event: Event) -> list[str]:
        match event:
            case Planned():
                self._total = len(event.plan.to_run)
                return [] if self._quiet else [plan_line(event.plan)]
            case Started():
                return [] if self._quiet else [f"start   {event.step}: {event.reason}"]
            case Finished():
                self._ended += 1
                return [] if self._quiet else [self._finished(event)]
            case Failed():
                self._ended += 1
                return self._failure(event)
            case Skipped():
                self._ended += 1
                return [f"skipped {event.step}: {event.because} failed"]
            case Progress() | Moved():
                return []
            case Said():
                return self._said(event)
        assert_never(event)

    def _finished(self, event: Finished) -> str:
        note = f" ({event.note})" if event.note else ""
        return f"done    {event.step} in {event.seconds:.1f} s [{self._ended}/{self._total}]{note}"

    def _failure(self, event: Failed) -> list[str]:
        lines = [f"FAILED  {event.step} after {event.seconds:.1f} s"]
        if event.log is not None:
            shown = event.log.relative_to(self._root) if event.log.is_relative_to(self._root) else event.log
            lines += [f"  | {line}" for line in _tail(event, event.log)]
            lines.append(f"  log: {shown}")
        return lines

    def _said(self, event: Said) -> list[str]:
        if event.level == "warning":
            return [f"warning: {event.text}"]
        shown = not self._quiet and (event.level == "info" or self._verbose)
        return [event.text] if shown else []


def _tail(event: Failed, log: Path) -> tuple[str, ...]:
    """The last lines of a step's log, without the error's own text, which comes at the end of the run."""
    own = tuple(line.rstrip() for line in event.error.render(event.step).splitlines() if line.strip())
    lines = last_lines(log, LOG_LINES + len(own))
    return (lines[: -len(own)] if lines[-len(own) :] == own else lines)[-LOG_LINES:]


class BarReporter(PlainReporter):
    """A bar at the bottom, with the lines of PlainReporter above it."""

    def __init__(self, stream: IO[str], *, verbose: bool, root: Path) -> None:
        super().__init__(stream, verbose=verbose, root=root)
        self._bar: Any = None
        self._active: dict[str, str] = {}

    def __call__(self, event: Event) -> None:
        super().__call__(event)
        with self._lock:
            self._move(event)

    def _print(self, line: str) -> None:
        if self._bar is None:
            super()._print(line)
        else:
            self._bar.write(line, file=self._stream)

    def _move(self, event: Event) -> None:
        match event:
            case Planned() if event.plan.to_run:
                from tqdm import tqdm

                self._bar = tqdm(total=len(event.plan.to_run), file=self._stream, unit="step", leave=False)
            case Started():
                self._active[str(event.step)] = ""
            case Progress():
                self._active[str(event.step)] = _share(event)
            case Finished() | Failed() | Skipped():
                self._active.pop(str(event.step), None)
                self._advance()
            case Moved():
                self._send(event)
                return
            case _:
                pass
        if self._bar is not None:
            self._bar.set_postfix_str("; ".join(f"{step} {share}".strip() for step, share in self._active.items()))

    def _send(self, event: Moved) -> None:
        """The bar of a publish counts bytes, and goes when all are there."""
        if self._bar is None:
            if event.done >= event.total:
                return  # nothing to wait for
            from tqdm import tqdm

            self._bar = tqdm(total=event.total, file=self._stream, unit="B", unit_scale=True, leave=False)
        self._bar.set_postfix_str(f"{event.what} {_percent(event.part, event.size)}", refresh=False)
        self._bar.update(event.done - self._bar.n)
        if event.done >= event.total:
            self._bar.close()
            self._bar = None

    def _advance(self) -> None:
        if self._bar is not None:
            self._bar.update()
            if self._ended >= self._total:
                self._bar.close()
                self._bar = None


class JsonReporter:
    """One JSON object a line: `{"event": "finished", "step": {...}, ...}`. For programs."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def __call__(self, event: Event) -> None:
        with self._lock:
            self._stream.write(json.dumps({"event": type(event).__name__.lower(), **_plain(event)}) + "\n")
            self._stream.flush()


def _plain(event: Event) -> dict[str, Any]:
    match event:
        case Planned():
            steps = [
                {"step": str(item.step.id), "action": str(item.action), "reason": item.reason, "key": item.key}
                for item in event.plan.steps
            ]
            return {"steps": steps}
        case Started():
            return {"step": str(event.step), "reason": event.reason}
        case Progress():
            shares = {"label": event.label, "done": event.done, "total": event.total, "unit": event.unit}
            return {"step": str(event.step), **shares}
        case Moved():
            parts = {"part": event.part, "size": event.size}
            return {"what": event.what, **parts, "done": event.done, "total": event.total}
        case Finished():
            return {"step": str(event.step), "seconds": round(event.seconds, 3), "note": event.note}
        case Failed():
            log = str(event.log) if event.log else None
            return {"step": str(event.step), "seconds": round(event.seconds, 3), **_words(event.error), "log": log}
        case Skipped():
            return {"step": str(event.step), "because": str(event.because)}
        case Said():
            return {"level": event.level, "text": event.text}
    assert_never(event)


def _words(error: RearchError) -> dict[str, Any]:
    words = {"summary": error.summary, "details": error.details, "hint": error.hint}
    return {"error": words, "exit_code": int(error.exit_code)}


def error_line(error: RearchError) -> str:
    """An error that is no step's, as a line of `--progress json`: `{"event": "error", ...}`."""
    return json.dumps({"event": "error", **_words(error)})


def _share(event: Progress) -> str:
    if event.total:
        return f"{event.label} {_percent(event.done, event.total)}"
    return f"{event.label} {event.done // 1_000_000} MB" if event.unit == "B" else f"{event.label} {event.done}"


def _percent(done: int, total: int) -> str:
    return f"{100 * done // total if total else 100} %"


def plan_line(plan: Plan) -> str:
    """The plan in a line."""
    count = len(plan.to_run)
    reused = len(plan.steps) - count
    if not count:
        return f"nothing to do: all {reused} steps are made from the same inputs"
    return f"{count} step{'s' if count != 1 else ''} to run, {reused} reused"
