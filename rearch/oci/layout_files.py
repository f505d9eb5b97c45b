"""Files of layouts and of the layer store: they appear whole or not at all, also beside other processes."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO


@contextlib.contextmanager
def temporary_beside(path: Path) -> Iterator[Path]:
    """A name for a new file in the folder of `path`, which is removed at the end if it is still there."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:16]}.")
    os.close(handle)
    temporary = Path(name)
    temporary.unlink()
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def written_whole(path: Path, *, durable: bool) -> Iterator[BinaryIO]:
    """A file that takes the name `path` when the block ends without an error.

    `durable`: its bytes are on the disk before it has the name. Results of steps need not: the store writes out the
    whole file system once.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:16]}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb", buffering=0) as file:
            yield file
            os.fchmod(file.fileno(), 0o644)
            if durable:
                os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_whole(path: Path, data: bytes, *, durable: bool) -> None:
    """Replace a file by one with these bytes."""
    with written_whole(path, durable=durable) as file:
        write_all(file, data)


def write_all(file: BinaryIO, data: bytes | memoryview) -> None:
    """Write to a raw file, which may take less than it is given (a disk that fills up says so on the next call)."""
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]


def has_size(path: Path, size: int) -> bool:
    """Whether this is a file of so many bytes."""
    try:
        return path.stat().st_size == size
    except FileNotFoundError:
        return False
