"""What an engine built -> an image of ours: the base's blobs as they were, new layers reproducible, the config cleaned.

Engines date what they make by their clock, and some write names of users into layers. Here every new layer is read
and written anew, owners by number alone, entries in their order. What COPY made is dated by the epoch, as the embedded
builder does it: the context's times say when it was put together, and are no input. What RUN made keeps times
before the epoch, for they come out of packages and archives (reproducible-builds.org, SOURCE_DATE_EPOCH: clamped).
The base's layers are known by their diff IDs and hard-linked.
"""

from __future__ import annotations

import hashlib
import io
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from msgspec import Struct
from msgspec.structs import replace

from rearch.errors import VerificationError
from rearch.formats.hashing import BLOCK, copy_hashed
from rearch.host.building.config import taken_config
from rearch.oci.embedded.bases import WrongBase
from rearch.oci.entry import LayerEntry
from rearch.oci.layer import make_layer
from rearch.oci.layer_stream import compress_stream
from rearch.oci.layout import LayoutImage, blob_path, link_blob, read_image
from rearch.oci.order import BuiltImage, ImageOrder
from rearch.oci.read_layer import layer_entries, open_layer
from rearch.oci.types import LAYERS, Descriptor, ImageConfig, layer_type

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

Opener = Callable[[], AbstractContextManager[BinaryIO]]


class WrongResult(VerificationError):
    """What an engine handed out is not what it says it is."""

    def __init__(self, template: str, problem: str) -> None:
        self.template = template
        self.problem = problem
        super().__init__(f"{template}: the engine's result: {problem}", hint="build it again; then look at the engine")


class StageImage(Struct, frozen=True, kw_only=True):
    """An image that the Dockerfile can name, in its layout."""

    name: str
    layout: Path
    image: LayoutImage


class EngineImage(Struct, frozen=True, kw_only=True):
    """An engine's result: the config, and a way to open each layer's tar, uncompressed, the lowest first."""

    config: ImageConfig
    layers: tuple[Opener, ...]


def read_stages(order: ImageOrder) -> tuple[StageImage, ...]:
    """The images of the order, by name. Errors: those of read_image, WrongBase."""
    found = []
    for name, layout in sorted(order.stages.items()):
        image = read_image(layout)
        if image.config.platform != order.platform:
            says = image.config
            words = "/".join(part for part in (says.os, says.architecture, says.variant) if part)
            raise WrongBase(order.template, name, words, order.platform)
        found.append(StageImage(name=name, layout=layout, image=image))
    return tuple(found)


def take_image(built: EngineImage, stages: Sequence[StageImage], order: ImageOrder) -> BuiltImage:
    """Put the layers into the order's layout, and say what the image is.

    Errors: WrongResult; those of layer_entries and make_layer.
    """
    diff_ids = built.config.rootfs.diff_ids
    if len(diff_ids) != len(built.layers):
        raise WrongResult(order.template, f"{len(built.layers)} layers, and {len(diff_ids)} in its config")
    if built.config.platform != order.platform:
        raise WrongResult(order.template, f"it is for {built.config.platform}, and {order.platform} was to be built")
    base = _base(diff_ids, stages)
    inherited = _linked(base, order) if base else ()
    runs = layers_of_run(built.config)
    made = [
        _remade(built.layers[number], diff_ids[number], order, clamp=runs[number])
        for number in range(len(inherited), len(diff_ids))
    ]
    kept = diff_ids[: len(inherited)] + tuple(diff_id for _, diff_id in made)
    return BuiltImage(
        config=taken_config(built.config, base.image.config if base else None, kept, order),
        layers=(*inherited, *(descriptor for descriptor, _ in made)),
        base_layers=len(inherited),
    )


def _base(diff_ids: Sequence[str], stages: Sequence[StageImage]) -> StageImage | None:
    """The image whose layers are all there, at the bottom: what the result started from. None: from scratch."""
    fitting = [stage for stage in stages if _layers(stage) and tuple(diff_ids[: len(_layers(stage))]) == _layers(stage)]
    return max(fitting, key=lambda stage: len(_layers(stage)), default=None)


