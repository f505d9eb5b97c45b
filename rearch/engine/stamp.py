"""A note of a build that left nothing to do, so that the next one need not even read the YAML.

As git's index does, it trusts a file whose size, time and inode are as they were (and, as git does, not one that was
changed in the moments before the note was made). Anything else that differs - a flag, a variable, a file more or
less, a result or an output that is gone, rearch's own code, a program on PATH - means that the plan is made. The
plan, not this note, decides what runs.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

FORMAT = 2
RACY_NS = 2_000_000_000
TOUCH_AFTER = 3600.0
_WATCHED = ("SOURCE_DATE_EPOCH", "GOPROXY", "GOSUMDB", "PATH", "HOME", "XDG_CACHE_HOME")
# They change no build, and a note of them would be a secret on disk.
_SECRET = ("REARCH_LOGIN_", "REARCH_NOTIFY_", "REARCH_RANCHER_")

Mark = list[Any]


def environment_cache(environment: Mapping[str, str]) -> Path:
    """The cache folder as far as the environment says it, whatever rearch.yaml says."""
    named = environment.get("REARCH_CACHE")
    if named:
        return Path(named).expanduser().absolute()
    return Path(environment.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rearch"


class Settled(NamedTuple):
    """A build that left nothing to do: what it said, its record in output/.rearch/runs, and how many steps it had.
    (A NamedTuple, as a Struct would take longer to import than all the rest here.)"""

    answer: tuple[str, ...]
    run: Path
    steps: int


class Stamp:
    """The note for one project and one set of flags."""

    def __init__(self, project: Path, flags: Mapping[str, object], environment: Mapping[str, str]) -> None:
        self._asked = {
            "format": FORMAT,
            "project": str(project),
            "flags": {name: str(value) for name, value in sorted(flags.items())},
            "environment": {
                name: value
                for name, value in sorted(environment.items())
                if name in _WATCHED or (name.startswith("REARCH_") and not name.startswith(_SECRET))
            },
            "code": _code(),
        }
        text = json.dumps(self._asked, sort_keys=True)
        self._path = environment_cache(environment) / "stamps" / hashlib.sha256(text.encode()).hexdigest()
        self._search = environment.get("PATH", "")

    def settled(self) -> Settled | None:
        """The build that left nothing to do, if everything is as it was; else None."""
        try:
            note = json.loads(self._path.read_bytes())
            same = note["asked"] == self._asked and all(_mark(path) == mark for path, mark in note["watched"].items())
            if not same or not all(map(_use, (*note["results"], note["run"]))):
                return None
            return Settled(tuple(note["answer"]), Path(note["run"]), int(note["steps"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def leave(
        self,
        *,
        watched: Iterable[Path],
        results: Iterable[Path],
        settled: Settled,
    ) -> None:
        """Note that there is nothing to do. `watched`: files and folders (with all in them); `results`: records."""
        within = (path for top in watched for path in _below(str(top)))
        marks = {path: _mark(path) for path in (*within, *self._programs())}
        if any(mark and time.time_ns() - mark[0] < RACY_NS for mark in marks.values()):
            return
        note = {
            "asked": self._asked,
            "watched": marks,
            "results": list(map(str, results)),
            "answer": settled.answer,
            "run": str(settled.run),
            "steps": settled.steps,
        }
        self._path.parent.mkdir(parents=True, exist_ok=True)
        beside = self._path.with_suffix(f".{os.getpid()}")
        beside.write_text(json.dumps(note))
        beside.replace(self._path)

    def _programs(self) -> Iterator[str]:
        """The folders of PATH: a program that is installed or removed changes its folder's time."""
        return (name for name in self._search.split(os.pathsep) if name)


def _below(path: str) -> Iterator[str]:
    """A file; or a folder and all in it."""
    yield path
    for folder, folders, files in os.walk(path):
        for name in (*folders, *files):
            yield f"{folder}/{name}"


def _mark(path: str) -> Mark:
    """Time, size, inode and mode; empty where there is nothing."""
    try:
        found = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [found.st_mtime_ns, found.st_size, found.st_ino, found.st_mode]


def _use(record: str) -> bool:
    """Whether a result is there; marks it as used, for gc."""
    found = Path(record).stat()
    if time.time() - found.st_mtime > TOUCH_AFTER:
        os.utime(record)
    return True


def _code() -> str:
    """What rearch itself is: the newest time of its files, and how many there are."""
    newest = count = 0
    for folder, _, files in os.walk(Path(__file__).parents[1]):
        for name in files:
            if name.endswith(".py"):
                count += 1
                newest = max(newest, Path(folder, name).stat().st_mtime_ns)
    return f"{count} files, {newest}"
