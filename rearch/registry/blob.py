"""One blob into a file: streamed, resumed, of exactly the size and digest of its descriptor."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import requests

from rearch.formats.archive_errors import CannotWrite
from rearch.formats.hashing import blocks
from rearch.oci.types import Descriptor
from rearch.registry.caller import Call, Caller
from rearch.registry.errors import NotARegistry, WrongDigest
from rearch.registry.patience import Later, Tries

if TYPE_CHECKING:
    from hashlib import _Hash

_BLOCK = 1 << 18
# An attempt that brought less than this is none that got on.
_STRIDE = 1 << 20
_PARTIAL, _PAST_THE_END = 206, 416


class BlobDownload:
    """Fetches one blob. Only one at a time may fetch into one file: whoever calls has its lock."""

    def __init__(self, caller: Caller, call: Call, blob: Descriptor, into: Path, moved: Callable[[int], None]) -> None:
        self._caller = caller
        self._call = call
        self._blob = blob
        self._into = into
        self._part = into.with_name(into.name + ".part")
        self._moved = moved
        self._resumed = False

    def fetch(self) -> str:
        """All of it; its sha256. Put together from several answers and wrong, it is fetched anew, once."""
        found = self._until_there()
        if found != self._blob.hex and self._resumed:
            self._part.unlink(missing_ok=True)
            self._resumed = False
            found = self._until_there()
        if found != self._blob.hex:
            self._part.unlink(missing_ok=True)
            raise WrongDigest(self._call.what, self._blob.digest, f"sha256:{found}")
        self._part.replace(self._into)
        return found

    def _until_there(self) -> str:
        tries = Tries(self._caller.wire.patience, self._call.what)
        furthest = self._there()
        while True:
            try:
                return self._attempt()
            except Later as later:
                kept = self._there()
                tries.failed(later, progressed=kept >= furthest + _STRIDE, kept=kept)
                furthest = max(furthest, kept)
            except OSError as error:
                raise CannotWrite(str(self._part), error) from error

    def _there(self) -> int:
        """Bytes of an earlier attempt. More than there can be are none."""
        try:
            size = self._part.stat().st_size
        except FileNotFoundError:
            return 0
        return size if size <= self._blob.size else 0

    def _attempt(self) -> str:
        offset = self._there()
        if offset == self._blob.size and self._part.exists():
            self._resumed = offset > 0
            return _hash_of(self._part, offset).hexdigest()
        with self._caller.open(self._ranged(offset)) as response:
            if response.status_code == _PAST_THE_END:
                self._part.unlink(missing_ok=True)
                raise Later(self._call.registry, "it has no such part of the blob", 0.0)
            if response.status_code == _PARTIAL:
                self._check_range(response, offset)
                self._resumed = True
            else:
                offset = 0
            self._check_answer(response, offset)
            return self._receive(response, offset)

    def _ranged(self, offset: int) -> Call:
        from msgspec.structs import replace

        if not offset:
            return self._call
        return replace(self._call, headers={**self._call.headers, "Range": f"bytes={offset}-"})

    def _check_range(self, response: requests.Response, offset: int) -> None:
        """Whether it is the part that was asked for (RFC 9110, 14.4)."""
        found = re.fullmatch(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)", response.headers.get("Content-Range", ""))
        if not offset or found is None or int(found[1]) != offset:
            self._part.unlink(missing_ok=True)
            raise Later(self._call.registry, "it sent another part than it was asked for", 0.0)

    def _check_answer(self, response: requests.Response, offset: int) -> None:
        """Before anything is written: is it a blob, and of that size?"""
        if "html" in response.headers.get("Content-Type", "").lower():
            raise NotARegistry(self._call.registry, "it sends a web page for a blob")
        stated = response.headers.get("Content-Length", "")
        if stated.isdecimal() and len(stated) < 20 and offset + int(stated) != self._blob.size:
            raise self._wrong_size(offset + int(stated))

    def _receive(self, response: requests.Response, offset: int) -> str:
        digest = _hash_of(self._part, offset)
        with self._part.open("r+b" if offset else "wb") as file:
            file.seek(offset)
            done = self._copy(response, file, digest, offset)
            if done == self._blob.size:
                file.flush()
                os.fsync(file.fileno())
        if done != self._blob.size:
            raise Later(self._call.registry, f"the connection ended after {done} of {self._blob.size} bytes")
        return digest.hexdigest()

    def _copy(self, response: requests.Response, file: BinaryIO, digest: _Hash, done: int) -> int:
        stream = response.raw.stream(_BLOCK, decode_content=False)
        while True:
            with self._caller.wire.reading(self._call.registry):
                data = next(stream, b"")
            if not data:
                return done
            done += len(data)
            if done > self._blob.size:
                raise self._wrong_size(done, "or more")
            digest.update(data)
            file.write(data)
            self._moved(done)

    def _wrong_size(self, found: int, more: str = "") -> WrongDigest:
        self._part.unlink(missing_ok=True)
        return WrongDigest(self._call.what, f"{self._blob.size} bytes", f"{found} bytes {more}".rstrip())


def _hash_of(path: Path, size: int) -> _Hash:
    """A running hash of the first `size` bytes."""
    digest = hashlib.sha256()
    if size:
        with path.open("rb") as file:
            for data in blocks(file):
                digest.update(data[:size])
                size -= len(data[:size])
                if not size:
                    break
    return digest
