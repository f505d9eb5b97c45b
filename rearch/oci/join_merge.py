"""`publish --merge`: the index that a tag names now, with our images in the place of those of the same platform."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rearch.model.base import NOTHING, FrozenDict
from rearch.oci.join_entries import about_of, is_image_entry, same_platform
from rearch.oci.join_errors import NestedIndex, NoPlatform
from rearch.oci.types import DOCKER_MANIFEST, INDEXES, OCI_INDEX, Descriptor, Index, PlatformObject

Key = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """The index to publish. Platforms as the indexes write them.

    `kept`: those that only the live index had; `replaced`: those that have another image now; `added`: those that are
    new; `same`: those whose image was there already. `gone`: digests of entries that were about replaced images.
    Not `changed`: `index` is the live one, to the byte, if that was read as it came.
    """

    index: Index
    kept: tuple[str, ...]
    replaced: tuple[str, ...]
    added: tuple[str, ...]
    same: tuple[str, ...]
    gone: tuple[str, ...]
    changed: bool


def merge(live: Index, ours: Index, *, name: str, configs: Mapping[str, PlatformObject] = NOTHING) -> Merged:
    """Keep what we did not build, replace what we did.

    An image of ours takes the place of the live one of the same platform (normalised); new platforms come after.
    Attestations stay beside the images that stay, and ours come along. So merging twice changes nothing, and two builders
    that merge by turns come to rest: when all of ours is there already, the live index stays as it is, annotations
    included. Else the annotations are ours: they tell of the newest build. `name` is the tag, for messages; `configs` the
    platforms of live entries without one (join_entries.without_platform). Errors: NestedIndex, NoPlatform.
    """
    before = _by_platform(live, name, configs)
    mine = _by_platform(ours, f"this build of {name}", NOTHING)
    if all(entry.digest in {each.digest for each in live.manifests} for entry in ours.manifests):
        words = _compared(before, mine)
        return Merged(index=live, **words, gone=(), changed=False)
    images = [*_images(before, mine)]
    staying = {image.digest for image in images}
    others = [*_others(live, ours, staying)]
    gone = [entry.digest for entry in live.manifests if not is_image_entry(entry) and entry not in others]
    index = _index(ours, (*images, *others))
    return Merged(index=index, **_compared(before, mine), gone=tuple(gone), changed=True)


def index_of_one(descriptor: Descriptor, platform: PlatformObject) -> Index:
    """A single image that a tag names, as an index, for merging with it."""
    entry = descriptor.model_copy(update={"platform": platform, "annotations": None})
    return Index(media_type=OCI_INDEX, manifests=(entry,))
