"""What the planner has to be told of the world: everything that the YAML does not say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rearch.model.lock import Lock
from rearch.model.platform import Platform
from rearch.model.stack import GoSettings
from rearch.model.step import Fix, ToolchainInputs


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """`local_digests`: folder (relative to the project) -> tree digest. `emulators`: None where the host runs the
    platform itself, `missing` where nothing can, else the emulator's name. `cross`: platform -> its C compiler for
    toolchains of kind gcc, of which a host has one for each platform. `epoch` is SOURCE_DATE_EPOCH, if it is set.
    """

    lock: Lock
    local_digests: Mapping[str, str]
    toolchains: Mapping[str, ToolchainInputs]
    cross: Mapping[tuple[str, Platform], ToolchainInputs]
    emulators: Mapping[Platform, str | None]
    fixes: Mapping[str, Fix]
    go: GoSettings
    epoch: int | None = None
