"""Blobs of an image layout, which is a folder, or files that lie elsewhere (in a tar): every one is checked."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Protocol

from rearch.formats.archive_errors import CorruptArchive, TruncatedArchive
from rearch.formats.hashing import Readable, blocks
from rearch.oci.layout_errors import BlobTooLarge, MissingBlob, WrongBlob
from rearch.oci.types import Descriptor

DOCUMENT_LIMIT = 8 << 20
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}\Z")


class LayoutFiles(Protocol):
    """The files of a layout that is no folder. `str()` is its name for messages."""

    def open_file(self, name: str) -> AbstractContextManager[tuple[Readable, int]]:
        """A file by its path in the layout, and its size in bytes. Errors: FileNotFoundError."""


Place = Path | LayoutFiles


@contextmanager
def open_file(layout: Place, name: str) -> Iterator[tuple[Readable, int]]:
    """A file of the layout, and its size in bytes. Errors: OSError, as `open` has them."""
    if not isinstance(layout, Path):
        with layout.open_file(name) as found:
            yield found
        return
    with (layout / name).open("rb", buffering=0) as file:
        yield file, os.fstat(file.fileno()).st_size


def blob_path(layout: Path, digest: str) -> Path:
    """Where the blob is, or would be. Errors: ValueError for what is no sha256 digest (callers check before)."""
    return layout / blob_name(digest)


def blob_name(digest: str) -> str:
    """The blob's path in a layout. Errors: ValueError."""
    if not _DIGEST.match(digest):
        raise ValueError(f"not a digest: {digest!r}")
    return f"blobs/sha256/{digest.removeprefix('sha256:')}"


def read_blob(layout: Place, descriptor: Descriptor, *, limit: int = DOCUMENT_LIMIT) -> bytes:
    """The bytes of a small blob, checked. Errors: MissingBlob, WrongBlob, BlobTooLarge (more than `limit` bytes)."""
    if descriptor.size > limit:
        raise BlobTooLarge(layout, descriptor.digest, descriptor.size, limit)
    try:
        with open_file(layout, blob_name(descriptor.digest)) as (file, size):
            data = file.read(descriptor.size + 1) if size == descriptor.size else b""
    except (FileNotFoundError, IsADirectoryError):
        raise MissingBlob(layout, descriptor.digest) from None
    if size != descriptor.size:
        raise WrongBlob(layout, descriptor.digest, f"it has {size} bytes, and should have {descriptor.size}")
    if (found := hashlib.sha256(data).hexdigest()) != descriptor.hex:
        raise WrongBlob(layout, descriptor.digest, f"its digest is sha256:{found}")
    return data


@contextmanager
def open_blob(layout: Place, descriptor: Descriptor) -> Iterator[Readable]:
    """A blob of any size, to be read once from its beginning.

    When the block ends without an error, or because the bytes make no sense to an unpacker, what was left is read too,
    and the digest compared. Errors: MissingBlob,
    WrongBlob (the size at once, the digest at the end).
    """
    with ExitStack() as stack:
        try:
            file, size = stack.enter_context(open_file(layout, blob_name(descriptor.digest)))
        except (FileNotFoundError, IsADirectoryError):
            raise MissingBlob(layout, descriptor.digest) from None
        if size != descriptor.size:
            raise WrongBlob(layout, descriptor.digest, f"it has {size} bytes, and should have {descriptor.size}")
        hashed = Hashed(file)
        try:
            yield hashed
        except (CorruptArchive, TruncatedArchive):
            _finish(layout, descriptor, hashed)  # bytes that are wrong are the cause, where they are
            raise
        _finish(layout, descriptor, hashed)


def _finish(layout: Place, descriptor: Descriptor, hashed: Hashed) -> None:
    for _ in blocks(hashed):
        pass
    if hashed.hex != descriptor.hex:
        raise WrongBlob(layout, descriptor.digest, f"its digest is sha256:{hashed.hex}")


class Hashed:
    """A stream that is hashed as it is read."""

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self._digest = hashlib.sha256()
        self.size = 0

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes, none at the end."""
        data = self._stream.read(size)
        self._digest.update(data)
        self.size += len(data)
        return data

    @property
    def hex(self) -> str:
        """The sha256 (hexadecimal) of what was read so far."""
        return self._digest.hexdigest()
