"""Folders for work beside the store, each held by its run; what a killed run left is removed by the next one.

<cache>/upkeep/<name>/          one for each piece of work
<cache>/upkeep/<name>/.held     held with flock as long as its run lives
<cache>/upkeep.gate             so that nobody meets a folder that is not held yet
"""

from __future__ import annotations

import contextlib
import fcntl
import tempfile
from collections.abc import Iterator
from pathlib import Path

from rearch.formats.tree import remove_tree

FOLDER = "upkeep"
_HELD = ".held"


@contextlib.contextmanager
def scratch(cache: Path) -> Iterator[Path]:
    """An empty folder `work` on the cache's file system, gone at the end. Errors: OSError."""
    sweep(cache)
    place = cache / FOLDER
    place.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        with _gate(cache, fcntl.LOCK_SH):
            top = Path(tempfile.mkdtemp(dir=place))
            stack.callback(remove_tree, top)
            held = stack.enter_context((top / _HELD).open("w"))
            fcntl.flock(held, fcntl.LOCK_EX)
        work = top / "work"
        work.mkdir()
        yield work


def sweep(cache: Path) -> None:
    """Remove the folders of runs that were killed."""
    place = cache / FOLDER
    if not place.is_dir():
        return
    with _gate(cache, fcntl.LOCK_EX):
        dead = [path for path in sorted(place.iterdir()) if path.is_dir() and not _is_held(path)]
    for path in dead:
        remove_tree(path)


def _is_held(path: Path) -> bool:
    try:
        with (path / _HELD).open("r") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:  # killed before it could hold it
        return False
    except BlockingIOError:
        return True
    return False


@contextlib.contextmanager
def _gate(cache: Path, how: int) -> Iterator[None]:
    with (cache / f"{FOLDER}.gate").open("a") as file:
        fcntl.flock(file, how)
        yield
