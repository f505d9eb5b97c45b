"""The instructions of a Dockerfile as values: one class each, a closed union.

Texts are as they were written: quotes are still there and variables not yet put in (see expand.py), but for the words
of JSON forms, which JSON has unquoted.
"""

from __future__ import annotations

from dataclasses import dataclass

from rearch.oci.dockerfile.lines import Heredoc


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """The lines that an instruction stands on, counted from 1, and its text with continuation lines joined."""

    first: int
    last: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """A command: the words of the JSON form, or with `for_shell` one text that the shell is to read."""

    for_shell: bool
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class From:
    """`FROM image [AS name]`: `name` in lower case, `image_at` line and column (from 0) of the image."""

    where: Where
    image: str
    name: str | None = None
    platform: str | None = None
    image_at: tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arg:
    """`ARG name[=default] ...`."""

    where: Where
    pairs: tuple[tuple[str, str | None], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Env:
    """`ENV name=value ...` or `ENV name value`."""

    where: Where
    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """`LABEL name=value ...`."""

    where: Where
    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """`COPY source... target`. `stage` is what --from says, at `stage_at`; None: the context.

    A source that is a here-document's token (`<<EOF`) stands in `heredocs` and not in `sources`.
    """

    where: Where
    sources: tuple[str, ...]
    target: str
    heredocs: tuple[Heredoc, ...] = ()
    stage: str | None = None
    stage_at: tuple[int, int] | None = None
    chown: str | None = None
    chmod: str | None = None
    link: bool = False
    parents: bool = False
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Add:
    """`ADD source... target`: as COPY, and archives are unpacked (`unpack`: None where nothing is said of that)."""

    where: Where
    sources: tuple[str, ...]
    target: str
    heredocs: tuple[Heredoc, ...] = ()
    chown: str | None = None
    chmod: str | None = None
    link: bool = False
    exclude: tuple[str, ...] = ()
    unpack: bool | None = None
    checksum: str | None = None
    keep_git_dir: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """`RUN command`."""

    where: Where
    command: Words
    flags: tuple[tuple[str, str], ...] = ()
    heredocs: tuple[Heredoc, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Workdir:
    where: Where
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    where: Where
    user: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Expose:
    where: Where
    ports: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    where: Where
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrypoint:
    where: Where
    command: Words


@dataclass(frozen=True, slots=True, kw_only=True)
class Cmd:
    where: Where
    command: Words


@dataclass(frozen=True, slots=True, kw_only=True)
class StopSignal:
    where: Where
    signal: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Healthcheck:
    """`HEALTHCHECK NONE` (command is None), or `HEALTHCHECK CMD command`. Times in nanoseconds, 0: default."""

    where: Where
    command: Words | None
    interval: int = 0
    timeout: int = 0
    start_period: int = 0
    start_interval: int = 0
    retries: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Shell:
    where: Where
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Maintainer:
    where: Where
    author: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OnBuild:
    where: Where
    trigger: str


# What can stand in a stage, behind its FROM.
StageInstruction = (
    Arg
    | Env
    | Label
    | Copy
    | Add
    | Run
    | Workdir
    | User
    | Expose
    | Volume
    | Entrypoint
    | Cmd
    | StopSignal
    | Healthcheck
    | Shell
    | Maintainer
    | OnBuild
)
Instruction = From | StageInstruction


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One FROM and what follows it. `number` counts from 0."""

    number: int
    start: From
    instructions: tuple[StageInstruction, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dockerfile:
    """A Dockerfile that was read without a problem. `arguments`: the ARGs before the first FROM."""

    template: str
    escape: str
    arguments: tuple[Arg, ...]
    stages: tuple[Stage, ...]

    @property
    def runs(self) -> tuple[Run, ...]:
        """Every RUN: what needs an engine."""
        return tuple(each for stage in self.stages for each in stage.instructions if isinstance(each, Run))
