"""What has to be sent so that tags can name it, in an order in which no reader finds a part missing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from rearch.model.reference import Reference
from rearch.planning.publish_targets import LayoutTarget, Target, place_name
from rearch.planning.publish_values import (
    Action,
    Blob,
    Live,
    MergeTag,
    PlannedTag,
    PublishChild,
    SendBlob,
    SendIndex,
    SendManifest,
    SetTag,
    TagAction,
)
from rearch.planning.publish_wishes import Work

_SET = (TagAction.NEW, TagAction.MOVED)


class Holdings:
    """What the repositories hold: as far as the tags tell, and as the plan will have it.

    A manifest that a tag names, or that an index that was read has, is there with its blobs: a registry takes no
    manifest before its parts (OCI distribution specification 1.1, "Pushing Manifests"). A repository without any of the
    tags that were asked for may be new: there it is cheaper to send than to ask first.
    """

    def __init__(self, works: Sequence[Work], live: Live) -> None:
        self._manifests: dict[str, set[str]] = {}
        self._blobs: dict[str, set[str]] = {}
        self._holder: dict[tuple[str, str], str] = {}
        for work in works:
            here = self._manifests.setdefault(_place(work), set())
            for now in (live[wish.place] for wish in work.wishes):
                here |= {now.digest, *(now.platforms or {}).values()} if now is not None else set()
        for work in works:
            self.add(work, [child for child in work.image.children if self.has(work, child.manifest)])
            if self.has(work, work.image.index):
                self.add(work, work.image.children)

    def has(self, work: Work, manifest: Blob) -> bool:
        """Whether the image's repository has this manifest or index."""
        return manifest.digest in self._manifests[_place(work)]

    def add(self, work: Work, children: Iterable[PublishChild]) -> None:
        """These are there now, or will be when this work is done."""
        for child in children:
            self._manifests[_place(work)].add(child.manifest.digest)
            for blob in child.blobs:
                self._blobs.setdefault(_place(work), set()).add(blob.digest)
                self._holder.setdefault((_store(work.target), blob.digest), work.repository)

    def send(self, work: Work, blob: Blob, origin: Reference | None) -> SendBlob | None:
        """How a blob gets into the image's repository; None where it is."""
        if blob.digest in self._blobs.get(_place(work), ()):
            return None
        if isinstance(work.target, LayoutTarget):
            return SendBlob(blob=blob, ask=True, origin=origin)
        mount = self._holder.get((_store(work.target), blob.digest))
        ask = mount is None and bool(self._manifests[_place(work)])
        return SendBlob(blob=blob, ask=ask, mount=mount, origin=origin)


def _place(work: Work) -> str:
    """Two targets can name one repository: `a` with `b/c`, `a/b` with `c`."""
    return place_name(work.target, work.repository)


def _store(target: Target) -> str:
    """Within which blobs are mounted from one repository into another."""
    return target.path if isinstance(target, LayoutTarget) else target.registry


def actions_for(work: Work, tags: Sequence[PlannedTag], holdings: Holdings) -> tuple[Action, ...]:
    """Blobs, manifests, index, merged tags, tags. `holdings` then knows that they are there."""
    whole = any(tag.platform is None and tag.action in _SET for tag in tags) and not holdings.has(
        work, work.image.index
    )
    merged = any(tag.action is TagAction.MERGE for tag in tags)
    single = {tag.after for tag in tags if tag.action in _SET}
    children = [
        child
        for child in work.image.children
        if not holdings.has(work, child.manifest) and (whole or merged or child.manifest.digest in single)
    ]
    blobs = tuple(_blobs(work, children, holdings))
    holdings.add(work, children)
    manifests = tuple(SendManifest(manifest=child.manifest, platform=child.platform) for child in children)
    index = (SendIndex(index=work.image.index),) if whole else ()
    return (*blobs, *manifests, *index, *_set(work, tags, TagAction.MERGE), *_set(work, tags, *_SET))


def _blobs(work: Work, children: Iterable[PublishChild], holdings: Holdings) -> Iterator[SendBlob]:
    for blob, origin in origins(children).items():
        action = holdings.send(work, blob, origin)
        if action is not None:
            yield action


def origins(children: Iterable[PublishChild]) -> Mapping[Blob, Reference | None]:
    """Each blob once: None for what our layout has, else where others have it."""
    found: dict[Blob, Reference | None] = {}
    for child in children:
        for blob in child.blobs:
            found[blob] = child.origin and found.get(blob, child.origin)
    return found


def _set(work: Work, tags: Sequence[PlannedTag], *which: TagAction) -> Iterator[Action]:
    for wish, tag in zip(work.wishes, tags, strict=True):
        if tag.action not in which:
            continue
        if tag.action is TagAction.MERGE:
            assert tag.before is not None
            yield MergeTag(place=tag.place, before=tag.before)
        else:
            yield SetTag(place=tag.place, to=wish.to, before=tag.before)
