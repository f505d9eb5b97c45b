"""Tags: set last, read again, and agreed on with other builders that set them too.

The distribution protocol has no compare-and-swap. So who merges reads the tag, writes, reads it again, and once more a
moment later: a builder that had read it before and writes after undoes our entry, which is seen then, and put back.
"""

from __future__ import annotations

from collections.abc import Callable

from rearch.oci.types import PlatformObject, document_bytes
from rearch.planning.publish_compare import short
from rearch.planning.publish_values import Blob, PlannedTag
from rearch.publishing.errors import NotReadable, TagContested
from rearch.publishing.sides import LiveIndex, live_index
from rearch.publishing.work import Work
from rearch.registry.push_errors import BlobMissing

MOST_TRIES = 8

Say = Callable[[str, str], None]


class Tagging:
    """Sets the tags of one image on one target. `live`: what was read when it was planned; `say`: text and level."""

    def __init__(self, work: Work, live: dict[str, LiveIndex], *, merging: bool, say: Say) -> None:
        self._work = work
        self._side = work.side
        self._live = live
        self._merging = merging
        self._say = say

    def set(self, tag: PlannedTag) -> None:
        """Errors: NotReadable, TagContested, BadDocument, NestedIndex, NoPlatform; those of the side."""
        if self._merging and tag.platform is None:
            self._set_merged(tag)
        else:
            self._set_ours(tag)

    # --- ours alone

    def _set_ours(self, tag: PlannedTag) -> None:
        wanted, before = self._target(tag), tag.before
        for _ in range(MOST_TRIES):
            self._name(tag, wanted)
            found = self._read_back(tag, wanted.digest, before)
            if found == wanted.digest:
                self._work.done(tag, wanted.digest, str(tag.action))
                return
            text = (
                f"{tag.place}: another builder set it to {found} meanwhile; it is set to {short(wanted.digest)} again"
            )
            self._say(f"{text} (--merge would keep platforms of the other)", "warning")
            before = found
        raise TagContested(str(tag.place), MOST_TRIES, str(before))

    def _target(self, tag: PlannedTag) -> Blob:
        image = self._work.built.image
        if tag.platform is None:
            return image.index
        return next(child.manifest for child in image.children if child.platform == tag.platform)

    def _name(self, tag: PlannedTag, wanted: Blob) -> None:
        data = self._work.built.documents[wanted.digest]
        platform = PlatformObject.of(tag.platform) if tag.platform is not None else None
        try:
            self._side.name(tag.place, data, wanted.media_type, platform)
        except BlobMissing:
            self._work.repair()
            self._side.name(tag.place, data, wanted.media_type, platform)

    def _read_back(self, tag: PlannedTag, wanted: str, before: str | None) -> str | None:
        """What the tag names when it is no longer what it was before. Errors: NotReadable."""
        old = {None, before} - {wanted}
        lag = self._work.lag
        found, _ = lag.until(lambda: self._side.tag(tag.place), lambda digest: digest not in old)
        if found in old:
            raise NotReadable(str(tag.place), lag.limit, f"{found} still" if found else "nothing")
        return found

    # --- ours and theirs

    def _set_merged(self, tag: PlannedTag) -> None:
        live, fresh = self._live.get(str(tag.place)), False
        for _ in range(MOST_TRIES):
            if fresh or self._side.tag(tag.place) != (live.digest if live else None):
                live = live_index(self._side, tag.place)
            digest = self._merge_once(tag, live)
            if digest is not None and self._stays(tag, digest):
                return
            self._say(f"{tag.place}: another builder set it meanwhile: it is read and merged again", "info")
            fresh = True
        raise TagContested(str(tag.place), MOST_TRIES, str(self._side.tag(tag.place)))

    def _merge_once(self, tag: PlannedTag, live: LiveIndex | None) -> str | None:
        """Put ours beside theirs; the digest that the tag has then, None when somebody else moved it."""
        from rearch.oci.join_merge import merge

        if live is None:
            wanted = self._work.built.image.index
            self._name(tag, wanted)
            if self._read_back(tag, wanted.digest, None) != wanted.digest:
                return None
            self._work.done(tag, wanted.digest, str(tag.action))
            return wanted.digest
        merged = merge(live.index, self._work.built.index, name=str(tag.place), configs=live.configs)
        if not merged.changed:
            self._work.done(tag, live.digest, "unchanged", dict(live.platforms))
            return live.digest
        data = document_bytes(merged.index)
        new = LiveIndex(digest=_digest(data), index=merged.index, configs={})
        try:
            self._side.name(tag.place, data, merged.index.media_type, None)
        except BlobMissing:
            self._work.repair()
            self._side.name(tag.place, data, merged.index.media_type, None)
        if merged.kept:
            self._say(f"{tag.place}: kept {', '.join(merged.kept)}", "info")
        if self._read_back(tag, new.digest, live.digest) != new.digest:
            return None
        self._work.done(tag, new.digest, "merged" if merged.kept else "moved", dict(new.platforms))
        return new.digest

    def _stays(self, tag: PlannedTag, digest: str) -> bool:
        """Whether a moment later it is the same still."""
        self._work.lag.sleep(self._work.lag.settle)
        if self._side.tag(tag.place) == digest:
            return True
        del self._work.set[tag.place]
        return False


def _digest(data: bytes) -> str:
    from rearch.model.digest import Digest

    return str(Digest.of(data))
