"""The image step: a rendered Dockerfile and its context -> an image of one platform, in a layout of its own."""

from __future__ import annotations

from pathlib import Path

from rearch.model.frozen import FrozenDict
from rearch.model.step_images import ImageInputs
from rearch.oci.layout import put_bytes, start_layout, write_index_json
from rearch.oci.made_from import labelled
from rearch.oci.order import BuiltImage, ImageOrder
from rearch.oci.types import (
    DOCKER_CONFIG,
    DOCKER_MANIFEST,
    OCI_CONFIG,
    OCI_MANIFEST,
    Descriptor,
    Manifest,
    PlatformObject,
    document_bytes,
)
from rearch.steps.context import fill_context, known_digests
from rearch.steps.layout_artifacts import layout_artifacts
from rearch.steps.ports import ImageBuilder, Outcome, Workspace

EMBEDDED = "embedded"


def run_image(inputs: ImageInputs, work: Workspace, builder: ImageBuilder | None) -> Outcome:
    """Build it; `builder` is None for the embedded one. Facts: `digest`, `config`, `size`, `layers`, `base_layers`.

    Errors: those of the builder, and of steps/context.py.
    """
    order = _order(inputs, work)
    if builder is None:
        from rearch.oci.embedded import build_embedded

        built = build_embedded(order)
    else:
        built = builder.build(order, work)
    manifest = _manifest(built, inputs, work.files)
    write_index_json(work.files, [manifest])
    layers = [{"digest": layer.digest, "size": layer.size} for layer in built.layers]
    facts = {
        "digest": manifest.digest,
        "size": sum(layer.size for layer in built.layers),
        "layers": layers,
        "base_layers": built.base_layers,
    }
    return Outcome(facts=facts, note=manifest.digest, artifacts=layout_artifacts(work.files))


def _order(inputs: ImageInputs, work: Workspace) -> ImageOrder:
    context, scratch = work.scratch / "context", work.scratch / "builder"
    fill_context(inputs.context, context, work)
    scratch.mkdir()
    start_layout(work.files)
    return ImageOrder(
        dockerfile=inputs.dockerfile,
        template=inputs.template,
        context=context,
        platform=inputs.platform,
        stages=FrozenDict({name: work.needs[role].files for name, role in inputs.stages.items()}),
        args=inputs.args,
        epoch=inputs.source_date_epoch,
        compression=inputs.compression,
        media_types=inputs.media_types,
        layout=work.files,
        layers=work.caches / "layers",
        scratch=scratch,
        say=work.say,
        digests=FrozenDict(known_digests(inputs.context, work)),
    )


def _manifest(built: BuiltImage, inputs: ImageInputs, layout: Path) -> Descriptor:
    """Write config and manifest; Docker's types have no place for annotations."""
    docker = inputs.media_types == "docker"
    # Not a line of the Dockerfile, which every engine would have to build: whoever built it, it is written here.
    document = document_bytes(labelled(built.config, inputs.made_from))
    config = put_bytes(layout, document, DOCKER_CONFIG if docker else OCI_CONFIG)
    media_type = DOCKER_MANIFEST if docker else OCI_MANIFEST
    manifest = Manifest(
        media_type=media_type,
        config=config,
        layers=built.layers,
        annotations=None if docker else inputs.annotations or None,
    )
    return put_bytes(layout, document_bytes(manifest), media_type, platform=PlatformObject.of(inputs.platform))
