"""What the steps want of the outside world. They own these protocols; host/ implements them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from rearch.model.command import Command, Completed
from rearch.model.platform import Platform
from rearch.model.source import DebianPackage, PinnedSource
from rearch.model.stack import Limits
from rearch.model.step import Result, ToolchainInputs


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """The result of a step that this one needs: its record, and its `files/` folder (never to be written to)."""

    result: Result
    files: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """Where one step works.

    `files` is the folder that becomes its result; `scratch` is thrown away; both are empty at the start, on
    one file system, and private to the step. `caches` is shared by all runs (compiler caches: safe for
    concurrent use by their own rules). `run` runs a command with its output in the step's log. `say` writes a line into
    the log. `progress(label, done, total, unit)` moves a bar.
    """

    files: Path
    scratch: Path
    caches: Path
    project: Path
    needs: Mapping[str, Need]
    run: Callable[[Command], Completed]
    say: Callable[[str], None]
    progress: Callable[[str, int, int, str], None]
    limits: Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a step found out: JSON values only. `note` is shown to people when it ends."""

    facts: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""


class SourceFetcher(Protocol):
    """Fetches one kind of source. One contract suite (tests/contract/test_sources.py) for all kinds."""

    def fetch(self, source: PinnedSource, work: Workspace) -> None:
        """Leave the tree in `work.files/"source"` (and Go packages in `work.files/"gopath"`).

        Errors: TemporaryError when the place does not answer (or --offline and not cached), VerificationError
        when what comes is not what was pinned, HostileInputError for a tree that reaches out of itself.
        """


class ToolFetcher(Protocol):
    """Fetches a pinned compiler into `work.files`."""

    def fetch(self, tool: ToolchainInputs, work: Workspace) -> None: ...


class PackageFetcher(Protocol):
    """Fetches .deb files and unpacks them, without running anything of theirs."""

    def unpack(self, packages: tuple[DebianPackage, ...], into: Path, work: Workspace) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Emulator:
    """A program that runs binaries of another platform: `argv` comes before the binary's own."""

    name: str
    argv: tuple[str, ...]
    sysroot_flag: str = "-L"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Everything that the steps can reach."""

    sources: SourceFetcher
    tools: ToolFetcher
    packages: PackageFetcher
    emulator: Callable[[Platform], Emulator | None]
