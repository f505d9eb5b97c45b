"""What a worktree of patches was made from: kept inside its .git, so that it goes with it."""

from __future__ import annotations

from pathlib import Path

import msgspec
from msgspec import Struct

from rearch.engine.durable import write_whole
from rearch.model.typed import decode_json

FILE = "rearch.json"


class KnownPatch(Struct, frozen=True, kw_only=True):
    """A patch of the recipe: `signature` of its commit as it was made (upkeep.patch_series), empty while it waits."""

    name: str
    digest: str
    strip: int
    signature: str = ""
    old: str = ""
    """Its commit on the source that it was made for, when it has to be merged."""


class PatchState(Struct, frozen=True, kw_only=True):
    """`source` is what the worktree shows, `base` its commit, `head` the last that we made. `pending`: patches that
    are not in yet, in order; the first of them is being merged, with conflicts in `conflicts`. `undecided`: those of
    the conflicts that no marks in a file show, as when one side has removed it."""

    component: str
    source: str
    base: str
    head: str
    time: int
    series: str
    patches: tuple[KnownPatch, ...]
    pending: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()
    undecided: tuple[str, ...] = ()

    def known(self, name: str) -> KnownPatch | None:
        return next((patch for patch in self.patches if patch.name == name), None)


def read_state(path: Path) -> PatchState | None:
    """Of the worktree at `path`; None where there is none. Errors: typed.Undecodable."""
    file = path / ".git" / FILE
    return decode_json(file.read_bytes(), PatchState) if file.is_file() else None


def write_state(path: Path, state: PatchState) -> None:
    write_whole(path / ".git" / FILE, msgspec.json.encode(state))
