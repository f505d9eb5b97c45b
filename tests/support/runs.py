"""Records of runs made in memory, for tests of reports."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec.structs import replace

from rearch.reporting.again import again_line
from rearch.reporting.history import History, Line, line_of, read_lines
from rearch.reporting.page import Story
from rearch.reporting.record import Binary, Image, Outcome, Reference, Run, StepRun, Version, Words

HOSTILE = "<script>alert(1)</script>\"'&</td></pre><img src=x onerror=alert(2)>\x1b[31m\u202egnp|`@all"
"""What a log, a name or a reason may hold, and no document may pass on."""

COMMIT = "0123456789abcdef0123456789abcdef01234567"
BEGAN = 1_795_000_000


def step(kind: str, subject: str, platform: str | None = "linux/arm64", **changes: Any) -> StepRun:
    """A step that was made; `changes` replace its fields."""
    name = f"{kind} {subject}" + (f" {platform}" if platform else "")
    made = StepRun(
        id=name,
        kind=kind,
        subject=subject,
        platform=platform,
        action="run",
        reason="not made yet",
        outcome=Outcome.MADE,
        start=0.0,
        seconds=1.0,
    )
    return replace(made, **changes)


def reused(kind: str, subject: str, platform: str | None = "linux/arm64") -> StepRun:
    """A step whose result was there."""
    given: dict[str, Any] = {"start": None, "seconds": None, "action": "reuse", "reason": "made from the same inputs"}
    return step(kind, subject, platform, outcome=Outcome.REUSED, **given)


def chain(subject: str, platforms: Iterable[str] = ("linux/arm64", "linux/arm/v7")) -> tuple[StepRun, ...]:
    """All steps of a component that was built and checked, one after the other."""
    fetch = step("fetch", subject, None, start=0.0, seconds=0.4)
    found = [fetch]
    for number, platform in enumerate(platforms):
        before, at = fetch.id, 0.5 + number
        for kind in ("compile", "verify", "smoke", "image", "audit", "image-smoke"):
            made = step(kind, subject, platform, start=at, seconds=0.3, needs=(before,))
            found.append(made)
            before, at = made.id, at + 0.35
    return tuple(found)


def failed(kind: str, subject: str, platform: str | None = "linux/arm64", text: str = "it broke") -> StepRun:
    """A step that failed, with a log."""
    return step(
        kind,
        subject,
        platform,
        outcome=Outcome.FAILED,
        log=f"logs/{subject}/{kind}.log",
        excerpt=("first line", text, "last line"),
        error=Words(summary=f"summary {text}", details=(f"detail {text}",), hint="mend it", where=f"{kind} {subject}"),
    )


def untried(kind: str, subject: str, because: str, platform: str | None = "linux/arm64") -> StepRun:
    """A step that was not started, as something before it failed."""
    return step(kind, subject, platform, outcome=Outcome.NOT_STARTED, start=None, seconds=None, because=because)


def run(number: int = 0, *steps: StepRun, command: str = "build", **changes: Any) -> Run:
    """A run; `number` makes its id and its time."""
    made = Run(
        id=f"20261122T{number:06d}Z-{number:08x}",
        command=command,
        time=BEGAN + 86_400 * number,
        seconds=12.5,
        exit_code=1 if any(each.outcome is Outcome.FAILED for each in steps) else 0,
        rearch="1.2.3",
        steps=steps,
    )
    return replace(made, **changes)


def full_run(number: int = 0, components: Iterable[str] = ("demo/one", "demo/two"), **changes: Any) -> Run:
    """A build of everything, with binaries, images and versions whose sizes grow from run to run."""
    names = tuple(components)
    platforms = ("linux/arm64", "linux/arm/v7")
    places = [(name, platform) for name in names for platform in platforms]
    given: dict[str, Any] = {
        "binaries": tuple(_binary(*place, number) for place in places),
        "images": tuple(_image(*place, number) for place in places),
        "versions": tuple(_version(name) for name in names),
    }
    return run(number, *(each for name in names for each in chain(name)), **(given | changes))


def publish_run(number: int = 0, **changes: Any) -> Run:
    """A publish that set two tags."""
    digest = f"sha256:{'ab' * 32}"
    references = tuple(
        Reference(
            component="demo/one",
            reference=f"registry.example.org/team/one:{tag}@{digest}",
            digest=digest,
            change=change,
            platforms=("linux/arm64", "linux/arm/v7"),
        )
        for tag, change in (("v1.0.0", "unchanged"), ("latest", "moved"))
    )
    return run(number, command="publish", references=references, **changes)


def again(of: Run, *times: int) -> History:
    """Lines of builds that found nothing to do since a run, at these seconds after it."""
    made = (f"20261123T{number:06d}Z-{number:08x}" for number in range(len(times)))
    return read_lines(
        again_line(name, of.id, of.time + after, 0.1, len(of.steps)) for name, after in zip(made, times, strict=True)
    )


def story(*runs: Run, told: tuple[str, ...] = ()) -> Story:
    """What a report tells when these were the runs, in their order."""
    lines: tuple[Line, ...] = tuple(line_of(each) for each in runs)
    builds = [each for each in runs if each.command == "build"]
    publishes = [each for each in runs if each.command == "publish"]
    return Story(
        build=builds[-1] if builds else None,
        publish=publishes[-1] if publishes else None,
        history=History(lines=lines, told=told),
    )


def _binary(component: str, platform: str, number: int) -> Binary:
    size = 1_000_000 + 10_000 * number
    return Binary(component=component, platform=platform, name=component[5:], size=size, sha256="cd" * 32)


def _image(component: str, platform: str, number: int) -> Image:
    return Image(
        component=component,
        platform=platform,
        repository=component[5:],
        tag="v1.0.0",
        digest=f"sha256:{'ef' * 32}",
        size=5_000_000 + 1000 * number,
        layers=2,
        elves=7,
        warnings=("usr/lib/odd.so: no section headers",),
        allowed=("usr/share/x86.bin: firmware of a card",),
        smoke="passed",
    )


def _version(component: str) -> Version:
    url = f"https://github.com/example/{component[5:]}.git"
    return Version(component=component, kind="git", version="v1.0.0", identity=COMMIT, url=url)
