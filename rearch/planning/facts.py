"""What the planner has to be told of the world: everything that the YAML does not say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from msgspec import Struct

from rearch.model.frozen import FrozenDict
from rearch.model.lock import Lock
from rearch.model.platform import Platform
from rearch.model.settings import GoSettings
from rearch.model.step import Fix, ToolchainInputs


class Rendered(Struct, frozen=True, kw_only=True):
    """A Dockerfile: the `path` of its template, for messages, and its text."""

    path: str
    text: str


class Render(Protocol):
    """Renders the template of that name. Errors: UsageError with template and line."""

    def __call__(self, template: str, values: Mapping[str, Any], /) -> Rendered: ...


def _no_templates(template: str, _values: Mapping[str, Any]) -> Rendered:
    raise AssertionError(f"the template {template} was asked for, but these facts have no renderer")


class Facts(Struct, frozen=True, kw_only=True):
    """`local_digests`: file or folder (relative to the project) -> tree digest. `emulators`: None where the host runs
    the platform itself, `missing` where nothing can, else the emulator's name. `cross`: platform -> its C compiler for
    toolchains of kind gcc, of which a host has one for each platform. `epoch` is SOURCE_DATE_EPOCH, if it is set.
    `output` is the folder for results, relative to the project: what errors in a rendered Dockerfile point into.
    `disk_bases`: path of an image on disk -> digest. `engines`: platform -> Docker engine that builds for it.
    """

    lock: Lock
    local_digests: Mapping[str, str]
    toolchains: Mapping[str, ToolchainInputs]
    cross: Mapping[tuple[str, Platform], ToolchainInputs]
    emulators: Mapping[Platform, str | None]
    fixes: Mapping[str, Fix]
    go: GoSettings
    epoch: int | None = None
    render: Render = _no_templates
    output: str = "output"
    disk_bases: Mapping[str, str] = FrozenDict()
    engines: Mapping[str, str] = FrozenDict()
