"""What the steps want of the outside world. They own these protocols; host/ implements them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from msgspec import Struct, field

from rearch.model.command import Command, Completed
from rearch.model.limits import Limits
from rearch.model.platform import Platform
from rearch.model.source import DebianPackage, PinnedSource
from rearch.model.step import Artifact, Result, ToolchainInputs
from rearch.model.step_images import DebianOrigin, RegistryOrigin

if TYPE_CHECKING:
    from rearch.oci.order import BuiltImage, ImageOrder


class Need(Struct, frozen=True, kw_only=True):
    """The result of a step that this one needs: its record, and its `files/` folder (never to be written to)."""

    result: Result
    files: Path


class Workspace(Struct, frozen=True, kw_only=True):
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


class Outcome(Struct, frozen=True, kw_only=True):
    """What a step found out: JSON values only. `note` is shown to people when it ends.

    `artifacts` are given by a step that has hashed its files already; else whoever records the result hashes them.
    """

    facts: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""
    artifacts: tuple[Artifact, ...] | None = None


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


class ImagePuller(Protocol):
    """Fetches one image, by digest, from a registry."""

    def pull(self, origin: RegistryOrigin, platform: Platform, layout: Path, work: Workspace) -> None:
        """Leave manifest, config and layers in `layout/blobs/sha256/`, every digest checked, and write nothing else.

        Errors: TemporaryError when the registry does not answer (or --offline and not cached), VerificationError
        when what comes is not what was pinned, UsageError when it wants a login that is not there.
        """


class RootFsBuilder(Protocol):
    """Debian packages -> a file tree, without running anything of theirs."""

    def unpack(self, origin: DebianOrigin, platform: Platform, tree: Path, work: Workspace) -> Mapping[str, str]:
        """Unpack the packages into `tree`, as dpkg would lay them out. Returns owner and mode of what is not
        0:0: path -> `uid:gid:mode` in octal digits, since nobody but root can set them on disk."""


class ImageBuilder(Protocol):
    """Runs a Dockerfile. One contract suite (tests/contract/test_builders.py) for all."""

    def build(self, order: ImageOrder, work: Workspace) -> BuiltImage: ...


class Emulator(Struct, frozen=True, kw_only=True):
    """A program that runs binaries of another platform: `argv` comes before the binary's own."""

    name: str
    argv: tuple[str, ...]
    sysroot_flag: str = "-L"


class Ports(Struct, frozen=True, kw_only=True):
    """Everything that the steps can reach."""

    sources: SourceFetcher
    tools: ToolFetcher
    packages: PackageFetcher
    emulator: Callable[[Platform], Emulator | None]
    images: ImagePuller
    root_fs: RootFsBuilder
    builder: Callable[[str, str], ImageBuilder]
