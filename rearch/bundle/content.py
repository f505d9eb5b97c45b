"""The content of a bundle's file, hashed as it passes; ELF files are put aside to be read."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, cast

from rearch.bundle.errors import TooLarge
from rearch.formats.archive_errors import CannotWrite
from rearch.formats.elf import BrokenElf, ElfFacts, read_elf_stream
from rearch.formats.elf_image import ELF_MAGIC
from rearch.formats.hashing import BLOCK, Readable, blocks

_IN_MEMORY = 16 << 20


class Digests:
    """The digests of what has passed."""

    def __init__(self) -> None:
        self._sha1 = hashlib.sha1(usedforsecurity=False)
        self._sha256 = hashlib.sha256()
        self.size = 0

    def through(self, data: Iterable[bytes]) -> Iterator[bytes]:
        """The same blocks, counted."""
        for block in data:
            self.size += len(block)
            self._sha1.update(block)
            self._sha256.update(block)
            yield block

    @property
    def sha1(self) -> str:
        return self._sha1.hexdigest()

    @property
    def sha256(self) -> str:
        return self._sha256.hexdigest()


def started(content: Readable) -> tuple[bytes, Iterator[bytes]]:
    """The first block, and all blocks (the first among them)."""
    first = content.read(BLOCK)
    while 0 < len(first) < len(ELF_MAGIC) and (more := content.read(BLOCK)):
        first += more
    return first, _after(first, content)


def _after(first: bytes, content: Readable) -> Iterator[bytes]:
    if first:
        yield first
        yield from blocks(content)


def is_elf(start: bytes) -> bool:
    """Whether a file that begins so is ELF."""
    return start.startswith(ELF_MAGIC)


def small(bundle: str, path: str, size: int, content: Readable, allowed: int) -> bytes:
    """The whole content of a file that has to be in memory. Errors: TooLarge."""
    if size > allowed:
        raise TooLarge(bundle, path, size, allowed)
    return b"".join(blocks(content))


class Aside:
    """A file's content, put aside: in memory up to 16 MiB, then in a temporary file of `folder`. A context."""

    def __init__(self, data: Iterable[bytes], folder: Path | None) -> None:
        self._file = tempfile.SpooledTemporaryFile(  # noqa: SIM115 - this is the context
            _IN_MEMORY, dir=str(folder) if folder else None
        )
        self.digests = Digests()
        try:
            for block in self.digests.through(data):
                self._file.write(block)
        except OSError as error:
            self._file.close()
            raise CannotWrite(str(folder or tempfile.gettempdir()), error) from error
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Aside:
        return self

    def __exit__(self, *_error: object) -> None:
        self._file.close()

    def blocks(self) -> Iterator[bytes]:
        """The content again."""
        self._file.seek(0)
        yield from blocks(self._file)

    def facts(self, name: str) -> tuple[ElfFacts | None, str]:
        """What it says of itself; None with a reason where it contradicts itself."""
        try:
            return read_elf_stream(cast("BinaryIO", self._file), name), ""
        except BrokenElf as error:
            return None, error.reason
