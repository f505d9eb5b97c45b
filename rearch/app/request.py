"""What a user asked for, as a value."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct, field

from rearch.model.platform import Platform


class Request(Struct, frozen=True, kw_only=True):
    """A run on some components of a project.

    `stacks` and `platforms`: None for what the project says. `only` names components (`name` or `stack/name`).
    `flags` are settings given on the command line; `environment` is the process's own. `load`: put the images into the
    Docker engine; `export`: `docker-archive`, or nothing.
    """

    project: Path
    stacks: tuple[str, ...] | None = None
    platforms: tuple[Platform, ...] | None = None
    only: tuple[str, ...] = ()
    flags: Mapping[str, object] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    locked: bool = False
    update: bool = False
    fresh: bool = False
    keep_going: bool = False
    require_smoke: bool = False
    load: bool = False
    export: str = ""
