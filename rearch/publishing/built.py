"""What may be published: images of output/ that are still as they were when they had passed their audit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from rearch.model.frozen import FrozenDict
from rearch.oci.layout import blob_path, read_blob
from rearch.oci.layout_read import is_attestation, read_top, ref_names
from rearch.oci.types import DOCKER_INDEX, INDEXES, Descriptor, ImageConfig, Index, Manifest, read_document
from rearch.planning.publish_values import Blob, PublishChild, PublishImage
from rearch.publishing.build_json import NOT_RUN, ImageRow, image_rows
from rearch.publishing.errors import ChangedAfterAudit, NotAudited, NothingToPublish, NotStarted


class Built(Struct, frozen=True, kw_only=True):
    """An image with the folder that its blobs are in (but for those of children with an origin).

    `index` is what `documents` has under the index's digest.
    `documents`: digest -> the bytes of the index and of each manifest, checked. `not_started`: platforms that nobody
    has run.
    """

    image: PublishImage
    layout: Path
    index: Index
    documents: Mapping[str, bytes]
    not_started: tuple[str, ...]

    @property
    def platforms(self) -> Mapping[str, str]:
        """Platform -> digest of its image."""
        return {str(child.platform): child.manifest.digest for child in self.image.children if child.platform}


def read_built(
    output: Path, *, stacks: Sequence[str] | None, only: Sequence[str], require_smoke: bool
) -> tuple[Built, ...]:
    """The images that build.json names, of these stacks and components, in its order; each compared with its layout.

    The layout's index and the manifests in it are read and hashed, of the blobs the sizes are looked at (BlobCheck
    hashes those of images with which something is to be done). Errors: DamagedBuildFile, NothingToPublish, NotAudited,
    NotStarted, ChangedAfterAudit, MissingBlob, WrongBlob, NoLayout, BadDocument.
    """
    entries = _chosen(output, image_rows(output / "build.json"), stacks, only)
    missing = [name for entry in entries for name in _unaudited(entry)]
    if missing:
        raise NotAudited(missing)
    found = tuple(_read(output, entry) for entry in entries)
    skipped = [f"{one.image.component} {platform}" for one in found for platform in one.not_started]
    if require_smoke and skipped:
        raise NotStarted(skipped)
    return found


def _chosen(
    output: Path, rows: Sequence[ImageRow], stacks: Sequence[str] | None, only: Sequence[str]
) -> tuple[ImageRow, ...]:
    there = sorted(row.component for row in rows)
    for stack in stacks or ():
        if not any(name.startswith(f"{stack}/") for name in there):
            raise NothingToPublish(output, stack, there)
    for word in only:
        if not any(word in (name, name.rpartition("/")[2]) for name in there):
            raise NothingToPublish(output, word, there)
    chosen = tuple(row for row in rows if _is_wanted(row.component, stacks, only))
    if not chosen:
        raise NothingToPublish(output, "", there)
    return chosen


def _is_wanted(component: str, stacks: Sequence[str] | None, only: Sequence[str]) -> bool:
    stack, _, name = component.rpartition("/")
    return (not stacks or stack in stacks) and (not only or component in only or name in only)


def _unaudited(row: ImageRow) -> Iterator[str]:
    if not row.platforms:
        yield f"{row.component} (no platform)"
    yield from (f"{row.component} {each.platform}" for each in row.platforms if not each.audited)


def _read(output: Path, row: ImageRow) -> Built:
    layout = output / row.path
    top = _top(layout, row)
    data = read_blob(layout, top)
    index = read_document(Index, data, f"{layout}: {top.digest}")
    documents = {top.digest: data}
    _compare(layout, row, index)
    children = tuple(_child(layout, each, documents) for each in index.manifests)
    image = PublishImage(
        component=row.component,
        repository=row.repository,
        tag=row.tag,
        index=planned(top),
        children=children,
        annotations=index.annotations or _from_config(layout, top, children),
    )
    return Built(
        image=image,
        layout=layout,
        index=index,
        documents=FrozenDict(documents),
        not_started=tuple(each.platform for each in row.platforms if each.smoke == NOT_RUN),
    )


def _top(layout: Path, row: ImageRow) -> Descriptor:
    """The entry of index.json for the tag, which is the digest that was written down."""
    found = next((each for each in read_top(layout).manifests if row.tag in ref_names(each)), None)
    if found is None:
        raise ChangedAfterAudit(layout, f"there is no image called {row.tag} in it any more")
    if found.digest != row.digest or found.media_type not in INDEXES:
        raise ChangedAfterAudit(layout, f"{row.tag} is {found.digest}, and build.json says {row.digest}")
    return found


def _compare(layout: Path, row: ImageRow, index: Index) -> None:
    """Exactly the images that the audits were of."""
    audited = {each.platform: each.digest for each in row.platforms}
    found = {str(each.platform.known): each.digest for each in filter(_is_image, index.manifests) if each.platform}
    for platform in sorted({*audited, *found}):
        if audited.get(platform) != found.get(platform):
            says = f"{platform} is {found.get(platform)}, and {audited.get(platform)} was audited"
            raise ChangedAfterAudit(layout, says)


def _is_image(entry: Descriptor) -> bool:
    return entry.artifact_type is None and not is_attestation(entry)


def _child(layout: Path, entry: Descriptor, documents: dict[str, bytes]) -> PublishChild:
    data = documents[entry.digest] = read_blob(layout, entry)
    manifest = read_document(Manifest, data, f"{layout}: {entry.digest}")
    blobs = (manifest.config, *manifest.layers)
    _check_sizes(layout, blobs)
    platform = entry.platform.known if entry.platform is not None and _is_image(entry) else None
    return PublishChild(
        platform=platform,
        manifest=planned(entry),
        config=planned(manifest.config),
        layers=tuple(map(planned, manifest.layers)),
    )


def _check_sizes(layout: Path, blobs: Iterable[Descriptor]) -> None:
    for blob in blobs:
        try:
            size = blob_path(layout, blob.digest).stat().st_size
        except FileNotFoundError:
            raise ChangedAfterAudit(layout, f"the blob {blob.digest} is missing") from None
        if size != blob.size:
            raise ChangedAfterAudit(layout, f"the blob {blob.digest} has {size} bytes, and had {blob.size}")


def _from_config(layout: Path, top: Descriptor, children: Sequence[PublishChild]) -> Mapping[str, str]:
    """Docker's list has no annotations: the same words are labels of the images."""
    if top.media_type != DOCKER_INDEX or not children:
        return FrozenDict()
    blob = children[0].config
    descriptor = Descriptor(media_type=blob.media_type, digest=blob.digest, size=blob.size)
    config = read_document(ImageConfig, read_blob(layout, descriptor), f"{layout}: {blob.digest}").config
    return FrozenDict((config.labels if config is not None else None) or {})


def planned(descriptor: Descriptor) -> Blob:
    """A descriptor, as far as a plan needs it."""
    return Blob(media_type=descriptor.media_type, digest=descriptor.digest, size=descriptor.size)


def pointer(blob: Blob) -> Descriptor:
    """The descriptor of a planned blob."""
    return Descriptor(media_type=blob.media_type, digest=blob.digest, size=blob.size)
