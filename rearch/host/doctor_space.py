"""doctor's look at the disks: room and rights for the cache and the results, and the size of the cache."""

from __future__ import annotations

import os
import shutil
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from rearch.host.doctor import Finding, Surroundings

# A Go toolchain is 0.25 GB, its build cache for eight platforms about 1 GB, a vendored source tree 0.1 GB.
ENOUGH = 3 * 1024**3
TOO_LITTLE = 300 * 1024**2
COUNT_TIME = 0.5


def space(where: Surroundings) -> Iterator[Finding]:
    yield _room("cache", where.cache, "toolchains, sources and results")
    yield _room("output", where.output, "the built files")
    yield Finding(name="cache size", found=_size_of(where.cache), needed_for="knowing when to run `invoke gc`")


def _room(name: str, folder: Path, what: str) -> Finding:
    place = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(place).free
    writable = place.is_dir() and os.access(place, os.W_OK | os.X_OK)
    found = f"{folder} ({_size(free)} free)" if writable and free >= TOO_LITTLE else None
    cure = "" if free >= ENOUGH else f"only {_size(free)} are free at {place}: `invoke gc`, or another disk"
    if not writable:
        setting = "REARCH_CACHE" if name == "cache" else "REARCH_OUTPUT"
        cure = f"{place} cannot be written to: change its owner, or set {setting}"
    return Finding(name=name, found=found, needed_for=what, get=cure, blocks=found is None)


def _size_of(folder: Path) -> str:
    """What the files take, as far as they can be counted in half a second."""
    total, end = 0, time.monotonic() + COUNT_TIME
    for size in _sizes(folder):
        total += size
        if time.monotonic() > end:
            return f"more than {_size(total)} ({folder})"
    return f"{_size(total)} ({folder})"


def _sizes(folder: Path) -> Iterator[int]:
    """Bytes on the disk of every file below; a file that has several names counts once."""
    seen: set[tuple[int, int]] = set()
    waiting = [folder]
    while waiting:
        for state, below in _listed(waiting.pop()):
            if below is not None:
                waiting.append(below)
            elif (state.st_dev, state.st_ino) not in seen:
                seen.add((state.st_dev, state.st_ino))
                yield state.st_blocks * 512


def _listed(folder: Path) -> Iterator[tuple[os.stat_result, Path | None]]:
    """Each entry with its state; with its path too where it is a folder."""
    try:
        for entry in os.scandir(folder):
            state = entry.stat(follow_symlinks=False)
            yield state, Path(entry.path) if stat.S_ISDIR(state.st_mode) else None
    except OSError:
        return  # gone meanwhile, or somebody else's: it is a figure for people


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 10**9 else f"{count / 1e6:.1f} MB"
