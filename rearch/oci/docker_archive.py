"""One image as one tar file that `docker load` reads, old and new, and skopeo, podman and containerd.

It is both an OCI layout in a tar and what `docker save` has written since 1.10: `manifest.json` names the files of the
same blobs. Docker up to 28 goes by manifest.json (moby, image/tarexport/load.go, which unpacks gzip and zstd itself:
tried with 20.10.24), Docker with containerd's store (29) by index.json, where `io.containerd.image.name` has the name.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from rearch.errors import UsageError
from rearch.formats.archive_errors import CannotWrite
from rearch.formats.hashing import BLOCK
from rearch.model.reference import parse_reference
from rearch.oci.entry import EntryKind, LayerEntry
from rearch.oci.layer_tar import END, header, padding
from rearch.oci.layout import LayoutImage
from rearch.oci.layout_blobs import open_blob
from rearch.oci.layout_files import write_all, written_whole
from rearch.oci.layout_read import IMAGE_NAME
from rearch.oci.types import (
    REF_NAME,
    Descriptor,
    Index,
    document_bytes,
)


class BadArchiveName(UsageError):
    """A name that an image in an archive cannot have."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f"an image in a docker archive cannot be called {name!r}",
            hint="name it with a tag and without a digest, as in example.org/healthcheck:v0.3.8",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Name:
    """`full` with the registry, `short` as Docker shows it, `tag` alone."""

    full: str
    short: str
    tag: str


def write_docker_archive(layout: Path, image: LayoutImage, names: Sequence[str], out: Path | BinaryIO) -> None:
    """Write one image of a layout; the same image and names give the same bytes.

    `names` are what `docker load` will call it (`healthcheck:v1`, `example.org/healthcheck:v1`); without any, it is
    loaded by its id alone. `out` is a file, which appears whole or not at all, or a stream, which is not sought.

    Errors: BadReference, BadArchiveName, MissingBlob, WrongBlob, CannotWrite.
    """
    called = tuple(_name(name) for name in dict.fromkeys(names))
    if not isinstance(out, Path):
        _write(layout, image, called, out)
        return
    try:
        with written_whole(out, durable=False) as file:
            _write(layout, image, called, file)
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
    plain = image.descriptor.model_copy(update={"annotations": None})
    named = [{IMAGE_NAME: name.full, REF_NAME: name.tag} for name in names]
    return Index(manifests=tuple(plain.model_copy(update={"annotations": each}) for each in named) or (plain,))


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
