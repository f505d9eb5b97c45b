"""Pulls one image, by digest, through the cache of downloads: steps.ports.ImagePuller."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from pathlib import Path

from rearch.errors import RearchError
from rearch.formats.archive_errors import CannotWrite
from rearch.formats.held import HeldDownloads
from rearch.model.platform import Platform
from rearch.model.reference import Reference, parse_reference
from rearch.model.step_images import RegistryOrigin
from rearch.oci.layout import link_blob
from rearch.oci.types import LAYERS, Descriptor, ImageConfig, Manifest, known_platform, read_document
from rearch.registry.client import RegistryClient
from rearch.registry.documents import make_document
from rearch.registry.errors import ForeignLayer, TooLarge, UnknownDocument, WrongPlatform
from rearch.registry.resolve import CONFIG_LIMIT
from rearch.steps.ports import Workspace

PARALLEL = 3
_FOREIGN = ("foreign", "nondistributable")


class RegistryPuller:
    """The ImagePuller of steps/ports.py. `cache` is rearch's cache folder. For several threads and several runs."""

    def __init__(self, client: RegistryClient, cache: Path) -> None:
        self._client = client
        self._held = HeldDownloads(cache / "downloads")

    def pull(self, origin: RegistryOrigin, platform: Platform, layout: Path, work: Workspace) -> None:
        """Leave manifest, config and layers in `layout/blobs/sha256/`, and write nothing else.

        What the cache has is not fetched. The config must be for exactly this platform; only where it states no variant
        at all (old arm images) the index's word for the variant stands.
        Errors: WrongPlatform, ForeignLayer, UnknownDocument, OldManifest, BadDocument, TooLarge, OfflineError,
        BadReference; those of RegistryClient.
        """
        name = parse_reference(origin.reference).at(origin.digest)
        manifest = self._manifest(name, layout, work)
        self._config(name, manifest.config, platform, layout)
        layers = tuple({layer.digest: layer for layer in manifest.layers}.values())
        for layer in layers:
            check_layer(name, layer, work.limits.download_bytes)
        self._layers(name, layers, layout, work)

    def _manifest(self, name: Reference, layout: Path, work: Workspace) -> Manifest:
        def fetch(into: Path) -> None:
            work.say(f"{name}: from {name.registry}")
            data = self._client.manifest(name).data
            try:
                into.write_bytes(data)
            except OSError as error:
                raise CannotWrite(str(into), error) from error

        place = self._held.get(_hex(name.identifier), fetch)
        document = make_document(name, place.read_bytes(), "")
        if document.is_index:
            raise UnknownDocument(
                f"{name} (an index, where the manifest of one platform is wanted)", document.media_type
            )
        manifest = read_document(Manifest, document.data, name.name)
        link_blob(place, layout, document.digest)
        return manifest

    def _config(self, name: Reference, config: Descriptor, platform: Platform, layout: Path) -> None:
        if config.size > CONFIG_LIMIT:
            raise TooLarge(f"{name.name}: config", config.size, CONFIG_LIMIT)
        place = self._held.get(config.hex, lambda into: self._client.fetch_blob(name, config, into))
        found = read_document(ImageConfig, place.read_bytes(), f"{name.name}: config")
        check_platform(name, found, platform)
        link_blob(place, layout, config.digest)

    def _layers(self, name: Reference, layers: tuple[Descriptor, ...], layout: Path, work: Workspace) -> None:
        """Several at once. The first failure ends the others, which keep what they have."""
        bar = _Bar(name.name, sum(layer.size for layer in layers), work.progress)

        def one(layer: Descriptor) -> None:
            place = self._held.get(layer.hex, lambda into: self._client.fetch_blob(name, layer, into, bar.of(layer)))
            bar.of(layer)(layer.size)
            link_blob(place, layout, layer.digest)

        with ThreadPoolExecutor(PARALLEL, thread_name_prefix="pull") as pool:
            futures = [pool.submit(one, layer) for layer in layers]
            try:
                wait(futures, return_when=FIRST_EXCEPTION)
            finally:
                # All is well, or one failed, or somebody interrupted us: the others end at their next block.
                bar.stopped = any(not future.done() or future.exception() for future in futures)
                pool.shutdown(cancel_futures=True)
        _raise_first(futures)
        work.say(f"{name}: {len(layers)} layers, {bar.total} bytes")


class _Stopped(RearchError):
    """Another layer of the same image failed: this one's error is of no interest."""

    def __init__(self) -> None:
        super().__init__("stopped, since another layer failed")


class _Bar:
    """One bar for all layers of an image."""

    def __init__(self, label: str, total: int, progress: Callable[[str, int, int, str], None]) -> None:
        self.total = total
        self.stopped = False
        self._label = label
        self._progress = progress
        self._lock = threading.Lock()
        self._done: dict[str, int] = {}

    def of(self, layer: Descriptor) -> Callable[[int], None]:
        """What is told how many bytes of this layer are there. Errors: _Stopped."""

        def moved(done: int) -> None:
            if self.stopped:
                raise _Stopped
            with self._lock:
                self._done[layer.digest] = done
                self._progress(self._label, sum(self._done.values()), self.total, "B")

        return moved


def _raise_first(futures: list[Future[None]]) -> None:
    """The error of the layer that failed by itself."""
    errors = [error for future in futures if not future.cancelled() and (error := future.exception()) is not None]
    for error in sorted(errors, key=lambda error: isinstance(error, _Stopped)):
        raise error


def check_platform(name: Reference, config: ImageConfig, platform: Platform) -> None:
    """Exactly this platform; where the config states no variant, any of the architecture. Errors: WrongPlatform."""
    found = config.platform
    if config.variant is None and (config.os, config.architecture) == (platform.os, platform.oci_architecture):
        found = platform
    if found != platform:
        written = known_platform(config.os, config.architecture, config.variant)
        raw = "/".join(part for part in (config.os, config.architecture, config.variant) if part)
        raise WrongPlatform(name.name, platform, str(written or raw))


def check_layer(name: Reference, layer: Descriptor, limit: int) -> None:
    """Before any layer is fetched. A layer's type can be that of ours and still name URLs: those are not used.

    `limit` in bytes. Errors: ForeignLayer, UnknownDocument, TooLarge.
    """
    if any(word in layer.media_type for word in _FOREIGN):
        raise ForeignLayer(name.name, layer.media_type, layer.urls or ())
    if layer.media_type not in LAYERS:
        raise UnknownDocument(f"{name.name}: layer {layer.digest[:19]}...", layer.media_type)
    if layer.size > limit:
        raise TooLarge(f"{name.name}: layer {layer.digest[:19]}...", layer.size, limit, "limits: {download_bytes: ...}")


def _hex(digest: str) -> str:
    return digest.removeprefix("sha256:")
