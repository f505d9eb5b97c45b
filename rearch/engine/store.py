"""Results by key: whole or absent.

    <cache>/store-1/<2 digits>/<key>/result.json   the record, written last; its time is that of the last use
                                     key.json      what the key was made from, readable
                                     files/        what the step made; never changed afterwards
    <cache>/store-1/scratch/<lease>/<n>/           where steps work; on the same file system, so that rename suffices
    <cache>/store-1/leases/<lease>                 keys that a live run uses, held with flock
    <cache>/store-1/locks/                         one step is made by one run at a time

A run that is killed leaves scratch and a lease that nobody holds; the next run removes both.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from rearch.engine.durable import sync_file_system, sync_folder
from rearch.engine.records import read_result, result_bytes
from rearch.engine.refused import make_folder
from rearch.errors import Interrupted
from rearch.formats.hashing import sha256_file
from rearch.formats.tree import remove_tree
from rearch.model.step import Artifact, Result

FORMAT = "store-1"
TOUCH_AFTER = 3600.0
WAIT = 0.1


class Store:
    """The results of all projects of one user. Safe for several runs at once."""

    def __init__(self, cache: Path) -> None:
        self.root = cache / FORMAT

    def folder(self, key: str) -> Path:
        return self.root / key[:2] / key

    def files(self, key: str) -> Path:
        return self.folder(key) / "files"

    def has(self, key: str) -> bool:
        """Whether the result is there; marks it as used."""
        record = f"{self.root}/{key[:2]}/{key}/result.json"
        try:
            used = os.stat(record).st_mtime  # noqa: PTH116 - 14,000 times in the plan of a large project
        except FileNotFoundError:
            return False
        if time.time() - used > TOUCH_AFTER:
            with contextlib.suppress(OSError):
                os.utime(record)
        return True

    def load(self, key: str) -> Result:
        """The record of a result that is there."""
        return read_result((self.folder(key) / "result.json").read_bytes())

    def document(self, key: str) -> Mapping[str, Any] | None:
        """What a key was made from, as far as it is still known."""
        try:
            readable = json.loads((self.folder(key) / "key.json").read_bytes())
        except (FileNotFoundError, ValueError):
            return None
        return readable if isinstance(readable, dict) else None

    def commit(self, result: Result, readable: Mapping[str, Any], scratch: Path) -> None:
        """Give `scratch`, which holds `files/`, its final name. The key's lock must be held."""
        (scratch / "key.json").write_text(json.dumps(readable, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
        (scratch / "result.json").write_bytes(result_bytes(result))
        sync_file_system(scratch)
        final = self.folder(result.key)
        final.parent.mkdir(parents=True, exist_ok=True)
        if final.exists():
            self.discard(final)
        scratch.rename(final)
        sync_folder(final.parent)

    def intact(self, result: Result) -> bool:
        """Whether the artifacts of a result are what they were: output/ links to them, and who writes there in place
        (as `strip` does) writes here too. Only files that look changed are hashed."""
        made = (self.folder(result.key) / "key.json").stat().st_mtime_ns
        return all(_unchanged(self.files(result.key) / item.path, item, made) for item in result.artifacts)

    def discard(self, folder: Path) -> None:
        """Remove a result: out of sight at once, then piece by piece."""
        remove_tree(self.hide(folder))

    def hide(self, folder: Path) -> Path:
        """Rename something of the cache into scratch, where nobody looks for it. Returns where it is now."""
        trash = self.root / "scratch" / f"trash-{os.getpid()}-{time.monotonic_ns()}"
        trash.parent.mkdir(parents=True, exist_ok=True)
        folder.rename(trash)
        return trash

    @contextlib.contextmanager
    def making(self, key: str, stopped: threading.Event) -> Iterator[None]:
        """Hold the lock under which a key's result is made. Other runs wait here, and find it done.

        Errors: Interrupted when `stopped` is set while it waits.
        """
        path = self.root / "locks" / key[:3]
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as file:
            while not _try_lock(file):
                if stopped.wait(WAIT):
                    raise Interrupted
            yield

    @contextlib.contextmanager
    def lease(self) -> Iterator[Lease]:
        """The right to use results: while it is held, `gc` leaves them alone."""
        make_folder(self.root / "leases", "the cache folder")
        name = f"{os.getpid()}-{time.time_ns()}"
        path = self.root / "leases" / name
        with contextlib.ExitStack() as stack:
            with self.gate(exclusive=False):  # so that `sweep` never meets a lease that is not locked yet
                file = stack.enter_context(path.open("w"))
                fcntl.flock(file, fcntl.LOCK_EX)
            lease = Lease(path, self.root / "scratch" / name)
            try:
                yield lease
            finally:
                remove_tree(lease.scratch)
                path.unlink(missing_ok=True)

    @contextlib.contextmanager
    def gate(self, *, exclusive: bool) -> Iterator[None]:
        """Shared while a run declares what it uses, exclusive while `gc` decides what nobody uses."""
        with _locked(self.root / "gate", fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH):
            yield

    def sweep(self) -> None:
        """Remove what killed runs left: scratch folders and leases that nobody holds."""
        with self.gate(exclusive=True):
            dead = [path for path in _entries(self.root / "leases") if _is_free(path)]
        for path in dead:
            remove_tree(self.root / "scratch" / path.name)
            path.unlink(missing_ok=True)
        for path in _entries(self.root / "scratch"):
            owner = path.name.removeprefix("trash-").partition("-")[0]
            if path.name.startswith("trash-") and not Path(f"/proc/{owner}").exists():
                remove_tree(path)

    def leased(self) -> frozenset[str]:
        """The keys that live runs use."""
        keys: set[str] = set()
        for path in _entries(self.root / "leases"):
            if not _is_free(path):
                keys.update(path.read_text().split())
        return frozenset(keys)

    def all_keys(self) -> Iterator[str]:
        """All keys whose result is there."""
        for shard in _entries(self.root):
            if len(shard.name) == 2:
                yield from (path.name for path in _entries(shard) if (path / "result.json").exists())


class Lease:
    """One run's hold on the store."""

    def __init__(self, path: Path, scratch: Path) -> None:
        self._path = path
        self.scratch = scratch

    def declare(self, keys: Iterable[str]) -> None:
        """Say which results this run uses. The gate must be held since it looked whether they are there."""
        self._path.write_text("\n".join(keys))


def _unchanged(path: Path, artifact: Artifact, made: int) -> bool:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return False
    if artifact.target is not None or (found.st_size == artifact.size and found.st_mtime_ns <= made):
        return True
    return found.st_size == artifact.size and sha256_file(path) == artifact.digest


def _entries(folder: Path) -> tuple[Path, ...]:
    try:
        return tuple(sorted(folder.iterdir()))
    except FileNotFoundError:
        return ()


def _is_free(path: Path) -> bool:
    try:
        with path.open("r") as file:
            return _try_lock(file)
    except FileNotFoundError:
        return False


def _try_lock(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextlib.contextmanager
def _locked(path: Path, how: int) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        fcntl.flock(file, how)
        yield
