"""A tag as it is and as it should be: what happens to it, and why, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import Struct

from rearch.planning.publish_values import LiveTag, PublishChild, PublishImage, TagAction


class Compared(Struct, frozen=True, kw_only=True):
    """`changes`: a line for each platform that differs, where the live index was read."""

    action: TagAction
    reason: str
    changes: tuple[str, ...] = ()


def compare_index(image: PublishImage, now: LiveTag | None, *, merge: bool) -> Compared:
    """A tag for the index. The rules of merging are those of oci/join_merge.py."""
    if now is None:
        return Compared(action=TagAction.NEW, reason="there is no such tag yet")
    if now.digest == image.index.digest:
        return Compared(action=TagAction.UNCHANGED, reason="it names this index already")
    if now.platforms is None:
        if merge:
            return Compared(action=TagAction.MERGE, reason="it names another index, which has to be read first")
        return Compared(action=TagAction.MOVED, reason="it names another index")
    ours = {str(child.platform): child.manifest.digest for child in image.children if child.platform is not None}
    kept = [platform for platform in now.platforms if platform not in ours]
    if not merge or not kept:
        return _moved(ours, now.platforms)
    if ours.items() <= now.platforms.items():
        return Compared(action=TagAction.UNCHANGED, reason=f"it has all of this build, beside {', '.join(kept)}")
    changes = tuple(_changes(ours, now.platforms, "is kept"))
    return Compared(action=TagAction.MERGE, reason=f"{', '.join(kept)} is not of this build", changes=changes)


def compare_child(child: PublishChild, now: LiveTag | None) -> Compared:
    """A tag for the image of one platform. It is not merged: it names one image."""
    if now is None:
        return Compared(action=TagAction.NEW, reason="there is no such tag yet")
    if now.digest == child.manifest.digest:
        return Compared(action=TagAction.UNCHANGED, reason="it names this image already")
    return Compared(action=TagAction.MOVED, reason="it names another image")


def _moved(ours: Mapping[str, str], theirs: Mapping[str, str]) -> Compared:
    changes = tuple(_changes(ours, theirs, "goes: this build does not have it, and --merge would keep it"))
    if not changes:
        return Compared(
            action=TagAction.MOVED, reason="it has the same images, with other annotations or another order"
        )
    return Compared(action=TagAction.MOVED, reason="it names another index", changes=changes)


def _changes(ours: Mapping[str, str], theirs: Mapping[str, str], without: str) -> Iterator[str]:
    for platform, digest in ours.items():
        before = theirs.get(platform)
        if before is None:
            yield f"{platform} is new"
        elif before != digest:
            yield f"{platform} {short(before)} -> {short(digest)}"
    for platform in theirs:
        if platform not in ours:
            yield f"{platform} {without}"


def short(digest: str) -> str:
    """The beginning of a digest, for people."""
    return digest[: len("sha256:") + 12]
