"""What several files were before a change to them: written before it, so that a run that is killed can be undone.

    <project>/.rearch.undo      exists while files are being changed; its writer holds it with flock

A journal that nobody holds is of a run that was killed. Then each file is as it was, or as it was to be, and the next
command makes them all as they were. A journal that was not finished means that nothing had been changed yet. Paths are
relative to the project; one that is hidden or leads out of it is refused, since a project may be somebody else's.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import fcntl
import hashlib
import json
import os
import re
import stat
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

from msgspec import Struct

from rearch.engine.durable import sync_folder, write_whole
from rearch.errors import StepError, UsageError

JOURNAL = ".rearch.undo"
LARGEST = 256 << 20
PAUSE = 0.02
# What tempfile.mkstemp puts behind a prefix.
_DRAFT = re.compile(r"[a-z0-9_]{8}", re.ASCII)


class Rewrite(Struct, frozen=True, kw_only=True):
    """The bytes that a file had when the change was thought of, and those that it gets; None: no such file."""

    old: bytes | None
    new: bytes | None


class BadJournal(UsageError):
    """A journal that no run of rearch wrote."""

    def __init__(self, path: Path, why: str) -> None:
        self.path = path
        super().__init__(f"{path}: {why}", ["nothing was changed"], f"compare with version control, then `rm {path}`")


class CannotUndo(StepError):
    """The files of a run that was killed cannot be written."""

    def __init__(self, journal: Path, error: OSError) -> None:
        self.journal = journal
        super().__init__(
            f"a run that was killed left a change half done, and it cannot be undone: {error.strerror or error}",
            [f"in {error.filename or journal}"],
            "make room or the folder writable, and run the same command again; or take the files from version control",
        )


class Undone(Struct, frozen=True, kw_only=True):
    """What was found after a killed run: files that are as before now, and those that somebody edited since."""

    restored: tuple[Path, ...] = ()
    edited: tuple[Path, ...] = ()

    def lines(self, root: Path) -> Iterator[str]:
        """For people; nothing when nothing was found."""
        top = root.resolve()
        names = [
            ", ".join(sorted(str(path.relative_to(top)) for path in files)) for files in (self.restored, self.edited)
        ]
        if self.restored:
            yield f"a run was killed while it wrote: {names[0]} as before it now"
        if self.edited:
            yield f"a run was killed while it wrote, and {names[1]} was edited since: see `git diff`, nothing is undone"


def content(path: Path) -> bytes | None:
    """The bytes of a file; None when there is none."""
    return path.read_bytes() if path.is_file() else None


def put(path: Path, data: bytes | None) -> None:
    """The file appears whole, with the mode that it had; None removes it."""
    if data is None:
        if path.parent.is_dir():
            path.unlink(missing_ok=True)
            sync_folder(path.parent)
        return
    mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else 0o644
    write_whole(path, data, mode)


@contextlib.contextmanager
def changing(root: Path) -> Iterator[Journal]:
    """The right to change files of a project. Another run that does is waited for; what a killed one left is undone.

    When the block fails, the files that were noted are as before; where that fails too, the journal is kept for the
    next command. Errors: BadJournal, CannotUndo, OSError.
    """
    path = root / JOURNAL
    with _created(root) as file:
        journal = Journal(root, file)
        try:
            yield journal
        except BaseException:  # an interrupt too: half of a change would be worse than none
            try:
                _put_back(journal.files)
            except OSError as error:
                raise CannotUndo(path, error) from error
            path.unlink()
            raise
        path.unlink()
    sync_folder(root)


class Journal:
    """What is said of a change before it is begun."""

    def __init__(self, root: Path, file: IO[bytes]) -> None:
        self._root = root
        self._file = file
        self.files: Mapping[Path, Rewrite] = {}

    def note(self, files: Mapping[Path, Rewrite]) -> None:
        """From here on the change can be undone. One outside the project (a link leads there) is only undone here."""
        inside = {name: change for path, change in files.items() if (name := _name(self._root, path))}
        self._file.write(_text(inside))
        self._file.flush()
        os.fsync(self._file.fileno())
        sync_folder(self._root)
        self.files = files


def undo(root: Path) -> Undone:
    """Undo what a killed run left half done in a project; nothing when there is no such thing, or a run is at it.

    Where somebody has edited one of the files since, all are left as they are. Errors: BadJournal, CannotUndo.
    """
    path = root / JOURNAL
    try:
        with path.open("rb") as file:
            if not _held(file, path):
                return Undone()
            files = _read(path, file)
            done = _undone(files)
            path.unlink()
    except FileNotFoundError:
        return Undone()
    except OSError as error:
        raise CannotUndo(path, error) from error
    sync_folder(root)
    return done


def _undone(files: Mapping[Path, Rewrite]) -> Undone:
    now = {path: content(path) for path in files}
    for path in files:
        _sweep(path)
    if all(now[path] == change.new for path, change in files.items()):
        return Undone()  # it was killed when all was done
    edited = tuple(path for path, change in files.items() if now[path] not in (change.old, change.new))
    return Undone(edited=edited) if edited else Undone(restored=_put_back(files))


def _put_back(files: Mapping[Path, Rewrite]) -> tuple[Path, ...]:
    changed = tuple(path for path, change in files.items() if content(path) != change.old)
    for path in changed:
        put(path, files[path].old)
    return changed


def _sweep(path: Path) -> None:
    """Remove the drafts of a file that write_whole had no time to rename."""
    prefix = f".{path.name}."
    for draft in path.parent.glob(f"{_escaped(prefix)}*") if path.parent.is_dir() else ():
        if _DRAFT.fullmatch(draft.name.removeprefix(prefix)):
            draft.unlink(missing_ok=True)


def _escaped(text: str) -> str:
    return re.sub(r"([*?[])", r"[\1]", text)


@contextlib.contextmanager
def _created(root: Path) -> Iterator[IO[bytes]]:
    """A journal that was not there, held."""
    path = root / JOURNAL
    while True:
        try:
            file = path.open("xb")
        except FileExistsError:
            undo(root)
            time.sleep(PAUSE)
            continue
        with file:
            if _held(file, path):  # else `undo` of another run took the empty file for a dead run's
                yield file
                return


def _held(file: IO[bytes], path: Path) -> bool:
    """Whether the lock is ours now, and the file is there still."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except (BlockingIOError, FileNotFoundError):
        return False


