"""What was built, with the images of others in the place of ours: then it is published as any index is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from rearch.model.frozen import FrozenDict
from rearch.oci.join_merge import merge
from rearch.oci.types import (
    DOCKER_CONFIG,
    DOCKER_INDEX,
    DOCKER_LAYER,
    DOCKER_MANIFEST,
    Index,
    descriptor_of,
    document_bytes,
)
from rearch.planning.publish_adopt import Adoption
from rearch.planning.publish_values import PublishChild
from rearch.publishing.adopt_errors import DoesNotFit
from rearch.publishing.built import Built, planned
from rearch.publishing.originals import Original

_DOCKER_LAYERS = (DOCKER_LAYER, f"{DOCKER_LAYER}.gzip")


class Adopted(Struct, frozen=True, kw_only=True):
    """The image with what it adopted. `replaced`: platforms of which it has an image of its own, which is left out."""

    built: Built
    replaced: tuple[str, ...]


def adopt(built: Built, originals: Sequence[tuple[Adoption, Original]]) -> Adopted:
    """Join them: an original takes the place of ours for its platform, or comes after ours, in the order given.

    The index keeps its type and annotations. What was said about an image of ours that is left out (attestations) goes
    with it. Errors: DoesNotFit; BadDocument; NestedIndex, NoPlatform of an index that nobody here has made.
    """
    if built.index.media_type == DOCKER_INDEX:
        for _, original in originals:
            _check_docker(built, original)
    entries = tuple(original.descriptor(adoption) for adoption, original in originals)
    theirs = Index(media_type=built.index.media_type, manifests=entries, annotations=built.index.annotations)
    merged = merge(built.index, theirs, name=built.image.component)
    if not merged.changed:
        return Adopted(built=built, replaced=())
    adopted = {entry.digest: one for entry, one in zip(entries, originals, strict=True)}
    return Adopted(built=_joined(built, merged.index, adopted), replaced=merged.replaced)


def _joined(built: Built, index: Index, adopted: Mapping[str, tuple[Adoption, Original]]) -> Built:
    own = {child.manifest.digest: child for child in built.image.children}
    children = tuple(
        _child(*adopted[entry.digest]) if entry.digest in adopted else own[entry.digest] for entry in index.manifests
    )
    data = document_bytes(index)
    top = descriptor_of(index.media_type, data)
    documents = {entry.digest: built.documents[entry.digest] for entry in index.manifests if entry.digest in own}
    documents |= {digest: original.data for digest, (_, original) in adopted.items()}
    platforms = {str(child.platform) for child in children if child.origin is not None}
    return replace(
        built,
        image=replace(built.image, index=planned(top), children=children),
        index=index,
        documents=FrozenDict(documents | {top.digest: data}),
        not_started=tuple(each for each in built.not_started if each not in platforms),
    )


def _child(adoption: Adoption, original: Original) -> PublishChild:
    manifest = original.document()
    return PublishChild(
        platform=adoption.platform,
        manifest=planned(original.descriptor(adoption)),
        config=planned(manifest.config),
        layers=tuple(map(planned, manifest.layers)),
        origin=adoption.reference.at(original.digest),
    )


def _check_docker(built: Built, original: Original) -> None:
    manifest = original.document()
    parts: tuple[tuple[str, str, tuple[str, ...]], ...] = (
        ("manifest", original.media_type, (DOCKER_MANIFEST,)),
        ("config", manifest.config.media_type, (DOCKER_CONFIG,)),
        *(("layer", layer.media_type, _DOCKER_LAYERS) for layer in manifest.layers),
    )
    for what, found, good in parts:
        if found not in good:
            raise DoesNotFit(built.image.component, original.reference, what, found)
