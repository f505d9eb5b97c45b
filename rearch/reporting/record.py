"""A run, as it is kept: what was planned, what became of it, and what came out. Written and read as JSON.

Every text is as its source had it: whoever makes a document of it escapes it.
"""

from __future__ import annotations

import json
import re
from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from rearch.model.typed import Undecodable, decode_json

FORMAT = 1
_SURROGATE = re.compile("[\ud800-\udfff]")
# What a file of somebody else's, or a flipped bit, may not make of a number: dates and sums are made of these.
Time = Annotated[int, Meta(ge=0, le=253_402_300_799)]
"""Seconds since 1970, to the end of the year 9999."""
Seconds = Annotated[float, Meta(ge=0, le=1e9)]
Code = Annotated[int, Meta(ge=0, le=255)]
Bytes = Annotated[int, Meta(ge=0, le=2**62)]


class Outcome(StrEnum):
    """What became of a step. The worst stands first: the state of a component is that of its worst step."""

    FAILED = "failed"
    NOT_STARTED = "not started"
    NOT_RUN = "not run"
    MADE = "made"
    REUSED = "reused"

    @property
    def rank(self) -> int:
        """0 is the worst."""
        return _RANKS[self]


_RANKS = {outcome: rank for rank, outcome in enumerate(Outcome)}


class Words(Struct, frozen=True, kw_only=True):
    """An error as the user read it. `where`: what it was about, empty for the whole run."""

    summary: str
    details: tuple[str, ...] = ()
    hint: str | None = None
    where: str = ""
    exit_code: int = 1

    @property
    def text(self) -> str:
        """All of it, as lines."""
        hint = (f"hint: {self.hint}",) if self.hint else ()
        return "\n".join((self.summary, *(f"  {line}" for line in self.details), *hint))


class StepRun(Struct, frozen=True, kw_only=True):
    """One step of the plan. `start`, `seconds`: since the run began, None for what did not run. `needs`: the ids of
    what it reads. `log` is relative to output/; `excerpt` its last lines, of a failure alone. `because`: why it was
    not started."""

    id: str
    kind: str
    subject: str
    platform: str | None
    action: str
    reason: str
    outcome: Outcome
    needs: tuple[str, ...] = ()
    start: Seconds | None = None
    seconds: Seconds | None = None
    note: str = ""
    because: str = ""
    log: str | None = None
    excerpt: tuple[str, ...] = ()
    error: Words | None = None

    @property
    def component(self) -> str:
        """`stack/name`: some steps of a component have a subject `stack/name+part`."""
        return self.subject.partition("+")[0]

    @property
    def end(self) -> float | None:
        """Seconds since the run began."""
        return None if self.start is None or self.seconds is None else self.start + self.seconds


class Binary(Struct, frozen=True, kw_only=True):
    """A program in output/bin. `size` in bytes; `sha256` hexadecimal."""

    component: str
    platform: str
    name: str
    size: Bytes
    sha256: str


class Image(Struct, frozen=True, kw_only=True):
    """One platform of an image. `size`: bytes of all layers, compressed; None where that is not known. `elves`: the
    ELF files that the audit read; `allowed` those of another architecture, with the reason; `smoke` as in build.json.
    """

    component: str
    platform: str
    repository: str
    tag: str
    digest: str
    size: Bytes | None = None
    layers: int | None = None
    elves: int | None = None
    warnings: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()
    smoke: str = ""


class Version(Struct, frozen=True, kw_only=True):
    """Where a component (or a toolchain) comes from. `identity`: commit, sha256 or Debian version; `url` may be empty
    and is never trusted: it is linked only where links.py says so."""

    component: str
    kind: str
    version: str
    identity: str
    url: str = ""


class Reference(Struct, frozen=True, kw_only=True):
    """A tag that was set or found as it should be. `change`: new, moved, merged, unchanged."""

    component: str
    reference: str
    digest: str
    change: str
    platforms: tuple[str, ...] = ()


class Run(Struct, frozen=True, kw_only=True):
    """A build or a publish. `id` is `<utc time>-<8 hex>`; `time` its beginning, seconds since 1970; `seconds` its
    length. `errors` are those of no step."""

    id: str
    command: str
    time: Time
    seconds: Seconds
    exit_code: Code
    rearch: str = ""
    format: int = FORMAT
    steps: tuple[StepRun, ...] = ()
    binaries: tuple[Binary, ...] = ()
    images: tuple[Image, ...] = ()
    versions: tuple[Version, ...] = ()
    references: tuple[Reference, ...] = ()
    errors: tuple[Words, ...] = ()
    warnings: tuple[str, ...] = ()

    def counts(self) -> dict[str, int]:
        """How many steps had which outcome; every outcome is named."""
        found = dict.fromkeys((str(outcome) for outcome in Outcome), 0)
        for step in self.steps:
            found[str(step.outcome)] += 1
        return found


def run_bytes(run: Run) -> bytes:
    """The file of a run."""
    return msgspec.json.format(as_json(run), indent=1) + b"\n"


def as_json(value: Struct) -> bytes:
    """JSON. A file's name that is no UTF-8 stands in an error as lone surrogates, which become U+FFFD here: the record
    of a build must not fail for the name that the build failed for."""
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        text = json.dumps(msgspec.to_builtins(value), ensure_ascii=False, separators=(",", ":"))
        return _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", text).encode()


def read_run(data: bytes) -> Run | None:
    """The run of a file; None for a file that is torn or of a later format."""
    try:
        run = decode_json(data, Run)
    except (Undecodable, RecursionError):
        return None
    return run if run.format == FORMAT else None
