"""What the rehearsal asks of rearch itself: the commands of a user, done by rearch.app."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from rearch.model.platform import Platform
from rearch.rehearsal.project import Project


class Made(Struct, frozen=True, kw_only=True):
    """What a build left: the programs by their path below output/, and the compiler that it used, for what the
    rehearsal compiles as upstream did. `compiler` is go's program; `cache` its build cache."""

    programs: tuple[str, ...]
    images: tuple[str, ...]
    compiler: Path
    cache: Path


class Filled(Struct, frozen=True, kw_only=True):
    """What a run of `volumes` did: the paths that were written, a line each."""

    written: tuple[str, ...]


class Source(Struct, frozen=True, kw_only=True):
    """An item of a server: the API's address, and an agent's keys."""

    api: str
    item: str
    access: str
    secret: str


class Cured(Struct, frozen=True, kw_only=True):
    """`archive` is the refitted one. `before`: the programs that were in it; `after`: what the refit put in."""

    archive: Path
    before: tuple[str, ...]
    after: tuple[str, ...]


class Works(Protocol):
    """The commands. Each raises what the command would end with."""

    def build(self, project: Project) -> Made:
        """`rearch build`: both platforms, images too."""
        ...

    def publish(self, project: Project) -> Sequence[str]:
        """`rearch publish`; the references."""
        ...

    def refit(self, project: Project, source: Source, folder: Path) -> Cured:
        """`rearch bundle` with the server as its source: scan, refit for all hosts, verify; files go below `folder`."""
        ...

    def fill_volume(self, project: Project, engine: str, platform: Platform) -> Filled:
        """`rearch volumes` into the named volumes of an engine."""
        ...

    def fill_folder(self, project: Project, folder: Path, platform: Platform) -> Filled:
        """`rearch volumes --to FOLDER`."""
        ...