def _text(files: Mapping[str, Rewrite]) -> bytes:
    """A digest, then what it is of: a journal that was cut off is told from a whole one."""
    rows = [[name, _out(change.old), _out(change.new)] for name, change in files.items()]
    body = json.dumps(rows).encode()
    return hashlib.sha256(body).hexdigest().encode() + b"\n" + body


def _read(path: Path, file: IO[bytes]) -> Mapping[Path, Rewrite]:
    """Nothing where it was not finished. Errors: BadJournal."""
    if os.fstat(file.fileno()).st_size > LARGEST:
        raise BadJournal(path, f"larger than {LARGEST >> 20} MiB")
    digest, _, body = file.read().partition(b"\n")
    if hashlib.sha256(body).hexdigest().encode() != digest:
        return {}
    try:
        rows = [(str(name), Rewrite(old=_in(old), new=_in(new))) for name, old, new in json.loads(body)]
    except (ValueError, TypeError, binascii.Error):
        raise BadJournal(path, "not a journal") from None
    return {_inside(path, name): change for name, change in rows}


def _name(root: Path, path: Path) -> str:
    """The path of a file in a project; empty where it is outside, or hidden."""
    top, real = root.resolve(), path.resolve()
    if not real.is_relative_to(top) or any(part.startswith(".") for part in real.relative_to(top).parts):
        return ""
    return real.relative_to(top).as_posix()


def _inside(journal: Path, name: str) -> Path:
    """Errors: BadJournal: a project may be somebody else's, and its journal then writes no file but the project's."""
    path = journal.parent.resolve() / name
    if not name or _name(journal.parent, path) != name:
        raise BadJournal(journal, f"names {name!r}, which is no file of this project")
    return path


def _out(data: bytes | None) -> str | None:
    return None if data is None else base64.b64encode(data).decode()


def _in(text: object) -> bytes | None:
    return None if text is None else base64.b64decode(str(text), validate=True)
