"""A bundle that appears whole or not at all: written beside, then renamed."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rearch.bundle.errors import BadTarget
from rearch.formats.archive_errors import CannotWrite


def check_target(source: Path, target: Path, *, replace: bool) -> None:
    """Whether the original stays what it is, and nobody's folder is lost. Errors: BadTarget."""
    real, wanted = source.resolve(), target.resolve()
    if real == wanted:
        raise BadTarget(target, "is the original, which is never written to")
    if real.is_dir() and wanted.is_relative_to(real):
        raise BadTarget(target, "lies in the original, which is never written to")
    if real.is_relative_to(wanted):
        raise BadTarget(target, "is a folder that holds the original")
    if source.is_dir() and target.exists() and not target.is_dir():
        raise BadTarget(target, "is a file, and the bundle is a folder")
    if target.is_dir() and not (source.is_dir() and (replace or not any(target.iterdir()))):
        why = "is a folder that holds something" if source.is_dir() else "is a folder, and the bundle is a file"
        raise BadTarget(target, why)


@contextmanager
def written_whole(target: Path, *, folder: bool) -> Iterator[Path]:
    """A place beside the target, which takes its name when all went well, else vanishes. Errors: CannotWrite."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
    except OSError as error:
        raise CannotWrite(str(target), error) from error
    try:
        place = scratch / target.name
        if folder:
            place.mkdir()
        else:
            place.touch(0o644)
            place.chmod(0o644)
        yield place
        try:
            _take_place(place, target, scratch)
        except OSError as error:
            raise CannotWrite(str(target), error) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _take_place(place: Path, target: Path, scratch: Path) -> None:
    """A folder cannot be renamed over one that holds something: the old one steps aside first."""
    if place.is_dir() and target.is_dir():
        target.rename(scratch / "old")
    place.rename(target)
    handle = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
