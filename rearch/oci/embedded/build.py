"""The embedded builder's door: an order in, layers and a config out."""

from __future__ import annotations

from msgspec.structs import replace

from rearch.oci.dockerfile.errors import BadDockerfile, Problem, Trouble
from rearch.oci.dockerfile.instructions import Add, Copy
from rearch.oci.dockerfile.parse import parse_dockerfile
from rearch.oci.dockerfile.stages import Outside, PlannedStage, plan_stages
from rearch.oci.embedded.bases import BaseImage, Bases
from rearch.oci.embedded.config import empty_config, environment, started_config
from rearch.oci.embedded.contents import Contents
from rearch.oci.embedded.refused import OTHER_BUILDERS, refused
from rearch.oci.embedded.sources import find_sources
from rearch.oci.embedded.stage import BuiltStage, Layer, Work, build_stage
from rearch.oci.layer import MadeLayer, make_layer
from rearch.oci.layout import blob_path, link_blob
from rearch.oci.order import BuiltImage, ImageOrder
from rearch.oci.types import LAYERS, Descriptor, RootFs, layer_type


def build_embedded(order: ImageOrder) -> BuiltImage:
    """Build a Dockerfile without RUN. Layers, those of the base included, are left in `order.layout`.

    Everything that can be wrong with the Dockerfile itself is told at once, before anything is made. One layer for each
    COPY and ADD, and for each WORKDIR that makes a folder; layers that were made before are found in `order.layers`.
    Errors: BadDockerfile (exit code 2), with `template:line`; WrongBase, ArchiveError and the errors of layouts (3).
    """
    bases = Bases(order.template, order.stages, order.platform, order.layers)
    planned = _planned(order, bases)
    work = Work(order, bases, Contents(order.scratch / "contents"))
    _check_sources(planned, work)
    for stage in planned:
        work.done[stage.number] = build_stage(stage, work)
    return _finished(work.done[planned[-1].number], order)


def _planned(order: ImageOrder, bases: Bases) -> tuple[PlannedStage, ...]:
    def start(name: str) -> dict[str, str]:
        if not name:
            return environment(empty_config(order.platform, order.epoch))
        return environment(started_config(bases.get(name).image.config, order.platform, order.epoch))

    dockerfile = parse_dockerfile(order.dockerfile, order.template)
    outside = Outside(args=order.args, platform=order.platform, images=order.stages.keys(), environment=start)
    return plan_stages(dockerfile, outside, refused)


def _check_sources(planned: tuple[PlannedStage, ...], work: Work) -> None:
    """Look for every source in the context before anything is made. Errors: BadDockerfile, all that are missing."""
    problems = list[Problem]()
    for stage in planned:
        for each in stage.instructions:
            if isinstance(each, Add) or (isinstance(each, Copy) and each.stage is None):
                for text in each.sources:
                    try:
                        find_sources(work.context, text)
                    except Trouble as trouble:
                        problems.append(trouble.at(each.where.first))
    if problems:
        raise BadDockerfile(work.order.template, problems)


def _finished(stage: BuiltStage, order: ImageOrder) -> BuiltImage:
    below = () if stage.base is None else _linked(stage.base, order)
    made = tuple(_made(number, entries, order) for number, entries in enumerate(stage.layers, start=1))
    base_ids = () if stage.base is None else stage.base.image.config.rootfs.diff_ids
    diff_ids = (*base_ids, *(layer.diff_id for layer in made))
    return BuiltImage(
        config=replace(stage.config, rootfs=RootFs(diff_ids=diff_ids)),
        layers=(*below, *(layer.descriptor for layer in made)),
        base_layers=len(below),
    )


def _linked(base: BaseImage, order: ImageOrder) -> tuple[Descriptor, ...]:
    """The base's layers: the same blobs, called by the image's own kind of media types."""
    layers = tuple(_renamed(layer, order) for layer in base.image.manifest.layers)
    for layer in layers:
        link_blob(blob_path(base.layout, layer.digest), order.layout, layer.digest)
    return layers


def _renamed(layer: Descriptor, order: ImageOrder) -> Descriptor:
    compression = LAYERS.get(layer.media_type)
    if compression is None or (order.media_types == "docker" and compression == "zstd"):
        text = f"a layer of the base has the type {layer.media_type}, which {order.media_types} images cannot have"
        raise BadDockerfile(order.template, [Problem(0, text, f"{OTHER_BUILDERS}, or `media_types: oci`")])
    return Descriptor(media_type=layer_type(order.media_types, compression), digest=layer.digest, size=layer.size)


def _made(number: int, entries: Layer, order: ImageOrder) -> MadeLayer:
    layer = make_layer(
        entries,
        layout=order.layout,
        layers=order.layers,
        compression=order.compression,
        media_types=order.media_types,
    )
    how = "made" if layer.made else "as before"
    order.say(
        f"layer {number}: {len(entries)} entries, {layer.descriptor.size} bytes, {layer.descriptor.digest} ({how})"
    )
    return layer
