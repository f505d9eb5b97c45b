"""The instructions of a Dockerfile as values: one class each, a closed union.

Texts are as they were written: quotes are still there and variables not yet put in (see expand.py), but for the words
of JSON forms, which JSON has unquoted.
"""

from __future__ import annotations

from msgspec import Struct

from rearch.oci.dockerfile.lines import Heredoc


class Where(Struct, frozen=True, kw_only=True):
    """The lines that an instruction stands on, counted from 1, and its text with continuation lines joined."""

    first: int
    last: int
    text: str


class Words(Struct, frozen=True, kw_only=True):
    """A command: the words of the JSON form, or with `for_shell` one text that the shell is to read."""

    for_shell: bool
    words: tuple[str, ...]


class From(Struct, frozen=True, kw_only=True):
    """`FROM image [AS name]`: `name` in lower case, `image_at` line and column (from 0) of the image."""

    where: Where
    image: str
    name: str | None = None
    platform: str | None = None
    image_at: tuple[int, int]


class Arg(Struct, frozen=True, kw_only=True):
    """`ARG name[=default] ...`."""

    where: Where
    pairs: tuple[tuple[str, str | None], ...]


class Env(Struct, frozen=True, kw_only=True):
    """`ENV name=value ...` or `ENV name value`."""

    where: Where
    pairs: tuple[tuple[str, str], ...]


class Label(Struct, frozen=True, kw_only=True):
    """`LABEL name=value ...`."""

    where: Where
    pairs: tuple[tuple[str, str], ...]


class Copy(Struct, frozen=True, kw_only=True):
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


class Add(Struct, frozen=True, kw_only=True):
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


class Run(Struct, frozen=True, kw_only=True):
    """`RUN command`."""

    where: Where
    command: Words
    flags: tuple[tuple[str, str], ...] = ()
    heredocs: tuple[Heredoc, ...] = ()


class Workdir(Struct, frozen=True, kw_only=True):
    where: Where
    path: str


class User(Struct, frozen=True, kw_only=True):
    where: Where
    user: str


class Expose(Struct, frozen=True, kw_only=True):
    where: Where
    ports: tuple[str, ...]


class Volume(Struct, frozen=True, kw_only=True):
    where: Where
    paths: tuple[str, ...]


class Entrypoint(Struct, frozen=True, kw_only=True):
    where: Where
    command: Words


class Cmd(Struct, frozen=True, kw_only=True):
    where: Where
    command: Words


class StopSignal(Struct, frozen=True, kw_only=True):
    where: Where
    signal: str


class Healthcheck(Struct, frozen=True, kw_only=True):
    """`HEALTHCHECK NONE` (command is None), or `HEALTHCHECK CMD command`. Times in nanoseconds, 0: default."""

    where: Where
    command: Words | None
    interval: int = 0
    timeout: int = 0
    start_period: int = 0
    start_interval: int = 0
    retries: int = 0


class Shell(Struct, frozen=True, kw_only=True):
    where: Where
    words: tuple[str, ...]


class Maintainer(Struct, frozen=True, kw_only=True):
    where: Where
    author: str


class OnBuild(Struct, frozen=True, kw_only=True):
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


class Stage(Struct, frozen=True, kw_only=True):
    """One FROM and what follows it. `number` counts from 0."""

    number: int
    start: From
    instructions: tuple[StageInstruction, ...]


class Dockerfile(Struct, frozen=True, kw_only=True):
    """A Dockerfile that was read without a problem. `arguments`: the ARGs before the first FROM."""

    template: str
    escape: str
    arguments: tuple[Arg, ...]
    stages: tuple[Stage, ...]

    @property
    def runs(self) -> tuple[Run, ...]:
        """Every RUN: what needs an engine."""
        return tuple(each for stage in self.stages for each in stage.instructions if isinstance(each, Run))
