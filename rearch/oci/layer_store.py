"""Layers that were made once: `<folder>/<2 digits>/<key>.json` says what came out, `<folder>/blobs/<hex>` is it.

The key covers the entries with the digests of their contents, the compression, and who compresses. The folder is
shared by all runs and processes without a lock: a blob has its name before a record tells of it, both appear by a
rename, and whoever makes the same layer at the same time makes the same bytes. A record whose blob is missing or has
another size is as good as none. Records are touched when they are used, so that `sweep` can go by their age.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Literal

from msgspec import Struct

from rearch.oci.compress import writer_of
from rearch.oci.entry import LayerEntry
from rearch.oci.layer_stream import Written
from rearch.oci.layout_files import has_size, write_whole
from rearch.oci.types import Compression

# Another number whenever the same entries become other bytes.
FORMAT = 1
# Blobs that no record names, and that are older, belong to a run that was killed.
_STALE = 24 * 3600.0
_HEX = re.compile(r"[0-9a-f]{128}\Z")


class Remembered(Struct, frozen=True, kw_only=True):
    """A layer in the store. `used` in seconds since 1970."""

    key: str
    record: Path
    blob: Path
    written: Written
    used: float


def layer_key(entries: Sequence[LayerEntry], compression: Compression | Literal[""]) -> str:
    """The key (sha256, hexadecimal). Files' digests must be there; where their bytes lie does not count."""
    digest = hashlib.sha256(json.dumps([FORMAT, writer_of(compression)]).encode())
    for entry in entries:
        xattrs = [[name, entry.xattrs[name].hex()] for name in sorted(entry.xattrs)]
        owner = [entry.mode, entry.uid, entry.gid, entry.mtime, *entry.device]
        line = [entry.path, entry.kind.value, owner, entry.size, entry.target, entry.digest, xattrs]
        digest.update(b"\n" + json.dumps(line).encode())
    return digest.hexdigest()


class LayerStore:
    """The folder. Safe for threads and processes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, key: str) -> Remembered | None:
        """What was remembered, if its blob is whole as far as its size tells."""
        path = self._record(key)
        found = self._read(path)
        if found is None or not has_size(found.blob, found.written.size):
            return None
        with contextlib.suppress(OSError):  # a cache that is read-only, or was swept just now
            os.utime(path)
        return found

    @contextlib.contextmanager
    def new_file(self) -> Iterator[tuple[BinaryIO, Path]]:
        """A raw file for a layer that is being made; it is gone at the end unless `keep` gave it its name."""
        blobs = self._folder / "blobs"
        blobs.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=blobs, prefix=".new-")
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb", buffering=0) as file:
                os.fchmod(handle, 0o644)
                yield file, temporary
        finally:
            temporary.unlink(missing_ok=True)

    def keep(self, key: str, file: BinaryIO, temporary: Path, written: Written) -> None:
        """Give the file its name, once it is on the disk, and remember it."""
        os.fsync(file.fileno())
        temporary.replace(self._blob(written.hex))
        record = self._record(key)
        record.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"diff_id": written.diff_hex, "digest": written.hex, "size": written.size})
        write_whole(record, text.encode(), durable=False)

    def everything(self) -> Iterator[Remembered]:
        """All that is remembered, whole or not, in the order of the keys."""
        for record in sorted(self._folder.glob("[0-9a-f][0-9a-f]/*.json")):
            if (found := self._read(record)) is not None:
                yield found

    def sweep(self, unused_since: float) -> int:
        """Forget what was not used since then (seconds since 1970), and remove blobs without a record.

        Gives the bytes that the removed blobs had; images on the disk that share them keep them. A run that is just
        making one of these layers makes it again the next time, at the worst.
        """
        named = set()
        for each in tuple(self.everything()):
            if each.used < unused_since:
                each.record.unlink(missing_ok=True)
            else:
                named.add(each.blob.name)
        return sum(self._remove(path) for path in sorted(self._folder.glob("blobs/*")) if self._idle(path, named))

    def _idle(self, blob: Path, named: set[str]) -> bool:
        """Whether nobody needs it: no record names it, and it is not so new that its record may be on its way."""
        with contextlib.suppress(FileNotFoundError):
            return blob.name not in named and blob.stat().st_ctime < time.time() - _STALE
        return False

    def _remove(self, blob: Path) -> int:
        with contextlib.suppress(FileNotFoundError):
            size = blob.stat().st_size
            blob.unlink()
            return size
        return 0

    def _record(self, key: str) -> Path:
        return self._folder / key[:2] / f"{key}.json"

    def _blob(self, digest: str) -> Path:
        return self._folder / "blobs" / digest

    def _read(self, record: Path) -> Remembered | None:
        """A record; None for one that is missing or damaged, which is written anew in its turn."""
        try:
            raw = json.loads(record.read_bytes())
            used = record.stat().st_mtime
        except (OSError, ValueError):
            return None
        match raw:
            case {"diff_id": str(diff), "digest": str(digest), "size": int(size)} if _HEX.match(diff + digest):
                written = Written(diff_hex=diff, hex=digest, size=size)
                blob = self._blob(digest)
                return Remembered(key=record.stem, record=record, blob=blob, written=written, used=used)
        return None
