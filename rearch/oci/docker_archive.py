"""One image as one tar file that `docker load` reads, old and new, and skopeo, podman and containerd.

It is both an OCI layout in a tar and what `docker save` has written since 1.10: `manifest.json` names the files of the
same blobs. Docker up to 28 goes by manifest.json (moby, image/tarexport/load.go; it unpacks gzip itself), Docker with
containerd's store (29) by index.json, where the names stand in `io.containerd.image.name`. Docker 20.10 takes zstd for
a damaged tar, so such layers are written unpacked, under a manifest of their own; the config, whose digest is the
image's id there, stays the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

from msgspec import Struct
from msgspec.structs import replace

from rearch.errors import UsageError
from rearch.formats.archive_errors import CannotWrite
from rearch.formats.hashing import BLOCK
from rearch.model.reference import parse_reference
from rearch.oci.entry import EntryKind, LayerEntry
from rearch.oci.layer_stream import compress_stream
from rearch.oci.layer_tar import END, header, padding
from rearch.oci.layout import LayoutImage, blob_path, link_blob, put_bytes, start_layout
from rearch.oci.layout_blobs import open_blob
from rearch.oci.layout_files import write_all, written_whole
from rearch.oci.layout_read import IMAGE_NAME
from rearch.oci.read_layer import open_layer
from rearch.oci.types import LAYERS, REF_NAME, Descriptor, Index, document_bytes, layer_type


class BadArchiveName(UsageError):
    """A name that an image in an archive cannot have."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f"an image in a docker archive cannot be called {name!r}",
            hint="name it with a tag and without a digest, as in example.org/healthcheck:v0.3.8",
        )


class _Name(Struct, frozen=True, kw_only=True):
    """`full` with the registry, `short` as Docker shows it, `tag` alone."""

    full: str
    short: str
    tag: str


def write_docker_archive(layout: Path, image: LayoutImage, names: Sequence[str], out: Path | BinaryIO) -> None:
    """Write one image of a layout; the same image and names give the same bytes.

    `names` are what `docker load` will call it (`healthcheck:v1`, `example.org/healthcheck:v1`); without any, it is
    loaded by its id alone. `out` is a file, which appears whole or not at all, or a stream, which is not sought.
    Layers that are packed with zstd are unpacked into a temporary folder in the layout first.

    Errors: BadReference, BadArchiveName, MissingBlob, WrongBlob, CannotWrite; those of open_layer for zstd.
    """
    called = tuple(_name(name) for name in dict.fromkeys(names))
    with _loadable(layout, image) as (place, ready):
        if not isinstance(out, Path):
            _write(place, ready, called, out)
            return
        try:
            with written_whole(out, durable=False) as file:
                _write(place, ready, called, file)
        except OSError as error:
            raise CannotWrite(str(out), error) from error


def _name(text: str) -> _Name:
    reference = parse_reference(text)
    if reference.digest is not None or reference.tag is None:
        raise BadArchiveName(text)
    short = reference.place.removeprefix("docker.io/").removeprefix("library/")
    if not reference.place.startswith("docker.io/"):
        short = reference.place
    return _Name(full=str(reference), short=f"{short}:{reference.tag}", tag=reference.tag)


@contextmanager
def _loadable(layout: Path, image: LayoutImage) -> Iterator[tuple[Path, LayoutImage]]:
    """The image with layers that every engine unpacks, and the layout where its blobs are."""
    if not any(_is_zstd(layer) for layer in image.manifest.layers):
        yield layout, image
        return
    with TemporaryDirectory(dir=layout, prefix=".archive-") as name:
        place = Path(name)
        start_layout(place)
        manifest = replace(
            image.manifest, layers=tuple(_unpacked(layout, layer, place) for layer in image.manifest.layers)
        )
        link_blob(blob_path(layout, manifest.config.digest), place, manifest.config.digest)
        media_type, platform = image.descriptor.media_type, image.descriptor.platform
        described = put_bytes(place, document_bytes(manifest), media_type, platform=platform)
        yield place, LayoutImage(descriptor=described, manifest=manifest, config=image.config)


def _unpacked(layout: Path, layer: Descriptor, place: Path) -> Descriptor:
    if not _is_zstd(layer):
        link_blob(blob_path(layout, layer.digest), place, layer.digest)
        return layer
    temporary = place / "layer"
    with open_layer(layout, layer) as stream, temporary.open("wb", buffering=0) as file:
        written = compress_stream(stream, file, "")
    temporary.replace(blob_path(place, f"sha256:{written.hex}"))
    return Descriptor(media_type=layer_type("oci", ""), digest=f"sha256:{written.hex}", size=written.size)


def _is_zstd(layer: Descriptor) -> bool:
    return LAYERS.get(layer.media_type) == "zstd"


def _write(layout: Path, image: LayoutImage, names: Sequence[_Name], out: BinaryIO) -> None:
    """The small files first: a reader of a stream knows at once what comes."""
    _put(out, "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
    _put(out, "index.json", document_bytes(_index(image, names)))
    _put(out, "manifest.json", _docker_manifest(image, names))
    for folder in ("blobs", "blobs/sha256"):
        write_all(out, header(LayerEntry(path=folder, kind=EntryKind.DIRECTORY, mode=0o755)))
    parts = (image.descriptor, image.manifest.config, *image.manifest.layers)
    for part in {part.digest: part for part in parts}.values():
        _put_blob(out, layout, part)
    write_all(out, END)


def _index(image: LayoutImage, names: Sequence[_Name]) -> Index:
    """One entry for each name, as `docker save` writes it."""
    plain = replace(image.descriptor, annotations=None)
    named = [{IMAGE_NAME: name.full, REF_NAME: name.tag} for name in names]
    return Index(manifests=tuple(replace(plain, annotations=each) for each in named) or (plain,))


def _docker_manifest(image: LayoutImage, names: Sequence[_Name]) -> bytes:
    config, layers = image.manifest.config, image.manifest.layers
    entry = {
        "Config": _member(config),
        "RepoTags": [name.short for name in names] or None,
        "Layers": [_member(layer) for layer in layers],
    }
    return json.dumps([entry], separators=(",", ":")).encode()


def _member(descriptor: Descriptor) -> str:
    return f"blobs/sha256/{descriptor.hex}"


def _put(out: BinaryIO, path: str, data: bytes) -> None:
    entry = LayerEntry(path=path, kind=EntryKind.FILE, mode=0o644, size=len(data), content=Path(path))
    write_all(out, header(entry) + data + padding(len(data)))


def _put_blob(out: BinaryIO, layout: Path, blob: Descriptor) -> None:
    with open_blob(layout, blob) as stream:
        write_all(out, header(LayerEntry(path=_member(blob), kind=EntryKind.FILE, mode=0o644, size=blob.size)))
        while data := stream.read(BLOCK):
            write_all(out, data)
    write_all(out, padding(blob.size))
