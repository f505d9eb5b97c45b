"""sha256 of files and streams, in blocks: memory does not grow with the size."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

BLOCK = 1 << 20


class Readable(Protocol):
    """What has `read`, as every binary file and HTTP body does. An empty answer is the end."""

    def read(self, size: int, /) -> bytes: ...


class Writable(Protocol):
    """What has `write` and takes all that it is given, as a buffered binary file does."""

    def write(self, data: bytes, /) -> object: ...


def blocks(stream: Readable, size: int = BLOCK) -> Iterator[bytes]:
    """What is left of a stream, at most `size` bytes at a time."""
    while data := stream.read(size):
        yield data


def sha256_stream(stream: Readable) -> str:
    """The sha256 (64 hexadecimal digits) of what is left of a stream."""
    digest = hashlib.sha256()
    for data in blocks(stream):
        digest.update(data)
    return digest.hexdigest()


def sha256_file(path: Path) -> str:
    """The sha256 (64 hexadecimal digits) of a file's content. Errors: OSError, as `open` has them."""
    with path.open("rb", buffering=0) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def copy_hashed(source: Readable, target: Writable, seen: Callable[[int], None] | None = None) -> tuple[str, int]:
    """Copy what is left of `source` and hash it in the same pass: (sha256 in hexadecimal, bytes).

    `seen` is told the number of bytes so far *before* each block is written, and may raise to stop.
    """
    digest = hashlib.sha256()
    done = 0
    for data in blocks(source):
        done += len(data)
        if seen is not None:
            seen(done)
        digest.update(data)
        target.write(data)
    return digest.hexdigest(), done
