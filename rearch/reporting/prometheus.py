"""Runs as a text file for node_exporter's textfile collector: the exposition format of Prometheus, version 0.0.4.

Units are in the names, and times of the metrics themselves are left out: the collector refuses them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct

from rearch.model.frozen import NOTHING
from rearch.reporting.history import History, Line, line_of
from rearch.reporting.record import Run


class Sample(Struct, frozen=True, kw_only=True):
    """One value."""

    value: float
    labels: Mapping[str, str] = NOTHING


def prometheus(build: Run | None, publish: Run | None, history: History) -> bytes:
    """Gauges of the last build and the last publish, each with its HELP and TYPE; a gauge without samples is left
    out."""
    runs = tuple(_latest(run, history) for run in (build, publish) if run is not None)
    made = (*_run_gauges(runs, history), *(_build_gauges(build) if build else ()), *_publish_gauges(publish))
    return "".join(line for name, text, samples in made for line in _family(name, text, tuple(samples))).encode()


Gauge = tuple[str, str, Iterable[Sample]]


def _latest(run: Run, history: History) -> Line:
    """A run in a line; where later ones found nothing to do, the last of them: they are runs that succeeded, too."""
    again = history.again(run.id) if run.command == "build" else ()
    return again[-1] if again else line_of(run)


def _run_gauges(runs: tuple[Line, ...], history: History) -> Iterator[Gauge]:
    def each(what: str) -> Iterator[Sample]:
        for run in runs:
            yield Sample(value=float(getattr(run, what)), labels={"command": run.command})

    yield "rearch_last_run_timestamp_seconds", "When the last run began, in seconds since 1970.", each("time")
    yield "rearch_last_run_exit_code", "The exit code of the last run: 0 is success.", each("exit_code")
    yield "rearch_last_run_duration_seconds", "How long the last run took.", each("seconds")
    good = {line.command: line.time for line in history.lines if line.exit_code == 0}
    good |= {run.command: run.time for run in runs if run.exit_code == 0}
    samples = [Sample(value=time, labels={"command": command}) for command, time in sorted(good.items())]
    yield "rearch_last_success_timestamp_seconds", "When the last run that succeeded began.", samples


def _build_gauges(run: Run) -> Iterator[Gauge]:
    steps = [Sample(value=count, labels={"result": name}) for name, count in run.counts().items()]
    yield "rearch_steps", "Steps of the last build by result.", steps
    binaries = [
        Sample(value=one.size, labels={"component": one.component, "platform": one.platform, "name": one.name})
        for one in run.binaries
    ]
    yield "rearch_binary_size_bytes", "Size of a program.", binaries
    images = {
        image: {"component": image.component, "platform": image.platform, "repository": image.repository}
        for image in run.images
    }
    known = [Sample(value=one.size, labels=labels) for one, labels in images.items() if one.size is not None]
    yield "rearch_image_size_bytes", "Size of an image's layers, compressed.", known
    found = [Sample(value=len(one.warnings), labels=labels) for one, labels in images.items()]
    yield "rearch_audit_warnings", "Warnings of an image's audit.", found


def _publish_gauges(run: Run | None) -> Iterator[Gauge]:
    counts = Counter(one.change for one in run.references) if run else Counter()
    samples = [Sample(value=count, labels={"change": change}) for change, count in sorted(counts.items())]
    yield "rearch_published_tags", "Tags of the last publish, by what was done to them.", samples


def _family(name: str, text: str, samples: tuple[Sample, ...]) -> Iterator[str]:
    if not samples:
        return
    yield f"# HELP {name} {text}\n# TYPE {name} gauge\n"
    for sample in samples:
        labels = ",".join(f'{key}="{_escape(value)}"' for key, value in sample.labels.items())
        yield f"{name}{{{labels}}} {sample.value:.15g}\n" if labels else f"{name} {sample.value:.15g}\n"


def _escape(value: str) -> str:
    """A label's value: backslash, quote and line feed are written with a backslash."""
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
