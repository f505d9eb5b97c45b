"""One image on one target: its parts are sent, and tags set, phase by phase."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct, field
from msgspec.structs import replace

from rearch.errors import RearchError
from rearch.model.reference import Reference
from rearch.oci.layout import blob_path
from rearch.planning.publish_targets import TagPlace, place_name
from rearch.planning.publish_values import (
    Blob,
    PlannedImage,
    PlannedTag,
    PublishChild,
    SendBlob,
    SendIndex,
    SendManifest,
    TagAction,
)
from rearch.publishing.built import Built
from rearch.publishing.errors import NotReadable
from rearch.publishing.lag import Lag
from rearch.publishing.outcome import Outcome, Published

if TYPE_CHECKING:
    from rearch.publishing.progress import Sending
    from rearch.publishing.sides import Side


# Where others have a blob -> a file with it, hashed.
BlobFiles = Callable[[Reference, Blob], Path]


class Work(Struct, kw_only=True):
    """State of one image on one target while it is published. `error`: why nothing more is done for it."""

    planned: PlannedImage
    built: Built
    side: Side
    lag: Lag
    files: BlobFiles
    sending: Sending
    error: RearchError | None = None
    sent: int = 0
    set: dict[TagPlace, Published] = field(default_factory=dict)

    @property
    def place(self) -> str:
        """Target and repository, for people."""
        return place_name(self.planned.target, self.planned.repository)

    @property
    def tags(self) -> tuple[PlannedTag, ...]:
        return self.planned.tags

    @property
    def is_busy(self) -> bool:
        """Whether there is something to do, and nothing in its way."""
        return not self.planned.is_done and self.error is None

    def blobs(self, *, mounted: bool) -> Iterator[SendBlob]:
        """Blobs to send; those that another image of this run sends first are mounted when all others are there."""
        found = (action for action in self.planned.actions if isinstance(action, SendBlob))
        yield from (action for action in found if (action.mount is not None) == mounted)

    def children(self) -> tuple[PublishChild, ...]:
        """Manifests to send."""
        wanted = {action.manifest.digest for action in self.planned.actions if isinstance(action, SendManifest)}
        return tuple(child for child in self.built.image.children if child.manifest.digest in wanted)

    @property
    def sends_index(self) -> bool:
        return any(isinstance(action, SendIndex) for action in self.planned.actions)

    # --- what is done

    def send_blob(self, order: SendBlob) -> None:
        """Errors: those of the side."""
        moved = self.sending.of(self.place, order.blob)
        self._send(order, moved)
        moved(order.blob.size)

    def _send(self, order: SendBlob, moved: Callable[[int], None]) -> None:
        if order.origin is None:
            source = blob_path(self.built.layout, order.blob.digest)
        elif self.side.take_blob(self.planned.repository, order, order.origin):
            return
        else:
            source = self.files(order.origin, order.blob)
            order = replace(order, ask=False, mount=None)
        self.sent += self.side.send_blob(self.planned.repository, order, source, moved)

    def send_child(self, child: PublishChild) -> None:
        """A manifest, whose blobs were sent, or were there when somebody last looked."""
        from rearch.registry.push_errors import BlobMissing

        try:
            self._put(child.manifest.digest, child.manifest.media_type)
        except BlobMissing:
            self.repair_child(child)

    def send_index(self) -> None:
        """The index by its digest; then it can be read, with all that it names, before any tag leads to it."""
        from rearch.registry.push_errors import BlobMissing

        index = self.built.image.index
        try:
            self._put(index.digest, index.media_type)
        except BlobMissing:
            self.repair()
        if self._wait_for(index.digest):
            # Who lags with one lags with all.
            for child in self.built.image.children:
                self._wait_for(child.manifest.digest)

    def repair(self) -> None:
        """The repository has lost something that it was thought to have: ask for every part, and send what is gone."""
        self.side.forget(self.planned.repository)
        for child in self.built.image.children:
            self.repair_child(child)
        index = self.built.image.index
        self._put(index.digest, index.media_type)

    def repair_child(self, child: PublishChild) -> None:
        """The same for one image."""
        self.side.forget(self.planned.repository)
        for blob in child.blobs:
            self.send_blob(SendBlob(blob=blob, ask=True, origin=child.origin))
        self._put(child.manifest.digest, child.manifest.media_type)

    def _put(self, digest: str, media_type: str) -> None:
        self.side.put(self.planned.repository, self.built.documents[digest], media_type)

    def _wait_for(self, digest: str) -> int:
        """Until it can be read; how often it could not. Errors: NotReadable."""
        there, again = self.lag.until(lambda: self.side.has(self.planned.repository, digest), bool)
        if not there:
            raise NotReadable(f"{self.place}@{digest[:19]}...", self.lag.limit, "nothing")
        return again

    # --- what came of it

    def done(self, tag: PlannedTag, digest: str, how: str, platforms: dict[str, str] | None = None) -> None:
        """A tag is as it should be."""
        own = {str(tag.platform): digest} if tag.platform is not None else dict(self.built.platforms)
        self.set[tag.place] = Published(
            component=self.built.image.component,
            place=tag.place,
            digest=digest,
            how=how,
            platforms=own if platforms is None else platforms,
            is_index=tag.platform is None,
        )

    def outcome(self) -> Outcome:
        """For the result."""
        return Outcome(
            component=self.built.image.component,
            place=self.place,
            tags=tuple(self.set[tag.place] for tag in self.tags if tag.place in self.set),
            adopted={str(child.platform): str(child.origin) for child in self.built.image.children if child.origin},
            missing=tuple(tag.place for tag in self.tags if tag.place not in self.set),
            error=self.error,
        )


def is_untouched(tag: PlannedTag) -> bool:
    """Whether the tag is as it should be already."""
    return tag.action is TagAction.UNCHANGED
