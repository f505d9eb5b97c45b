"""A file as the body of requests: sent in parts, hashed in the same pass, and stopped before a wrong end."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from rearch.oci.types import Descriptor
from rearch.registry.hash_beside import HashBeside
from rearch.registry.push_errors import CannotReadBlob, SourceChanged

# The time-out of a connection is for one of these: at 30 s, a line of 9 kB/s is still quick enough.
PIECE = 1 << 18


class CheckedFile:
    """An open file that should be `blob`. Each byte is hashed once, however often it is sent.

    `checked`: the caller has done that, and here it is done only when the registry doubts it. `sent` is how many bytes
    were given out so far, in all attempts. For one thread.
    """

    def __init__(self, descriptor: int, path: Path, blob: Descriptor, *, checked: bool = False) -> None:
        self._descriptor = descriptor
        self._path = path
        self._blob = blob
        self._digest = HashBeside()
        self._hashed = blob.size if checked else 0
        self._wrong: SourceChanged | None = None
        self.sent = 0

    def part(self, start: int, end: int, seen: Callable[[int], None]) -> FilePart:
        """The bytes from `start` to before `end`, as a body. `seen` is told how far it is, before each piece."""
        return FilePart(self, start, end, seen)

    def pieces(self, start: int, end: int, seen: Callable[[int], None]) -> Iterator[bytes]:
        """These bytes. The last of the file comes only if the whole file is right. Errors: SourceChanged."""
        self._hash_to(start)
        place = start
        while place < end:
            data = self._read(place, min(PIECE, end - place))
            self._hash(place, data)
            seen(place + len(data))
            self.sent += len(data)
            yield data
            place += len(data)

    def check(self) -> None:
        """Read what was not hashed yet. Errors: SourceChanged."""
        self._hash_to(self._blob.size)
        if not self._blob.size:
            self._check_end()

    def check_again(self) -> None:
        """Read it all anew. Errors: SourceChanged."""
        self.close()
        self._digest, self._hashed, self._wrong = HashBeside(), 0, None
        self.check()

    def close(self) -> None:
        """End what works on it. The descriptor is the caller's."""
        self._digest.close()

    def _hash_to(self, end: int) -> None:
        """What an earlier run has sent was not hashed by this one."""
        while self._hashed < end:
            self._hash(self._hashed, self._read(self._hashed, min(PIECE, end - self._hashed)))

    def _hash(self, place: int, data: bytes) -> None:
        if place + len(data) <= self._hashed:
            if self._wrong is not None:
                raise self._wrong
            return
        self._digest.update(memoryview(data)[self._hashed - place :])
        self._hashed = place + len(data)
        if self._hashed == self._blob.size:
            self._check_end()

    def _check_end(self) -> None:
        if (found := self._digest.hexdigest()) != self._blob.hex:
            self._wrong = SourceChanged(self._path, self._blob.digest, f"sha256:{found}")
            raise self._wrong

    def _read(self, place: int, size: int) -> bytes:
        try:
            data = os.pread(self._descriptor, size, place)
        except OSError as error:
            raise CannotReadBlob(self._path, error) from error
        if not data:
            raise SourceChanged(self._path, f"{self._blob.size} bytes", f"{place} bytes")
        return data


class FilePart:
    """A part of a file as a request's body: with a length, and to be sent again from its start when need be."""

    def __init__(self, file: CheckedFile, start: int, end: int, seen: Callable[[int], None]) -> None:
        self._file = file
        self._start = start
        self._end = end
        self._seen = seen

    def __len__(self) -> int:
        return self._end - self._start

    def __iter__(self) -> Iterator[bytes]:
        return self._file.pieces(self._start, self._end, self._seen)


@contextlib.contextmanager
def open_blob(path: Path, blob: Descriptor, *, checked: bool = False) -> Iterator[CheckedFile]:
    """The file, if it has the blob's size. Errors: SourceChanged, CannotReadBlob."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise CannotReadBlob(path, error) from error
    try:
        if (size := os.fstat(descriptor).st_size) != blob.size:
            raise SourceChanged(path, f"{blob.size} bytes", f"{size} bytes")
        with contextlib.closing(CheckedFile(descriptor, path, blob, checked=checked)) as file:
            yield file
    finally:
        os.close(descriptor)
