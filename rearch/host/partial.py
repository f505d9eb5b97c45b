"""A download that is not finished: its bytes in `<name>.part`, and beside them what is needed to go on."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from msgspec import Struct
from msgspec.structs import asdict

from rearch.formats.archive_errors import CannotWrite
from rearch.formats.hashing import blocks


class Origin(Struct, frozen=True, kw_only=True):
    """Where the bytes came from. `validator` is an If-Range value (RFC 9110, 13.1.5): a strong ETag or a date.

    `url` is a hash of the URL: it may hold a secret, and this is written to the disk.
    """

    url: str
    validator: str


class Partial:
    """The part file of one download. Only one process at a time may use it: the caller has a lock."""

    def __init__(self, into: Path) -> None:
        self.into = into
        self.path = into.with_name(into.name + ".part")
        self._note = into.with_name(into.name + ".part.json")

    @property
    def size(self) -> int:
        """Bytes that are there."""
        try:
            return self.path.stat().st_size
        except (FileNotFoundError, NotADirectoryError):
            return 0

    def origin(self) -> Origin | None:
        """What was noted when the first byte came; None when that was not done or cannot be read."""
        try:
            found = json.loads(self._note.read_bytes())
            return Origin(url=str(found["url"]), validator=str(found["validator"]))
        except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError):
            return None

    def begin(self, origin: Origin) -> None:
        """Start anew with no bytes. Errors: CannotWrite."""
        with self._explained():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_bytes(b"")
            self._note.write_text(json.dumps(asdict(origin)))

    def discard(self) -> None:
        """Throw away what is there."""
        self.path.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)

    def open(self) -> BinaryIO:
        """A file to add bytes to. Errors: CannotWrite."""
        with self._explained():
            return self.path.open("ab")

    def write(self, file: BinaryIO, data: bytes) -> None:
        """Add bytes to what `open` gave. Errors: CannotWrite."""
        with self._explained():
            file.write(data)

    def sha256(self) -> hashlib._Hash:
        """A running hash of the bytes that are there."""
        digest = hashlib.sha256()
        if self.size:
            with self.path.open("rb") as file:
                for data in blocks(file):
                    digest.update(data)
        return digest

    def head(self, size: int = 512) -> bytes:
        """The first bytes, to see what it is."""
        with self.path.open("rb") as file:
            return file.read(size)

    def finish(self) -> None:
        """Give it its final name, once every byte is on the disk. Errors: CannotWrite."""
        with self._explained():
            with self.path.open("rb") as file:
                os.fsync(file.fileno())
            self.path.replace(self.into)
            self._note.unlink(missing_ok=True)
            folder = os.open(self.into.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise CannotWrite(str(self.path), error) from error
