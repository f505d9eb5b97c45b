"""`publish --merge`: the index that a tag names now, with our images in the place of those of the same platform."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from rearch.model.frozen import NOTHING
from rearch.oci.join_entries import about_of, is_image_entry, same_platform
from rearch.oci.join_errors import NestedIndex, NoPlatform
from rearch.oci.types import DOCKER_MANIFEST, INDEXES, OCI_INDEX, Descriptor, Index, PlatformObject

Key = tuple[str, ...]
_HINT = "publish without --merge, which replaces the tag"


class Merged(Struct, frozen=True, kw_only=True):
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
    Attestations stay beside the images that stay, and ours come along. So merging twice changes nothing, and two
    builders that merge by turns come to rest: when all of ours is there already, the live index stays as it is,
    annotations included. Else the annotations are ours: they tell of the newest build. `name` is the tag, for messages;
    `configs` the platforms of live entries without one (join_entries.without_platform). Errors: NestedIndex,
    NoPlatform.
    """
    before = _by_platform(live, name, configs)
    mine = _by_platform(ours, f"this build of {name}", NOTHING)
    kept, replaced, added, same = _compared(before, mine)
    there = {entry.digest for entry in live.manifests}
    if not replaced and not added and all(entry.digest in there for entry in ours.manifests):
        return Merged(index=live, kept=kept, replaced=replaced, added=added, same=same, gone=(), changed=False)
    images = [*_images(before, mine)]
    others = [*_others(live, ours, {image.digest for image in images})]
    staying = {other.digest for other in others}
    gone = [each.digest for each in live.manifests if not is_image_entry(each) and each.digest not in staying]
    index = _index(ours, (*images, *others))
    return Merged(index=index, kept=kept, replaced=replaced, added=added, same=same, gone=tuple(gone), changed=True)


def index_of_one(descriptor: Descriptor, platform: PlatformObject) -> Index:
    """A single image that a tag names, as an index, for merging with it."""
    entry = replace(descriptor, platform=platform, annotations=None)
    return Index(media_type=OCI_INDEX, manifests=(entry,))


def _by_platform(index: Index, name: str, configs: Mapping[str, PlatformObject]) -> dict[Key, list[Descriptor]]:
    """The images of an index. A broken one can have several of one platform."""
    found: dict[Key, list[Descriptor]] = {}
    for entry in filter(is_image_entry, index.manifests):
        if entry.media_type in INDEXES:
            raise NestedIndex(name, entry.digest, _HINT)
        platform = entry.platform or configs.get(entry.digest)
        if platform is None:
            raise NoPlatform(name, entry.digest, _HINT)
        found.setdefault(same_platform(platform), []).append(replace(entry, platform=platform))
    return found


def _images(
    before: Mapping[Key, Sequence[Descriptor]], mine: Mapping[Key, Sequence[Descriptor]]
) -> Iterator[Descriptor]:
    """In the order of the live index, then of ours."""
    for key, entries in before.items():
        yield from mine.get(key, entries)
    for key, entries in mine.items():
        if key not in before:
            yield from entries


def _others(live: Index, ours: Index, staying: set[str]) -> Iterator[Descriptor]:
    """What is no image: of the live index unless it is about an image that goes, of ours, each once."""
    seen: set[str] = set()
    for entry in (*live.manifests, *ours.manifests):
        about = about_of(entry)
        if not is_image_entry(entry) and entry.digest not in seen and (not about or about in staying):
            seen.add(entry.digest)
            yield entry


def _index(ours: Index, entries: Sequence[Descriptor]) -> Index:
    """Of our type; but Docker's list holds Docker's images alone, and no annotations."""
    docker = all(each.media_type == DOCKER_MANIFEST and not each.annotations for each in entries)
    media_type = ours.media_type if docker else OCI_INDEX
    return Index(media_type=media_type, manifests=tuple(entries), annotations=ours.annotations)


def _compared(
    before: Mapping[Key, Sequence[Descriptor]], mine: Mapping[Key, Sequence[Descriptor]]
) -> tuple[tuple[str, ...], ...]:
    """kept, replaced, added, same."""
    return (
        tuple(_word(entries) for key, entries in before.items() if key not in mine),
        tuple(_word(mine[key]) for key in before if key in mine and not _equal(before[key], mine[key])),
        tuple(_word(entries) for key, entries in mine.items() if key not in before),
        tuple(_word(mine[key]) for key in before if key in mine and _equal(before[key], mine[key])),
    )


def _equal(one: Sequence[Descriptor], other: Sequence[Descriptor]) -> bool:
    return [each.digest for each in one] == [each.digest for each in other]


def _word(entries: Sequence[Descriptor]) -> str:
    return str(entries[0].platform)
