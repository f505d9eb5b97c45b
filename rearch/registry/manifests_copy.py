"""Images of one repository into another, of the same registry or not: what is there is neither fetched nor sent.

Within a registry blobs are mounted (distribution specification 1.1, "Mounting a blob from another repository"): one
request each, and no bytes. Between registries they pass through the cache of downloads: what came is checked before
the first byte of it is sent on, a copy that broke off goes on where it was, and a layer that a build has fetched
already is not fetched again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from pathlib import Path

from msgspec import Struct

from rearch.formats.held import HeldDownloads
from rearch.model.reference import Reference
from rearch.oci.types import LAYERS, Descriptor, Manifest, read_document
from rearch.registry.client import RegistryClient
from rearch.registry.errors import TooLarge
from rearch.registry.mount import Mounter
from rearch.registry.push import RegistryPusher

# Fewer than the connections to a host: sending must not wait for what sends.
PARALLEL = 3
_FOREIGN = ("foreign", "nondistributable")


class Copy(Struct, frozen=True, kw_only=True):
    """A manifest that the target's repository needs. `source` names it by its digest, where it can be read.

    `data`: its bytes, where they are known already. `made`: it was made here, so the target cannot have it by itself.
    """

    source: Reference
    descriptor: Descriptor
    data: bytes | None = None
    made: bool = False


class Needed(Struct, frozen=True, kw_only=True):
    """A manifest that the target does not have, with its bytes, and its config and layers."""

    copy: Copy
    data: bytes
    blobs: tuple[Descriptor, ...]


class Copied(Struct, frozen=True, kw_only=True):
    """What became of blobs: how many each, and the bytes that were sent."""

    there: int = 0
    mounted: int = 0
    sent: int = 0
    size: int = 0

    def __add__(self, other: Copied) -> Copied:
        return Copied(
            there=self.there + other.there,
            mounted=self.mounted + other.mounted,
            sent=self.sent + other.sent,
            size=self.size + other.size,
        )


class ImageCopier:
    """Copies to one repository. `mirrors`: the settings of that name; `cache`: rearch's cache folder.

    `limit`: the most bytes that a blob may have that has to be fetched.
    """

    def __init__(
        self,
        client: RegistryClient,
        pusher: RegistryPusher,
        target: Reference,
        *,
        mirrors: Mapping[str, str],
        cache: Path,
        limit: int,
        say: Callable[[str], None],
    ) -> None:
        self._client = client
        self.pusher = pusher
        self._target = target
        self._mounter = Mounter(client, mirrors, say)
        self._held = HeldDownloads(cache / "downloads")
        self._limit = limit
        self._say = say

    def is_home(self, source: Reference) -> bool:
        """Whether what is read there is in the target's repository already."""
        return self._mounter.is_home(self._target, source)

    def needed(self, copies: Iterable[Copy]) -> tuple[Needed, ...]:
        """Those that the target does not have. Sends nothing. Errors: those of RegistryClient.manifest and .head."""
        unique = {copy.descriptor.digest: copy for copy in copies}.values()
        with ThreadPoolExecutor(PARALLEL, thread_name_prefix="ask") as pool:
            return tuple(found for found in pool.map(self._needed, unique) if found is not None)

    def copy(self, needed: Sequence[Needed]) -> Copied:
        """Blobs first, each once, several at a time; then the manifests.

        Errors: those of RegistryPusher.push_blob and put_manifest, and of RegistryClient.fetch_blob.
        """
        wanted = {blob.digest: (one.copy.source, blob) for one in needed for blob in one.blobs}
        copied = sum(self._blobs([*wanted.values()]), Copied())
        with ThreadPoolExecutor(PARALLEL, thread_name_prefix="put") as pool:
            for _ in pool.map(self._put, needed):
                pass
        return copied

    def _needed(self, copy: Copy) -> Needed | None:
        at = self._target.at(copy.descriptor.digest)
        # Looking needs no right to push; a token that has it is used all the same.
        if self._client.head_for(at, frozenset([f"repository:{at.repository}:pull"])) is not None:
            return None
        data = copy.data or self._client.manifest(copy.source).data
        manifest = read_document(Manifest, data, copy.source.name)
        blobs = () if self.is_home(copy.source) else (manifest.config, *filter(_travels, manifest.layers))
        return Needed(copy=copy, data=data, blobs=tuple({blob.digest: blob for blob in blobs}.values()))

    def _put(self, one: Needed) -> None:
        digest, media_type = one.copy.descriptor.digest, one.copy.descriptor.media_type
        self.pusher.put_manifest(self._target.at(digest), one.data, media_type)
        self._say(f"{self._target.place}@{digest} from {one.copy.source.place}")

    def _blobs(self, wanted: Sequence[tuple[Reference, Descriptor]]) -> Iterator[Copied]:
        """The first failure ends the others: those that did not begin yet."""
        with ThreadPoolExecutor(PARALLEL, thread_name_prefix="copy") as pool:
            futures = [pool.submit(self._blob, source, blob) for source, blob in wanted]
            try:
                wait(futures, return_when=FIRST_EXCEPTION)
            finally:
                pool.shutdown(cancel_futures=True)
        failed = [error for future in futures if (error := _error(future)) is not None]
        if failed:
            raise failed[0]
        yield from (future.result() for future in futures)

    def _blob(self, source: Reference, blob: Descriptor) -> Copied:
        for repository in self._mounter.sources(self._target, source):
            if self._mounter.mount(self._target, blob.digest, repository):
                return Copied(mounted=1)
        if self.pusher.has_blob(self._target, blob.digest):
            return Copied(there=1)
        what = f"{source.place}: blob {blob.digest[:19]}..."
        if blob.size > self._limit:
            raise TooLarge(what, blob.size, self._limit, "limits: {download_bytes: ...}")
        self._say(f"{what}, {blob.size} bytes")
        file = self._held.get(blob.hex, lambda into: self._client.fetch_blob(source, blob, into))
        pushed = self.pusher.push_blob(self._target, blob, file, missing=True)
        return Copied(sent=1, size=blob.size) if pushed.how == "sent" else Copied(there=1)


def _travels(layer: Descriptor) -> bool:
    """Whether registries carry it. Layers that are not to be distributed stay where their URLs say."""
    return not (layer.urls and layer.media_type in LAYERS and any(word in layer.media_type for word in _FOREIGN))


def _error(future: Future[Copied]) -> BaseException | None:
    return None if future.cancelled() else future.exception()
