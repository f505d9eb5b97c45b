"""Reads what an engine saved: a tar with manifest.json, the config, and each layer's tar.

Old engines keep layers as `<id>/layer.tar` (the same layer twice is a link), those since 25 as `blobs/sha256/<digest>`;
with the containerd image store the blobs are compressed. The names in manifest.json lead to all of them.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, BinaryIO, cast

from msgspec import Struct

from rearch.host.building.take import EngineImage, Opener, WrongResult
from rearch.oci.types import BadDocument, ImageConfig, read_document

DOCUMENT_LIMIT = 8 << 20
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"


class _Saved(Struct, frozen=True, kw_only=True, rename="pascal"):
    """An element of manifest.json (moby, image/spec/v1.2: "Combined Image JSON + Filesystem Changeset Format")."""

    config: str
    layers: tuple[str, ...] = ()


@contextmanager
def opened(archive: Path, template: str) -> Iterator[EngineImage]:
    """The one image of a saved archive; its layers can be opened as long as the block lasts.

    Errors: WrongResult, BadDocument.
    """
    try:
        with tarfile.open(archive, "r:") as tar:
            manifest = _small(tar, "manifest.json", template)
            images = read_document(tuple[_Saved, ...], manifest, "manifest.json of what the engine saved")
            if len(images) != 1:
                raise WrongResult(template, f"{len(images)} images, and one was asked for")
            config = read_document(ImageConfig, _small(tar, images[0].config, template), images[0].config)
            openers: tuple[Opener, ...] = tuple(partial(_layer, tar, name, template) for name in images[0].layers)
            yield EngineImage(config=config, layers=openers)
    except tarfile.TarError as error:
        raise WrongResult(template, f"what it saved is no whole archive ({error})") from None


def _member(tar: tarfile.TarFile, name: str, template: str) -> IO[bytes]:
    try:
        found = tar.extractfile(name)
    except KeyError:
        found = None
    if found is None:
        raise WrongResult(template, f"{name} is not in what it saved")
    return found


def _small(tar: tarfile.TarFile, name: str, template: str) -> bytes:
    with _member(tar, name, template) as file:
        data = file.read(DOCUMENT_LIMIT + 1)
    if len(data) > DOCUMENT_LIMIT:
        raise BadDocument(name, (f"it has more than {DOCUMENT_LIMIT} bytes",))
    return data


@contextmanager
def _layer(tar: tarfile.TarFile, name: str, template: str) -> Iterator[BinaryIO]:
    """A layer's tar, uncompressed."""
    with _member(tar, name, template) as file:
        magic = file.read(4)
        file.seek(0)
        if magic.startswith(_GZIP):
            with _gunzipped(file, name, template) as plain:
                yield plain
        elif magic == _ZSTD:
            with _unzstd(file, name, template) as plain:
                yield plain
        else:
            yield cast(BinaryIO, file)


@contextmanager
def _gunzipped(file: IO[bytes], name: str, template: str) -> Iterator[BinaryIO]:
    import gzip
    import zlib

    try:
        with gzip.GzipFile(fileobj=file, mode="rb") as plain:
            yield cast(BinaryIO, plain)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise WrongResult(template, f"{name} is no whole gzip stream ({error})") from None


@contextmanager
def _unzstd(file: IO[bytes], name: str, template: str) -> Iterator[BinaryIO]:
    import zstandard

    try:
        with zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True) as plain:
            yield cast(BinaryIO, plain)
    except zstandard.ZstdError as error:
        raise WrongResult(template, f"{name} is no whole zstd stream ({error})") from None
