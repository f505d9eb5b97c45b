"""An OCI image layout on disk (image specification 1.1, "Image Layout"): blobs by digest, and an index.json over them.

Blobs are shared by hard links and never changed in place. They come first and index.json last, by a rename: a folder
with an index.json is a whole layout.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rearch.formats.clone import link_file
from rearch.oci.layout_blobs import blob_path, read_blob
from rearch.oci.layout_errors import MissingBlob
from rearch.oci.layout_files import has_size, temporary_beside, write_whole
from rearch.oci.layout_read import LayoutImage, load_image, read_image
from rearch.oci.types import Descriptor, Index, descriptor_of, document_bytes

__all__ = [
    "LayoutImage",
    "blob_path",
    "link_blob",
    "load_image",
    "put_bytes",
    "read_blob",
    "read_image",
    "start_layout",
    "write_index_json",
]

_MARKER = b'{"imageLayoutVersion":"1.0.0"}'


def start_layout(folder: Path) -> None:
    """Make the folder and what every layout has, but no index.json: until that is written, it is no layout."""
    (folder / "blobs" / "sha256").mkdir(parents=True, exist_ok=True)
    write_whole(folder / "oci-layout", _MARKER, durable=False)


def put_bytes(layout: Path, data: bytes, media_type: str, **more: Any) -> Descriptor:
    """Write a small blob, and describe it. `more` are further fields of the descriptor: platform, annotations."""
    descriptor = descriptor_of(media_type, data, **more)
    path = blob_path(layout, descriptor.digest)
    if not has_size(path, descriptor.size):
        write_whole(path, data, durable=False)
    return descriptor


def link_blob(source: Path, layout: Path, digest: str) -> None:
    """Give the layout the blob that is in the file `source`: a hard link, or a copy where there can be none.

    What is in the file is not read: whoever reads the blob checks it. Errors: MissingBlob when `source` is not there.
    """
    path = blob_path(layout, digest)
    try:
        if has_size(path, source.stat().st_size):
            return
        with temporary_beside(path) as temporary:
            link_file(source, temporary)
            temporary.replace(path)
    except FileNotFoundError:
        raise MissingBlob(source.parent, digest) from None


def write_index_json(layout: Path, descriptors: Sequence[Descriptor]) -> None:
    """Write index.json over these manifests and indexes, in this order; the last thing that a layout gets."""
    write_whole(layout / "index.json", document_bytes(Index(manifests=tuple(descriptors))), durable=True)
