"""Takes one image from disk: from an OCI layout, from one in a tar, or from a docker archive of any age.

Everything is copied and checked on the way, for nobody keeps the user's files from being changed afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from msgspec.structs import replace

from rearch.formats.archive_errors import CannotWrite
from rearch.formats.hashing import blocks, sha256_file
from rearch.model.limits import Limits
from rearch.model.platform import Platform
from rearch.oci.disk_image_docker import load_docker_archive
from rearch.oci.disk_image_tar import NoArchive, TarFiles, open_tar
from rearch.oci.layout import start_layout, write_index_json
from rearch.oci.layout_blobs import Place, blob_path, open_blob
from rearch.oci.layout_errors import NoLayout
from rearch.oci.layout_files import write_all, written_whole
from rearch.oci.layout_read import LayoutImage, read_image
from rearch.oci.read_layer import LAYER_LIMITS
from rearch.oci.types import Descriptor

Kind = Literal["layout", "archive"]


def disk_digest(path: Path, kind: Kind) -> str:
    """What names an image on disk in a key (sha256, hexadecimal): of the archive's bytes, or of a layout's index.json.

    index.json names everything else by digest; load_disk_image finds the blob that is not what it was. Errors:
    NoLayout, NoArchive.
    """
    try:
        return sha256_file(path / "index.json" if kind == "layout" else path)
    except OSError as error:
        why = error.strerror or str(error)
        raise (NoLayout(path, why) if kind == "layout" else NoArchive(path, why)) from None


def load_disk_image(
    path: Path, kind: Kind, ref: str, platform: Platform, layout: Path, *, limits: Limits = LAYER_LIMITS
) -> LayoutImage:
    """Copy one image into the folder `layout`, which becomes a layout with that image alone.

    `ref` is the name inside (empty: the only one): org.opencontainers.image.ref.name, containerd's name, or a name that
    `docker save` wrote. The manifest of a layout stays as it is, byte by byte. A docker archive has none: its layers
    are packed with gzip where they are not packed yet, and get an OCI manifest.

    Errors: NoLayout, NoArchive, NoSuchImage, NoSuchPlatform, AmbiguousImage (exit code 2); MissingBlob, WrongBlob,
    WrongDiffId, MislabelledDocument, BadDocument, ArchiveError and its kind for a tar (exit code 3); CannotWrite.
    """
    try:
        start_layout(layout)
        with _opened(path, kind, layout, limits) as source:
            if isinstance(source, TarFiles) and "index.json" not in source:
                image = load_docker_archive(source, ref, platform, layout, limits)
            else:
                image = _copy_image(source, ref, platform, layout)
        write_index_json(layout, [image.descriptor])
    except OSError as error:
        raise CannotWrite(str(layout), error) from error
    return image


@contextmanager
def _opened(path: Path, kind: Kind, scratch: Path, limits: Limits) -> Iterator[Path | TarFiles]:
    if kind == "layout":
        yield path
        return
    with open_tar(path, scratch, limits) as files:
        yield files


def _copy_image(source: Place, ref: str, platform: Platform, layout: Path) -> LayoutImage:
    image = read_image(source, ref=ref, platform=platform)
    for blob in (*image.manifest.layers, image.manifest.config, image.descriptor):
        _copy_blob(source, blob, layout)
    # What it is called there says nothing here.
    return replace(image, descriptor=replace(image.descriptor, annotations=None))


def _copy_blob(source: Place, blob: Descriptor, layout: Path) -> None:
    # Within: the digest is compared before the file gets its name.
    with written_whole(blob_path(layout, blob.digest), durable=False) as file, open_blob(source, blob) as stream:
        for data in blocks(stream):
            write_all(file, data)
