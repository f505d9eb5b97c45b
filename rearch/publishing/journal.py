"""What was sent where, so that a publish that broke off is gone on with. A hint, and never a proof: a registry may have
lost anything since, so whatever stands here costs a question at most, and is never taken for an answer.

output/.rearch/publish/<registry>.jsonl: a line for each thing that happened, appended as it happens. A line that was
written outlives the process; that it outlives the machine is worth no fsync for each blob. A torn last line is ignored.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # known when there are uploads
    from rearch.registry.upload_place import Upload

FOLDER = Path(".rearch") / "publish"
# Beyond that the oldest are forgotten, when a publish has ended well.
_MOST = 5000


class Journal:
    """Of one registry. For several threads; `close` it at the end.

    Another publish to the same registry may be running: then nothing is read or written, since two processes must not
    go on with one upload.
    """

    def __init__(self, folder: Path, registry: str) -> None:
        self._path = folder / f"{re.sub(r'[^A-Za-z0-9.-]', '_', registry)}.jsonl"
        self._lock = threading.Lock()
        self._file: int | None = None
        self._opened = False
        # place -> digests; (place, digest) -> upload
        self._blobs: dict[str, dict[str, None]] = {}
        self._uploads: dict[tuple[str, str], Upload] = {}

    def knows(self, place: str, digest: str) -> bool:
        """Whether the blob was there when it was last heard of. `place`: registry and repository."""
        with self._lock:
            self._open()
            return digest in self._blobs.get(place, ())

    def holders(self, digest: str) -> tuple[str, ...]:
        """Places that have had the blob, the latest first."""
        with self._lock:
            self._open()
            return tuple(place for place, digests in reversed(self._blobs.items()) if digest in digests)

    def upload(self, place: str, digest: str) -> Upload | None:
        """An upload that was begun and not ended."""
        with self._lock:
            self._open()
            return self._uploads.get((place, digest))

    def note(self, upload: Upload) -> None:
        """How far an upload is."""
        line = {"place": upload.place, "digest": upload.digest, "at": upload.location, "offset": upload.offset}
        with self._lock:
            self._open()
            self._uploads[upload.place, upload.digest] = upload
            self._write(line | ({"shortest": upload.shortest} if upload.shortest else {}))

    def sent(self, place: str, digest: str) -> None:
        """The blob is there now."""
        with self._lock:
            self._open()
            if digest in self._blobs.get(place, ()) and (place, digest) not in self._uploads:
                return
            self._add(place, digest)
            self._write({"place": place, "digest": digest})

    def forget(self, place: str) -> None:
        """The repository has lost something: nothing is known of it any more."""
        with self._lock:
            self._open()
            self._blobs.pop(place, None)
            self._write({"place": place, "lost": True})

    def settle(self) -> None:
        """All went well: keep what was sent, in as few lines as it takes."""
        with self._lock:
            if self._file is None:
                return
            self._uploads.clear()
            lines = [{"place": place, "digest": digest} for place, found in self._blobs.items() for digest in found]
            with contextlib.suppress(OSError):
                self._replace(lines[-_MOST:])

    def close(self) -> None:
        """Let another publish have it."""
        with self._lock:
            if self._file is not None:
                os.close(self._file)
                self._file = None

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def _open(self) -> None:
        """On first use: a publish with nothing to do has no need of it."""
        if self._opened:
            return
        self._opened = True
        self._path.parent.mkdir(parents=True, exist_ok=True)
        # Who has the address of an upload can write to it.
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            return
        self._file = file
        data = self._path.read_bytes()
        for line in _lines(data):
            self._take(line)
        if data and not data.endswith(b"\n"):
            os.write(file, b"\n")

    def _take(self, line: dict[str, Any]) -> None:
        place, digest = line.get("place"), line.get("digest")
        if not isinstance(place, str):
            return
        if line.get("lost"):
            self._blobs.pop(place, None)
        elif isinstance(digest, str) and isinstance(line.get("at"), str):
            offset, shortest = line.get("offset", 0), line.get("shortest", 0)
            if isinstance(offset, int) and isinstance(shortest, int):
                from rearch.registry.upload_place import Upload

                upload = Upload(place=place, digest=digest, location=line["at"], offset=offset, shortest=shortest)
                self._uploads[place, digest] = upload
        elif isinstance(digest, str):
            self._add(place, digest)

    def _add(self, place: str, digest: str) -> None:
        self._uploads.pop((place, digest), None)
        self._blobs.setdefault(place, {})[digest] = None

    def _write(self, line: dict[str, Any]) -> None:
        """One call of write(2) for a whole line. A full disk costs the hint, and not the publish."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                os.write(self._file, (json.dumps(line) + "\n").encode())

    def _replace(self, lines: list[dict[str, Any]]) -> None:
        """In place: the lock is on this very file. Killed in between, it is shorter, and says nothing wrong."""
        assert self._file is not None
        data = b"".join((json.dumps(line) + "\n").encode() for line in lines)
        if data != self._path.read_bytes():
            os.ftruncate(self._file, 0)
            os.write(self._file, data)
            os.fsync(self._file)


def _lines(data: bytes) -> Iterator[dict[str, Any]]:
    for line in data.splitlines():
        try:
            found = json.loads(line)
        except ValueError:
            continue
        if isinstance(found, dict):
            yield found
