"""Images of others that are adopted: looked up, looked at, and remembered, so that no later publish asks for them.

The image itself is never changed: its manifest goes out as it came, under the digest that it has everywhere.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import msgspec
from msgspec import Struct

from rearch.engine.durable import write_whole
from rearch.formats.held import HeldDownloads
from rearch.model.digest import Digest
from rearch.model.reference import Reference
from rearch.model.typed import Undecodable, decode_json
from rearch.oci.types import (
    DOCKER_CONFIG,
    OCI_CONFIG,
    BadDocument,
    Descriptor,
    ImageConfig,
    Manifest,
    PlatformObject,
    descriptor_of,
    read_document,
)
from rearch.planning.publish_adopt import Adoption
from rearch.planning.publish_values import Blob
from rearch.publishing.adopt_errors import NotInOriginal, OfflineOriginal, OriginalGone
from rearch.publishing.built import pointer
from rearch.registry.client import RegistryClient
from rearch.registry.documents import Document
from rearch.registry.errors import NotInRegistry, TooLarge, UnknownDocument
from rearch.registry.pull import check_layer, check_platform
from rearch.registry.resolve import CONFIG_LIMIT, BaseResolver

FOLDER = "originals"


class Original(Struct, frozen=True, kw_only=True):
    """The image of one platform that a reference gave. `manifest`: its bytes, as text (it is JSON).

    `reference` as it was asked for, whole; `platform` normalised.
    """

    reference: str
    platform: str
    media_type: str
    manifest: str

    @property
    def data(self) -> bytes:
        return self.manifest.encode()

    @property
    def digest(self) -> str:
        return str(Digest.of(self.data))

    def document(self) -> Manifest:
        """Errors: BadDocument."""
        return read_document(Manifest, self.data, self.reference)

    def descriptor(self, adoption: Adoption) -> Descriptor:
        """The entry of an index for it."""
        return descriptor_of(self.media_type, self.data, platform=PlatformObject.of(adoption.platform))


class Originals:
    """Finds originals and fetches their blobs. `folder` is the journal's, `cache` rearch's; for several threads.

    `refresh`: ask again what a reference names, whatever was remembered. `limit`: the most bytes of one layer.
    `write`: remember what was found.
    """

    def __init__(
        self,
        client: RegistryClient,
        folder: Path,
        cache: Path,
        *,
        limit: int,
        refresh: bool = False,
        offline: bool = False,
        write: bool = True,
        say: Callable[[str], None],
    ) -> None:
        self._client = client
        self._memory = folder / FOLDER
        self._held = HeldDownloads(cache / "downloads")
        self._limit = limit
        self._refresh = refresh
        self._offline = offline
        self._write = write
        self._say = say

    def find(self, adoption: Adoption) -> Original:
        """The image, remembered or asked for. What was remembered stays, whatever its tag names now, until `refresh`.

        Errors: OfflineOriginal, NotInOriginal, WrongPlatform, ForeignLayer, UnknownDocument, TooLarge, BadDocument,
        OldManifest, NoKnownPlatform; those of RegistryClient.manifest.
        """
        path = self._memory / f"{_key(adoption)}.json"
        if not self._refresh and (known := _remembered(path, adoption)) is not None:
            return known
        if self._offline:
            raise OfflineOriginal(str(adoption.reference))
        found = self._ask(adoption)
        self._say(f"{adoption.component} {adoption.platform}: {adoption.reference} is {found.digest}")
        if self._write:
            write_whole(path, msgspec.json.encode(found))
        return found

    def file(self, origin: Reference, blob: Blob) -> Path:
        """A blob of an original, fetched into the cache where it is not there.

        Errors: OriginalGone; those of RegistryClient.fetch_blob.
        """

        def fetch(into: Path) -> str:
            self._say(f"{origin.place}: fetching {blob.digest[:19]}..., {blob.size} bytes")
            try:
                return self._client.fetch_blob(origin, pointer(blob), into)
            except NotInRegistry:
                raise OriginalGone(origin.place, blob.digest) from None

        return self._held.get(blob.digest.removeprefix("sha256:"), fetch)

    def _ask(self, adoption: Adoption) -> Original:
        name, wanted = adoption.reference, str(adoption.platform)
        platforms = BaseResolver(self._client).resolve(str(name)).platforms
        if wanted not in platforms:
            raise NotInOriginal(str(name), adoption.platform, tuple(platforms))
        document = self._client.manifest(name.at(platforms[wanted]))
        self._look(adoption, document)
        return Original(
            reference=str(name),
            platform=wanted,
            media_type=document.media_type,
            manifest=document.data.decode(),
        )

    def _look(self, adoption: Adoption, document: Document) -> None:
        """Whether it is an image for this platform that registries carry. What is in its layers is the others' word."""
        name = adoption.reference.at(document.digest)
        if document.is_index:
            raise UnknownDocument(f"{name.name} (an index in an index)", document.media_type)
        manifest = read_document(Manifest, document.data, name.name)
        kind = manifest.artifact_type or manifest.config.media_type
        if kind not in (OCI_CONFIG, DOCKER_CONFIG):
            raise UnknownDocument(f"{name.name} (no image)", kind)
        if manifest.config.size > CONFIG_LIMIT:
            raise TooLarge(f"{name.name}: config", manifest.config.size, CONFIG_LIMIT)
        data = self._client.read_blob(name, manifest.config, CONFIG_LIMIT)
        config = read_document(ImageConfig, data, f"{name.name}: config")
        check_platform(name, config, adoption.platform)
        for layer in manifest.layers:
            check_layer(name, layer, self._limit)
        layers, ids = len(manifest.layers), len(config.rootfs.diff_ids)
        if layers != ids:
            raise BadDocument(name.name, (f"its manifest has {layers} layers, and its config {ids}",))


def _key(adoption: Adoption) -> str:
    return hashlib.sha256(f"{adoption.reference} {adoption.platform}".encode()).hexdigest()[:32]


def _remembered(path: Path, adoption: Adoption) -> Original | None:
    """What stands there, if it is of this adoption, and whole: else it is as if nothing did."""
    try:
        found = decode_json(path.read_bytes(), Original)
        found.document()
    except (FileNotFoundError, Undecodable, RecursionError, BadDocument):
        return None
    asked = (str(adoption.reference), str(adoption.platform))
    return found if (found.reference, found.platform) == asked else None
