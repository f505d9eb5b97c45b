"""Whether the blobs of images are still what was audited: each file is hashed once, before anything of them goes out.

A blob that a target has already, or takes by a mount, is never read for sending, and a change that keeps its size would
go unseen. So all are treated alike here, and what is sent afterwards need not be hashed a second time.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from rearch.errors import Interrupted, RearchError
from rearch.oci.layout import blob_path
from rearch.publishing.built import Built
from rearch.publishing.errors import ChangedAfterAudit

PIECE = 1 << 20

# Device and number: blobs that images share are links to one file.
_Inode = tuple[int, int]


class BlobCheck:
    """Hashes the blobs of these images. Run all of `jobs`, in any threads; then `faults` tells. `stop` ends them."""

    def __init__(self, built: Sequence[Built], stop: threading.Event) -> None:
        self._stop = stop
        self._digests: dict[_Inode, str | OSError] = {}
        # Image by image: digest, its file, and which file that is (or why there is none).
        self._files = {one.image.component: tuple(map(_looked_up, _blobs(one))) for one in built}
        self._layouts = {one.image.component: one.layout for one in built}

    def jobs(self) -> tuple[Callable[[], None], ...]:
        """One for each file. Errors: Interrupted."""
        files = (file for found in self._files.values() for file in found)
        paths = {inode: path for _, path, inode in files if not isinstance(inode, OSError)}
        return tuple(partial(self._hash, inode, path) for inode, path in paths.items())

    def faults(self) -> Mapping[str, RearchError]:
        """Component -> what is wrong with its first wrong blob: ChangedAfterAudit, CannotReadBlob."""
        found = {component: self._fault(component) for component in self._files}
        return {component: fault for component, fault in found.items() if fault is not None}

    def _fault(self, component: str) -> RearchError | None:
        from rearch.registry.push_errors import CannotReadBlob

        layout = self._layouts[component]
        for digest, path, inode in self._files[component]:
            found = inode if isinstance(inode, OSError) else self._digests[inode]
            if isinstance(found, FileNotFoundError):
                return ChangedAfterAudit(layout, f"the blob {digest} is missing")
            if isinstance(found, OSError):
                return CannotReadBlob(path, found)
            if found != digest:
                return ChangedAfterAudit(layout, f"the blob {digest} is {found}")
        return None

    def _hash(self, inode: _Inode, path: Path) -> None:
        try:
            self._digests[inode] = self._digest(path)
        except OSError as error:
            self._digests[inode] = error

    def _digest(self, path: Path) -> str:
        digest, piece = hashlib.sha256(), memoryview(bytearray(PIECE))
        with path.open("rb", buffering=0) as file:
            while count := file.readinto(piece):
                if self._stop.is_set():
                    raise Interrupted
                digest.update(piece[:count])
        return f"sha256:{digest.hexdigest()}"


def _blobs(built: Built) -> Iterator[tuple[str, Path]]:
    """Each of ours once. The index and the manifests were hashed when they were read, and are sent from memory; what is
    adopted is hashed when it comes."""
    own = (child for child in built.image.children if child.origin is None)
    for digest in dict.fromkeys(blob.digest for child in own for blob in child.blobs):
        yield digest, blob_path(built.layout, digest)


def _looked_up(blob: tuple[str, Path]) -> tuple[str, Path, _Inode | OSError]:
    digest, path = blob
    try:
        found = path.stat()
    except OSError as error:
        return digest, path, error
    return digest, path, (found.st_dev, found.st_ino)
