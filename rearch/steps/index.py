"""The index step: the images of all platforms, joined in one layout."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from rearch.model.platform import Platform
from rearch.model.step_images import IndexInputs
from rearch.oci.layout import blob_path, link_blob, put_bytes, read_image, start_layout, write_index_json
from rearch.oci.made_from import entry_annotations
from rearch.oci.types import DOCKER_INDEX, OCI_INDEX, REF_NAME, Descriptor, Index, PlatformObject, document_bytes
from rearch.steps.layout_artifacts import layout_artifacts
from rearch.steps.ports import Outcome, Workspace


def run_index(inputs: IndexInputs, work: Workspace) -> Outcome:
    """Link all blobs, write the index, name it. Facts: `digest`, `tag`, `repository`, `platforms`: digest of each.

    The layout's index.json names the index `<tag>`, and each image `<tag>-<os>-<arch>[-<variant>]` for tools that
    take no index (umoci). Blobs that several platforms share stand once.
    """
    layout = work.files
    start_layout(layout)
    images = {platform: _take(platform, inputs, work) for platform in inputs.platforms}
    docker = inputs.media_types == "docker"
    media_type = DOCKER_INDEX if docker else OCI_INDEX
    index = Index(
        media_type=media_type,
        manifests=tuple(images.values()),
        annotations=None if docker else inputs.annotations or None,
    )
    top = put_bytes(layout, document_bytes(index), media_type, annotations={REF_NAME: inputs.tag})
    write_index_json(layout, [top, *_named(images, inputs.tag)])
    facts = {
        "digest": top.digest,
        "repository": inputs.repository,
        "tag": inputs.tag,
        "platforms": {str(platform): image.digest for platform, image in images.items()},
    }
    return Outcome(facts=facts, note=top.digest, artifacts=layout_artifacts(layout))


def platform_ref(tag: str, platform: Platform) -> str:
    """The name of one platform's image in a layout."""
    return f"{tag}-{str(platform).replace('/', '-')}"


def _named(images: dict[Platform, Descriptor], tag: str) -> Iterator[Descriptor]:
    for platform, image in images.items():
        yield replace(image, annotations={REF_NAME: platform_ref(tag, platform)})


def _take(platform: Platform, inputs: IndexInputs, work: Workspace) -> Descriptor:
    """Link one platform's image into the layout; the descriptor for the index."""
    source = work.needs[f"image {platform}"].files
    image = read_image(source, platform=platform)
    blobs = (image.descriptor, image.manifest.config, *image.manifest.layers)
    for digest in dict.fromkeys(blob.digest for blob in blobs):
        link_blob(blob_path(source, digest), work.files, digest)
    plain = PlatformObject.of(platform)
    return Descriptor(
        media_type=image.descriptor.media_type,
        digest=image.descriptor.digest,
        size=image.descriptor.size,
        platform=plain,
        annotations=entry_annotations(inputs.made_from.get(str(platform), ""), image.descriptor.digest),
    )
