"""`bump`: the Go libraries of a Debian source, which move while its version stays."""

from __future__ import annotations

from rearch.app.wiring import Adapters
from rearch.errors import RearchError
from rearch.model.lock import DebianName, Lock
from rearch.model.recipe import DebianSource
from rearch.model.source import PinnedDebian
from rearch.model.stack import Component
from rearch.upkeep.bump import newer_libraries
from rearch.upkeep.outdated import package_changes


def libraries_note(adapters: Adapters, component: Component, lock: Lock) -> str:
    """What a bump that finds no newer version leaves as it is; empty where that is nothing, or apt does not tell."""
    source = component.recipe.source
    pinned = lock.get(DebianName(source)) if isinstance(source, DebianSource) else None
    if not isinstance(source, DebianSource) or not isinstance(pinned, PinnedDebian):
        return ""
    try:
        offered = adapters.debian.resolve(source, None)
    except RearchError:  # it is only a note: what was asked for is done
        return ""
    return newer_libraries(component.id, package_changes(pinned.build_packages, offered.build_packages))
