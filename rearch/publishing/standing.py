"""Whether a tag names already what a build would make, by what it says it was made from: before anything is built."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import Struct

from rearch.model.frozen import NOTHING
from rearch.model.platform import parse_platform
from rearch.oci.join_entries import is_image_entry
from rearch.oci.made_from import config_made_from, entry_made_from
from rearch.oci.types import INDEXES, Descriptor, ImageConfig, Index, Manifest, read_document
from rearch.planning.publish_tags import arch_tag
from rearch.planning.publish_targets import TagPlace, Target
from rearch.publishing.sides import Side


class Wanted(Struct, frozen=True, kw_only=True):
    """What a build would make of a component. `made_from`: platform -> inputs digest; `docker`: which an image of
    Docker's types says in its config, and no index. `repository` without a target's prefix."""

    component: str
    repository: str
    made_from: Mapping[str, str]
    docker: bool


class Where(Struct, frozen=True, kw_only=True):
    """Where it is published, and how: as PublishOptions."""

    targets: tuple[Target, ...]
    tag: str
    per_arch: bool = False
    merge: bool = False


class Stands(Struct, frozen=True, kw_only=True):
    """A tag that names what is wanted. `platforms`: platform -> digest of its image."""

    place: TagPlace
    digest: str
    platforms: Mapping[str, str] = NOTHING


def stands(side: Side, target: Target, wanted: Wanted, where: Where) -> tuple[Stands, ...]:
    """The tags of one target, if every one of them names what is wanted; else none.

    One question for an OCI index; for Docker's list two more for each platform; one for each tag of a single platform.
    Errors: BadDocument; those of the side.
    """
    place = TagPlace(target=target, repository=target.repository(wanted.repository), tag=where.tag)
    named = side.read(place)
    if named is None or named.media_type not in INDEXES:
        return ()
    index = read_document(Index, named.data, str(place))
    entries = _entries(index)
    wrong = {*wanted.made_from} - {*entries} if where.merge else {*wanted.made_from} ^ {*entries}
    if wrong or (not where.merge and len(entries) != len(index.manifests)):
        return ()
    if any(_says(side, place, entries[name], wanted) != text for name, text in wanted.made_from.items()):
        return ()
    single = [*_single(place, entries, wanted)] if where.per_arch else []
    if any(side.tag(each.place) != each.digest for each in single):
        return ()
    platforms = {name: entry.digest for name, entry in entries.items()}
    return (*single, Stands(place=place, digest=named.digest, platforms=platforms))


def _entries(index: Index) -> Mapping[str, Descriptor]:
    """Platform -> its image; nothing where that is not clear."""
    found: dict[str, Descriptor] = {}
    for entry in filter(is_image_entry, index.manifests):
        name = str(entry.platform.known) if entry.platform is not None else ""
        if name in found:
            return {}
        found[name] = entry
    return found


def _says(side: Side, place: TagPlace, entry: Descriptor, wanted: Wanted) -> str:
    if not wanted.docker:
        return entry_made_from(entry)
    manifest = read_document(Manifest, side.read_document(place.repository, entry), f"{place}: {entry.digest}")
    config = side.read_config(place.repository, manifest.config)
    return config_made_from(read_document(ImageConfig, config, f"{place}: config"))


def _single(place: TagPlace, entries: Mapping[str, Descriptor], wanted: Wanted) -> Iterator[Stands]:
    for name in wanted.made_from:
        tag = arch_tag(place.tag, parse_platform(name))
        yield Stands(
            place=TagPlace(target=place.target, repository=place.repository, tag=tag),
            digest=entries[name].digest,
            platforms={name: entries[name].digest},
        )
