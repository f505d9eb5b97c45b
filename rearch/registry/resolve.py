"""From a base's reference in a recipe to digests in rearch.lock."""

from __future__ import annotations

from collections.abc import Iterator

from rearch.errors import UsageError
from rearch.model.frozen import FrozenDict
from rearch.model.lock import PinnedBase
from rearch.model.platform import Platform
from rearch.model.reference import Reference, parse_reference
from rearch.oci.types import (
    DOCKER_CONFIG,
    INDEXES,
    MANIFESTS,
    OCI_CONFIG,
    BadDocument,
    Descriptor,
    ImageConfig,
    Index,
    Manifest,
    read_document,
)
from rearch.registry.client import RegistryClient
from rearch.registry.documents import Document
from rearch.registry.errors import BaseMoved

CONFIG_LIMIT = 8 << 20
_MOST_DEPTH = 3
_MOST_ENTRIES = 1000
_ATTESTATION = "vnd.docker.reference.type"


class NoKnownPlatform(UsageError):
    """An image without any platform that rearch has a word for. `found` is how the index writes them."""

    def __init__(self, name: str, found: tuple[str, ...]) -> None:
        self.name = name
        self.found = found
        super().__init__(
            f"{name} is for no platform that rearch knows",
            (f"it has {', '.join(found) or 'no image at all'}",),
            hint="take another base",
        )


class BaseResolver:
    """Resolves bases for `invoke lock`."""

    def __init__(self, client: RegistryClient) -> None:
        self._client = client

    def resolve(self, reference: str) -> PinnedBase:
        """What a reference is now: the digest of its index, and of the manifest for each platform that it has.

        A digest in the reference decides, whatever its tag names now. Attestations and platforms that rearch has no
        word for (unknown/unknown, windows/...) are left out. Where an index has two manifests of one platform the first
        one wins, as containerd's and Docker's matchers choose. A manifest without an index is for the platform in its
        config. Errors: BadReference, NoKnownPlatform, BadDocument; those of RegistryClient.
        """
        name = parse_reference(reference)
        document = self._client.manifest(name)
        platforms: dict[str, str] = {}
        unknown: list[str] = []
        for written, platform, digest in self._images(name, document, _MOST_DEPTH):
            if platform is None:
                unknown.append(written)
            else:
                platforms.setdefault(str(platform), digest)
        if not platforms:
            raise NoKnownPlatform(name.name, tuple(dict.fromkeys(unknown)))
        return PinnedBase(reference=reference, digest=document.digest, platforms=FrozenDict(sorted(platforms.items())))

    def moved(self, pinned: PinnedBase) -> BaseMoved | None:
        """Whether the tag of a locked base names another image now; None where a digest stands in the recipe.

        For information: a build goes by the lock. Errors: those of RegistryClient.
        """
        name = parse_reference(pinned.reference)
        if name.digest is not None:
            return None
        found = self._client.head(name)
        if found is not None and found.digest == pinned.digest:
            return None
        return BaseMoved(name.name, pinned.digest, found.digest if found else "nothing: the tag is gone")

    def _images(self, name: Reference, document: Document, depth: int) -> Iterator[tuple[str, Platform | None, str]]:
        """Every image: its platform as it is written and as it is meant, and the manifest's digest."""
        if not document.is_index:
            yield self._image(name, document)
            return
        entries = read_document(Index, document.data, document.name).manifests
        if len(entries) > _MOST_ENTRIES:
            raise BadDocument(document.name, (f"it has {len(entries)} entries; {_MOST_ENTRIES} is the limit",))
        for entry in entries:
            if _ATTESTATION not in (entry.annotations or {}):
                yield from self._entry(name, entry, depth)

    def _entry(self, name: Reference, entry: Descriptor, depth: int) -> Iterator[tuple[str, Platform | None, str]]:
        if entry.media_type in MANIFESTS and entry.platform is not None:
            yield str(entry.platform), entry.platform.known, entry.digest
        elif entry.media_type not in (*MANIFESTS, *INDEXES) or entry.artifact_type or not depth:
            yield f"{entry.artifact_type or entry.media_type} (no image)", None, entry.digest
        else:
            # An index inside, or an image that only its own config describes.
            yield from self._images(name, self._client.manifest(name.at(entry.digest)), depth - 1)

    def _image(self, name: Reference, document: Document) -> tuple[str, Platform | None, str]:
        manifest = read_document(Manifest, document.data, document.name)
        kind = manifest.artifact_type or manifest.config.media_type
        if kind not in (OCI_CONFIG, DOCKER_CONFIG):
            return f"{kind} (no image)", None, document.digest
        return (*self._config_platform(name, manifest), document.digest)

    def _config_platform(self, name: Reference, manifest: Manifest) -> tuple[str, Platform | None]:
        data = self._client.read_blob(name, manifest.config, CONFIG_LIMIT)
        config = read_document(ImageConfig, data, f"{name.name}: config")
        written = "/".join(part for part in (config.os, config.architecture, config.variant) if part)
        return written, config.platform