def _layers(stage: StageImage) -> tuple[str, ...]:
    return stage.image.config.rootfs.diff_ids


def _linked(base: StageImage, order: ImageOrder) -> tuple[Descriptor, ...]:
    """The base's layers, called by the image's own kind of media types."""
    return tuple(_inherited(base.layout, layer, order) for layer in base.image.manifest.layers)


def _inherited(layout: Path, layer: Descriptor, order: ImageOrder) -> Descriptor:
    """The same blob; Docker's types know no zstd: then the same tar, compressed anew."""
    compression = LAYERS.get(layer.media_type)
    if compression is None or (compression == "zstd" and order.media_types == "docker"):
        return _repacked(layout, layer, order)
    link_blob(blob_path(layout, layer.digest), order.layout, layer.digest)
    return Descriptor(media_type=layer_type(order.media_types, compression), digest=layer.digest, size=layer.size)


def _repacked(layout: Path, layer: Descriptor, order: ImageOrder) -> Descriptor:
    packed = order.scratch / "repacked"
    with open_layer(layout, layer) as stream, packed.open("wb", buffering=0) as file:
        written = compress_stream(stream, file, order.compression)
    descriptor = Descriptor(
        media_type=layer_type(order.media_types, order.compression),
        digest=f"sha256:{written.hex}",
        size=written.size,
    )
    link_blob(packed, order.layout, descriptor.digest)
    packed.unlink()
    return descriptor


def layers_of_run(config: ImageConfig) -> tuple[bool, ...]:
    """Whether each layer is RUN's work, by the history (BuildKit: `RUN ...`; the old builders: `/bin/sh -c ...`, with
    `#(nop)` for all but RUN); where that does not tell, it may be."""
    lines = [line.created_by or "RUN" for line in config.history or () if not line.empty_layer]
    if len(lines) != len(config.rootfs.diff_ids):
        return (True,) * len(config.rootfs.diff_ids)
    return tuple(text.startswith("RUN") or ("/bin/sh -c" in text and "#(nop)" not in text) for text in lines)


def _remade(opener: Opener, diff_id: str, order: ImageOrder, *, clamp: bool) -> tuple[Descriptor, str]:
    """Write one layer anew: (descriptor, diff ID)."""
    spool = order.scratch / "layer"
    spool.mkdir()
    try:
        with _checked(opener, diff_id, order.template) as stream:
            entries = tuple(_spooled(stream, spool, order.epoch, clamp=clamp))
        made = make_layer(
            entries,
            layout=order.layout,
            layers=order.layers,
            compression=order.compression,
            media_types=order.media_types,
        )
    finally:
        shutil.rmtree(spool)
    return made.descriptor, made.diff_id


def _spooled(stream: BinaryIO, spool: Path, epoch: int, *, clamp: bool) -> Iterator[LayerEntry]:
    """The entries, dated, with their contents in files: a layer's writer wants digests before the first byte."""
    for number, (entry, content) in enumerate(layer_entries(stream)):
        dated = replace(entry, mtime=min(entry.mtime, epoch) if clamp else epoch)
        if content is None or not entry.size:
            yield dated
            continue
        file = spool / str(number)
        with file.open("wb") as out:
            digest, _size = copy_hashed(content, out)
        yield replace(dated, content=file, digest=digest)


@contextmanager
def _checked(opener: Opener, diff_id: str, template: str) -> Iterator[BinaryIO]:
    """The layer's stream; when it was read to its end, it was that of the diff ID. Errors: WrongResult."""
    with opener() as raw:
        hashed = _Hashed(raw)
        with io.BufferedReader(hashed, BLOCK) as stream:
            yield stream
            while stream.read(BLOCK):
                pass
        found = f"sha256:{hashed.digest.hexdigest()}"
    if found != diff_id:
        raise WrongResult(template, f"a layer is {found}, and its config says {diff_id}")


class _Hashed(io.RawIOBase):
    """A stream that is hashed while it is read."""

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__()
        self._stream = stream
        self.digest = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        data = self._stream.read(len(memoryview(buffer).cast("B")))
        memoryview(buffer).cast("B")[: len(data)] = data
        self.digest.update(data)
        return len(data)
