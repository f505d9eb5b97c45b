"""Several files of a project changed together: all of them, or none."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from rearch.engine.durable import write_whole
from rearch.errors import StepError


class Rewrite(Struct, frozen=True, kw_only=True):
    """The bytes that a file had when the change was thought of, and those that it gets; None: no such file."""

    old: bytes | None
    new: bytes | None


class ChangedMeanwhile(StepError):
    """A file is not what it was when the change was worked out."""

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(
            f"{path} was changed by somebody else meanwhile", ["nothing was written"], "run the same command again"
        )


def rewrite(files: Mapping[Path, Rewrite]) -> None:
    """Write, replace and remove files; whatever comes between (a full disk, Ctrl-C), all are then as they were.

    Each file appears whole. Links are followed, modes stay.
    Errors: ChangedMeanwhile, before anything is written; OSError.
    """
    real = {path.resolve(): change for path, change in files.items() if change.old != change.new}
    for path, change in real.items():
        if _content(path) != change.old:
            raise ChangedMeanwhile(path)
    begun: list[Path] = []
    try:
        for path, change in real.items():
            begun.append(path)
            _put(path, change.new)
    except BaseException:  # an interrupt too: half of a change would be worse than none
        for path in reversed(begun):
            _put(path, real[path].old)
        raise


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _put(path: Path, data: bytes | None) -> None:
    if data is None:
        path.unlink(missing_ok=True)
        return
    mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else 0o644
    write_whole(path, data)
    path.chmod(mode)
