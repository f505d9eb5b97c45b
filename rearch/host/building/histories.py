"""Images without a history, which the image specification allows: buildah 1.28 fails on a stage that starts from a
stage on such a one ("internal error: history lists 2 non-empty layers, but we have 3 layers on disk").
"""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from rearch.host.building.take import StageImage
from rearch.oci.embedded.config import whole_history
from rearch.oci.layout import blob_path, link_blob, put_bytes, read_image, start_layout, write_index_json
from rearch.oci.types import document_bytes


def with_history(stage: StageImage, folder: Path) -> StageImage:
    """The image with one line of history for each layer, in a layout made at `folder`; itself where it has that.

    The layers are the same blobs; their lines are those that the embedded builder makes up.
    """
    image = stage.image
    history = whole_history(image.config)
    if history == (image.config.history or ()):
        return stage
    start_layout(folder)
    for layer in image.manifest.layers:
        link_blob(blob_path(stage.layout, layer.digest), folder, layer.digest)
    config = document_bytes(replace(image.config, history=history))
    described = put_bytes(folder, config, image.manifest.config.media_type)
    manifest = document_bytes(replace(image.manifest, config=described))
    top = put_bytes(folder, manifest, image.descriptor.media_type, platform=image.descriptor.platform)
    write_index_json(folder, (top,))
    return replace(stage, layout=folder, image=read_image(folder))
