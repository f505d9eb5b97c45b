"""The source that a component's patches were made for, while they do not fit the one that is locked.

Kept in the cache from a `bump --force` until `patch refresh`; `patch start --from` does without it.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import msgspec
from msgspec import Struct

from rearch.engine.durable import write_whole
from rearch.model.source import PinnedArchive, PinnedDebian, PinnedGit, PinnedLocal, PinnedSource
from rearch.model.typed import decode_json


class _Base(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One of them is there."""

    git: PinnedGit | None = None
    archive: PinnedArchive | None = None
    debian: PinnedDebian | None = None
    local: PinnedLocal | None = None


def known_base(cache: Path, project: Path, component: str) -> PinnedSource | None:
    """What `remember_base` was told. Errors: typed.Undecodable for a file that somebody changed."""
    path = _path(cache, project, component)
    if not path.is_file():
        return None
    base = decode_json(path.read_bytes(), _Base)
    return base.git or base.archive or base.debian or base.local


def remember_base(cache: Path, project: Path, component: str, source: PinnedSource) -> None:
    """The first of several bumps counts: the patches were made for what was before all of them."""
    path = _path(cache, project, component)
    if path.exists():
        return
    match source:
        case PinnedGit():
            base = _Base(git=source)
        case PinnedArchive():
            base = _Base(archive=source)
        case PinnedDebian():
            base = _Base(debian=source)
        case PinnedLocal():
            base = _Base(local=source)
    write_whole(path, msgspec.json.encode(base))


def forget_base(cache: Path, project: Path, component: str) -> None:
    """The patches fit again."""
    _path(cache, project, component).unlink(missing_ok=True)


def _path(cache: Path, project: Path, component: str) -> Path:
    name = hashlib.sha256(os.fsencode(project.resolve())).hexdigest()[:16]
    return cache / "patches" / name / f"{component.replace('/', '.')}.json"
