"""Several files of a project changed together: all of them, or none."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rearch.engine.undo import Rewrite, changing, content, put
from rearch.errors import StepError

__all__ = ["ChangedMeanwhile", "Rewrite", "rewrite"]


class ChangedMeanwhile(StepError):
    """A file is not what it was when the change was worked out."""

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(
            f"{path} was changed by somebody else meanwhile", ["nothing was written"], "run the same command again"
        )


def rewrite(root: Path, files: Mapping[Path, Rewrite]) -> None:
    """Write, replace and remove files below `root`; whatever comes between, all are then as they were.

    A full disk or Ctrl-C is undone at once, what kills the process or the machine by the next command
    (engine.undo). Each file appears whole. Links are followed, modes stay.
    Errors: ChangedMeanwhile, before anything is written; BadJournal, CannotUndo, OSError.
    """
    changed = {path: change for path, change in files.items() if change.old != change.new}
    if not changed:
        return
    real = {path.resolve(): change for path, change in changed.items()}
    with changing(root) as journal:
        for path, change in real.items():
            if content(path) != change.old:
                raise ChangedMeanwhile(path)
        journal.note(real)
        for path, change in real.items():
            put(path, change.new)
