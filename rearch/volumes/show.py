"""What was done to a volume, as lines for people and as a document for machines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rearch.volumes.compare import Change, kind_of
from rearch.volumes.things import File, Link


def change_lines(volume: str, changes: Sequence[Change], *, everything: bool = False) -> Iterator[str]:
    """`new    rancher-agent-state pyagent/agent: it is not there`; with `everything` also what is as it should be."""
    for change in changes:
        implied = getattr(change.thing, "implied", False)
        if change.action != "keep":
            yield f"{change.action:<6} {volume} {change.thing.path}: {change.reason}"
        elif everything and not implied:
            yield f"{change.action:<6} {volume} {change.thing.path}"


def change_document(change: Change) -> dict[str, Any]:
    """JSON values."""
    thing = change.thing
    shown: dict[str, Any] = {"path": thing.path, "kind": kind_of(thing), "action": change.action}
    if change.reason:
        shown["reason"] = change.reason
    if isinstance(thing, Link):
        return {**shown, "target": thing.target}
    if isinstance(thing, File):
        shown |= {"sha256": thing.sha256, "size": thing.size}
    return {**shown, "mode": f"{thing.mode:04o}", "owner": f"{thing.uid}:{thing.gid}"}
