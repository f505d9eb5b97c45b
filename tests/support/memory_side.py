"""The other side of a publish, in memory: strict as a registry is, and with other builders and losses on demand."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from rearch.errors import RearchError
from rearch.model.digest import Digest
from rearch.model.reference import Reference
from rearch.oci.types import INDEXES, Descriptor, Index, Manifest, PlatformObject, read_document
from rearch.planning.publish_targets import TagPlace
from rearch.planning.publish_values import SendBlob
from rearch.publishing.sides import BytesMoved, Named, ignore_moved
from rearch.registry.push_errors import BlobMissing, SourceChanged


class MemorySide:
    """`calls` are the calls in their order. `before`: called with each of them, before it is done; it may raise, or
    change what is here. `hidden`: how many more times a manifest, or a tag that was set, is not shown."""

    def __init__(self, before: Callable[[str], None] = lambda _call: None) -> None:
        self.calls: list[str] = []
        self.blobs: dict[tuple[str, str], bytes] = {}
        self.manifests: dict[tuple[str, str], tuple[bytes, str]] = {}
        self.tags: dict[tuple[str, str], str] = {}
        self.hidden = 0
        self.ended: bool | None = None
        self.before = before
        self._lock = threading.RLock()

    def _call(self, text: str) -> None:
        with self._lock:
            self.calls.append(text)
            self.before(text)

    def tag(self, place: TagPlace) -> str | None:
        self._call(f"tag {place.repository}:{place.tag}")
        with self._lock:
            found = self.tags.get((place.repository, place.tag))
            if found is not None and self.hidden:
                self.hidden -= 1
                return None
            return found

    def read(self, place: TagPlace) -> Named | None:
        self._call(f"read {place.repository}:{place.tag}")
        digest = self.tags.get((place.repository, place.tag))
        if digest is None:
            return None
        data, media_type = self.manifests[place.repository, digest]
        return Named(digest=digest, media_type=media_type, data=data)

    def read_document(self, repository: str, entry: Descriptor) -> bytes:
        return self.manifests[repository, entry.digest][0]

    def read_config(self, repository: str, config: Descriptor) -> bytes:
        return self.blobs[repository, config.digest]

    def has(self, repository: str, manifest: str) -> bool:
        self._call(f"has {repository}@{manifest}")
        if self.hidden:
            self.hidden -= 1
            return False
        return (repository, manifest) in self.manifests

    def take_blob(self, repository: str, order: SendBlob, origin: Reference) -> bool:
        self._call(f"take {repository}@{order.blob.digest} from {origin.place}")
        return (repository, order.blob.digest) in self.blobs

    def send_blob(self, repository: str, order: SendBlob, source: Path, moved: BytesMoved = ignore_moved) -> int:
        self._call(f"blob {repository}@{order.blob.digest}")
        if (repository, order.blob.digest) in self.blobs:
            return 0
        data = source.read_bytes()
        if (found := str(Digest.of(data))) != order.blob.digest:
            raise SourceChanged(source, order.blob.digest, found)
        self.blobs[repository, order.blob.digest] = data
        moved(len(data))
        return len(data)

    def put(self, repository: str, data: bytes, media_type: str) -> None:
        self._call(f"put {repository}@{Digest.of(data)}")
        self._check(repository, data, media_type)
        self.manifests[repository, str(Digest.of(data))] = data, media_type

    def name(self, place: TagPlace, data: bytes, media_type: str, platform: PlatformObject | None) -> None:
        del platform
        self._call(f"name {place.repository}:{place.tag}")
        self._check(place.repository, data, media_type)
        self.manifests[place.repository, str(Digest.of(data))] = data, media_type
        self.tags[place.repository, place.tag] = str(Digest.of(data))

    def forget(self, repository: str) -> None:
        self._call(f"forget {repository}")

    def finish(self, *, well: bool) -> None:
        self.ended = well

    def _check(self, repository: str, data: bytes, media_type: str) -> None:
        """As registries do: nothing is taken before its parts."""
        if media_type in INDEXES:
            wanted = [each.digest for each in read_document(Index, data, "index").manifests]
            lacks = [digest for digest in wanted if (repository, digest) not in self.manifests]
        else:
            manifest = read_document(Manifest, data, "manifest")
            wanted = [each.digest for each in (manifest.config, *manifest.layers)]
            lacks = [digest for digest in wanted if (repository, digest) not in self.blobs]
        if lacks:
            raise BlobMissing(repository, "memory", lacks, "MANIFEST_BLOB_UNKNOWN")


def failing(part: str, error: RearchError, times: int = 1000) -> Callable[[str], None]:
    """For `before`: calls with this in them fail."""
    left = [times]

    def before(call: str) -> None:
        if part in call and left[0]:
            left[0] -= 1
            raise error

    return before
