"""An index from images that are in registries already: read, joined, copied where need be, put; tags last."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from msgspec import Struct

from rearch.errors import RearchError
from rearch.model.publish import ManifestSpec
from rearch.model.reference import Reference
from rearch.oci.join import JoinedIndex, join, types_for
from rearch.oci.types import Index, Types, descriptor_of, document_bytes
from rearch.registry.client import RegistryClient
from rearch.registry.errors import NotInRegistry
from rearch.registry.manifests_copy import Copied, Copy, ImageCopier, Needed
from rearch.registry.manifests_errors import TagsInPart
from rearch.registry.manifests_live import TagChange, tag_change
from rearch.registry.manifests_read import PARALLEL, ReadImage, read_images

Say = Callable[[str], None]


class JoinOptions(Struct, frozen=True, kw_only=True):
    """`types`: None for Docker's where they can hold all of it, as manifest-tool, and OCI's else."""

    types: Types | None = None
    ignore_missing: bool = False
    keep_attestations: bool = True


class IndexPlan(Struct, frozen=True, kw_only=True):
    """The index that is to be put. `names`: its tags, the target first; `data`: its bytes; `digest`: theirs.

    `copies`: manifests that stand in it and come from another repository, or were made anew.
    """

    names: tuple[Reference, ...]
    joined: JoinedIndex
    data: bytes
    digest: str
    copies: tuple[Copy, ...]

    @property
    def index(self) -> Index:
        return self.joined.index

    @property
    def answer(self) -> str:
        """As manifest-tool tells it: digest, and length in bytes."""
        return f"Digest: {self.digest} {len(self.data)}"


class IndexPushed(Struct, frozen=True, kw_only=True):
    """What was done."""

    copied: Copied
    tags: tuple[TagChange, ...]


def plan_index(
    client: RegistryClient,
    spec: ManifestSpec,
    options: JoinOptions,
    *,
    is_home: Callable[[Reference], bool],
    warn: Say,
) -> IndexPlan:
    """Read the images, and join them. Sends nothing. `is_home`: whether an image is in the target's repository.

    Errors: those of read_images and join.
    """
    read = read_images(client, spec.manifests, ignore_missing=options.ignore_missing, warn=warn)
    sources = [each.joined for each in read]
    joined = join(
        sources,
        types=options.types or types_for(sources, spec.annotations),
        annotations=spec.annotations,
        keep_attestations=options.keep_attestations,
    )
    for note in joined.notes:
        warn(note)
    data = document_bytes(joined.index)
    digest = descriptor_of(joined.index.media_type, data).digest
    copies = tuple(_copies(read, joined, is_home))
    return IndexPlan(names=spec.names, joined=joined, data=data, digest=digest, copies=copies)


def _copies(read: tuple[ReadImage, ...], joined: JoinedIndex, is_home: Callable[[Reference], bool]) -> Iterator[Copy]:
    by_name = {each.joined.name: each.reference for each in read}
    known = {digest: data for each in read for digest, data in each.manifests.items()}
    made = {digest for each in read for digest in each.made}
    for taken in joined.taken:
        source, digest = by_name[taken.source], taken.descriptor.digest
        if digest in made or not is_home(source):
            yield Copy(
                source=source.at(digest),
                descriptor=taken.descriptor,
                data=known.get(digest),
                made=digest in made,
            )


def push_index(plan: IndexPlan, copier: ImageCopier) -> IndexPushed:
    """Children first, then the index by each of its tags. A tag that names it already is left as it is.

    Errors: those of ImageCopier and RegistryPusher; TagsInPart, when some tags were set and others could not be.
    """
    pusher = copier.pusher
    with ThreadPoolExecutor(PARALLEL, thread_name_prefix="tags") as pool:
        found = [*pool.map(pusher.head, plan.names)]
    before = {name: live.digest if live else None for name, live in zip(plan.names, found, strict=True)}
    copied = copier.copy(copier.needed(plan.copies))
    tags: list[TagChange] = []
    failed: list[tuple[str, RearchError]] = []
    for name, digest in before.items():
        try:
            if digest != plan.digest:
                pusher.put_manifest(name, plan.data, plan.index.media_type)
            tags.append(TagChange(reference=name, before=digest, after=plan.digest))
        except RearchError as error:
            failed.append((str(name), error))
    if failed and not tags:
        raise failed[0][1]
    if failed:
        raise TagsInPart(plan.digest, [str(tag.reference) for tag in tags], failed)
    return IndexPushed(copied=copied, tags=tuple(tags))


def live_tags(plan: IndexPlan, client: RegistryClient) -> tuple[TagChange, ...]:
    """Every tag, with what differs. Needs no right to push. Errors: those of RegistryClient.manifest_for."""
    with ThreadPoolExecutor(PARALLEL, thread_name_prefix="live") as pool:
        return tuple(pool.map(partial(_live, plan, client), plan.names))


def _live(plan: IndexPlan, client: RegistryClient, name: Reference) -> TagChange:
    try:
        document = client.manifest_for(name, frozenset([f"repository:{name.repository}:pull"]))
    except NotInRegistry:
        document = None
    return tag_change(name, document, plan.index, plan.digest)


__all__ = ["Copied", "IndexPlan", "IndexPushed", "JoinOptions", "Needed", "live_tags", "plan_index", "push_index"]
