"""A registry as the other side of a publish."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from rearch.errors import Interrupted
from rearch.model.digest import Digest
from rearch.model.reference import Reference
from rearch.oci.types import Descriptor, PlatformObject
from rearch.planning.publish_targets import TagPlace
from rearch.planning.publish_values import SendBlob
from rearch.publishing.built import pointer
from rearch.publishing.journal import Journal
from rearch.publishing.sides import BytesMoved, ignore_moved
from rearch.registry.client import RegistryClient
from rearch.registry.errors import NotInRegistry
from rearch.registry.push import RegistryPusher

if TYPE_CHECKING:
    from rearch.publishing.sides import Named
    from rearch.registry.mount import Mounter


class RegistrySide:
    """One registry. `mounter` is called where something is adopted.

    `stop`: set when the run is to end; an upload is kept then, and gone on with by the next run.
    """

    def __init__(
        self,
        registry: str,
        client: RegistryClient,
        pusher: RegistryPusher,
        journal: Journal,
        *,
        mounter: Callable[[], Mounter],
        stop: threading.Event,
    ) -> None:
        self._registry = registry
        self._client = client
        self._pusher = pusher
        self._journal = journal
        self._mounter = mounter
        self._stop = stop

    def tag(self, place: TagPlace) -> str | None:
        found = self._pusher.head(self._tagged(place))
        return found.digest if found is not None else None

    def read(self, place: TagPlace) -> Named | None:
        from rearch.publishing.sides import Named

        try:
            document = self._pusher.manifest(self._tagged(place))
        except NotInRegistry:
            return None
        return Named(digest=document.digest, media_type=document.media_type, data=document.data)

    def read_document(self, repository: str, entry: Descriptor) -> bytes:
        return self._pusher.manifest(self._place(repository).at(entry.digest)).data

    def read_config(self, repository: str, config: Descriptor) -> bytes:
        from rearch.publishing.sides import CONFIG_LIMIT

        return self._client.read_blob(self._place(repository), config, CONFIG_LIMIT)

    def has(self, repository: str, manifest: str) -> bool:
        return self._pusher.head(self._place(repository).at(manifest)) is not None

    def take_blob(self, repository: str, order: SendBlob, origin: Reference) -> bool:
        place, digest = self._place(repository), order.blob.digest
        mounter = self._mounter()
        if mounter.is_home(place, origin):
            return True
        known = self._journal.knows(place.place, digest)
        if known and self._pusher.has_blob(place, digest):
            return True
        sources = (*self._sources(repository, order), *mounter.sources(place, origin))
        mounted = any(mounter.mount(place, digest, each) for each in dict.fromkeys(sources))
        if mounted or (order.ask and not known and self._pusher.has_blob(place, digest)):
            self._journal.sent(place.place, digest)
            return True
        return False

    def send_blob(self, repository: str, order: SendBlob, source: Path, moved: BytesMoved = ignore_moved) -> int:
        place, digest = self._place(repository), order.blob.digest
        known = self._journal.knows(place.place, digest)
        if known and self._pusher.has_blob(place, digest):
            # Not by a mount, which would tell as well: docker-registry writes the blob's link anew for it, and whoever
            # pulls an older image with this layer at that moment gets a 500.
            return 0
        pushed = self._pusher.push_blob(
            place,
            pointer(order.blob),
            source,
            mount_from=self._sources(repository, order),
            missing=not order.ask and not known,
            checked=True,
            resume=self._journal.upload(place.place, digest),
            note=self._journal.note,
            moved=self._watched(moved),
        )
        self._journal.sent(place.place, digest)
        return pushed.sent

    def put(self, repository: str, data: bytes, media_type: str) -> None:
        self._pusher.put_manifest(self._place(repository).at(str(Digest.of(data))), data, media_type)

    def name(self, place: TagPlace, data: bytes, media_type: str, platform: PlatformObject | None) -> None:
        del platform  # a registry has no room for it: readers find it in the config
        self._pusher.put_manifest(self._tagged(place), data, media_type)

    def forget(self, repository: str) -> None:
        self._journal.forget(self._place(repository).place)

    def finish(self, *, well: bool) -> None:
        if well:
            self._journal.settle()
        self._journal.close()

    def _sources(self, repository: str, order: SendBlob) -> tuple[str, ...]:
        """One to try: what this run puts there first, else what an earlier one has."""
        if order.mount is not None:
            return (order.mount,)
        own = f"{self._registry}/"
        known = [place.removeprefix(own) for place in self._journal.holders(order.blob.digest) if place.startswith(own)]
        return tuple(each for each in known if each != repository)[:1]

    def _watched(self, moved: BytesMoved) -> BytesMoved:
        """Before each piece: whether it may go out. Errors: Interrupted."""

        def go_on(done: int) -> None:
            if self._stop.is_set():
                raise Interrupted
            moved(done)

        return go_on

    def _place(self, repository: str) -> Reference:
        return Reference(registry=self._registry, repository=repository)

    def _tagged(self, place: TagPlace) -> Reference:
        reference = place.reference
        assert reference is not None
        return reference
