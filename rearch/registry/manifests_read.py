"""The images that are to be joined, read from their registries: two requests each, several at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from msgspec import Struct
from msgspec.structs import replace

from rearch.errors import RearchError
from rearch.model.frozen import NOTHING, FrozenDict
from rearch.model.publish import SpecManifest
from rearch.model.reference import Reference
from rearch.oci.join_annotate import annotate_manifest
from rearch.oci.join_entries import Joined, OneImage, WholeIndex, config_platform, entries_of, without_platform
from rearch.oci.join_errors import NoImage
from rearch.oci.types import (
    DOCKER_CONFIG,
    OCI_CONFIG,
    OCI_MANIFEST,
    Descriptor,
    ImageConfig,
    Index,
    Manifest,
    PlatformObject,
    descriptor_of,
    read_document,
)
from rearch.registry.client import RegistryClient
from rearch.registry.documents import Document
from rearch.registry.errors import LoginWanted, NotInRegistry
from rearch.registry.manifests_errors import MissingImages, NoAnnotationsInManifest
from rearch.registry.resolve import CONFIG_LIMIT

PARALLEL = 4


class ReadImage(Struct, frozen=True, kw_only=True):
    """One entry of a spec, read. `reference` as in the spec; `manifests`: digest -> bytes of manifests that are known
    already; `made`: the digests of those that were made here, by annotations, and that no registry has yet."""

    reference: Reference
    joined: Joined
    manifests: Mapping[str, bytes] = NOTHING
    made: frozenset[str] = frozenset()


def read_images(
    client: RegistryClient, manifests: Sequence[SpecManifest], *, ignore_missing: bool, warn: Callable[[str], None]
) -> tuple[ReadImage, ...]:
    """Every image of a spec, in its order. `warn` is told which were left out.

    Missing is what a registry says to know nothing of (404). Docker Hub and others say of a repository that is not
    there, to whom they let read others, that it is not for them: with `ignore_missing` that counts as missing too, but
    not where the registry lets us read none of the images. Errors: MissingImages, all at once; else those of
    RegistryClient, the first in the spec's order; NoImage, NoAnnotationsInManifest, BadDocument, NotInIndex,
    NestedIndex, NoPlatform.
    """
    with ThreadPoolExecutor(PARALLEL, thread_name_prefix="read") as pool:
        found = [*pool.map(lambda each: _attempt(client, each), manifests)]
    read = [each for each in found if isinstance(each, ReadImage)]
    open_to_us = {each.reference.registry for each in read}
    missing: list[tuple[str, str]] = []
    for wanted, each in zip(manifests, found, strict=True):
        if isinstance(each, RearchError):
            if not _is_missing(each, wanted.reference, open_to_us if ignore_missing else frozenset()):
                raise each
            missing.append((wanted.image, _why(each)))
    if missing and not ignore_missing:
        raise MissingImages(missing)
    for name, why in missing:
        warn(f"{name} is left out: {why}")
    return tuple(read)


def _attempt(client: RegistryClient, wanted: SpecManifest) -> ReadImage | RearchError:
    """What was read, or why not: all of them are looked at before one is spoken of."""
    try:
        return _read(client, wanted)
    except RearchError as error:
        return error


def _is_missing(error: RearchError, reference: Reference, open_to_us: frozenset[str] | set[str]) -> bool:
    return isinstance(error, NotInRegistry) or (isinstance(error, LoginWanted) and reference.registry in open_to_us)


def _why(error: RearchError) -> str:
    if isinstance(error, LoginWanted):
        return f"{error.host} does not let us read it, as it does others: perhaps there is no such repository"
    return error.details[0] if error.details else error.summary


def _read(client: RegistryClient, wanted: SpecManifest) -> ReadImage:
    document = client.manifest(wanted.reference)
    if document.is_index:
        return _index(client, wanted, document)
    return _image(client, wanted, document)


def _image(client: RegistryClient, wanted: SpecManifest, document: Document) -> ReadImage:
    reference, name = wanted.reference, str(wanted.reference)
    config = _config(client, reference, document.data, name)
    data = _annotated(wanted, document.data, document.media_type, name)
    descriptor = descriptor_of(document.media_type, data)
    joined = OneImage(
        name=name, descriptor=descriptor, config=config, wanted=wanted.wanted, annotations=wanted.annotations
    )
    made = {descriptor.digest} - {document.digest}
    return ReadImage(
        reference=reference,
        joined=joined,
        manifests=FrozenDict({descriptor.digest: data}),
        made=frozenset(made),
    )


def _config(client: RegistryClient, reference: Reference, data: bytes, name: str) -> PlatformObject:
    """What the image's config says that it is for; the spec may be silent, or wrong."""
    manifest = read_document(Manifest, data, name)
    kind = manifest.artifact_type or manifest.config.media_type
    if kind not in (OCI_CONFIG, DOCKER_CONFIG):
        raise NoImage(name, kind)
    text = client.read_blob(reference, manifest.config, CONFIG_LIMIT)
    return config_platform(read_document(ImageConfig, text, f"{name}: config"))


def _annotated(wanted: SpecManifest, data: bytes, media_type: str, name: str) -> bytes:
    if wanted.manifest_annotations and media_type != OCI_MANIFEST:
        raise NoAnnotationsInManifest(name, media_type)
    return annotate_manifest(data, wanted.manifest_annotations, media_type=media_type, name=name)


def _index(client: RegistryClient, wanted: SpecManifest, document: Document) -> ReadImage:
    reference, name = wanted.reference, str(wanted.reference)
    entries = read_document(Index, document.data, name).manifests
    configs: dict[str, PlatformObject] = {}
    known: dict[str, bytes] = {}
    for entry in without_platform(entries):
        known[entry.digest] = client.manifest(reference.at(entry.digest)).data
        configs[entry.digest] = _config(client, reference, known[entry.digest], f"{name}: {entry.digest}")
    whole = WholeIndex(
        name=name,
        entries=entries,
        configs=FrozenDict(configs),
        wanted=wanted.wanted,
        annotations=wanted.annotations,
    )
    plain = ReadImage(reference=reference, joined=whole, manifests=FrozenDict(known))
    return _annotate_entries(client, wanted, whole, plain) if wanted.manifest_annotations else plain


def _annotate_entries(client: RegistryClient, wanted: SpecManifest, whole: WholeIndex, plain: ReadImage) -> ReadImage:
    """New manifests in the place of those images that the spec takes from the index."""
    known = dict(plain.manifests)
    made: dict[str, Descriptor] = {}
    for taken in entries_of(whole):
        old = taken.descriptor.digest
        if taken.is_image:
            data = known.get(old) or client.manifest(plain.reference.at(old)).data
            data = _annotated(wanted, data, taken.descriptor.media_type, f"{whole.name}: {old}")
            known[str((new := descriptor_of(taken.descriptor.media_type, data)).digest)] = data
            made[old] = new
    entries = tuple(_renewed(entry, made) for entry in whole.entries)
    configs = {made[old].digest if old in made else old: platform for old, platform in whole.configs.items()}
    return replace(
        plain,
        joined=replace(whole, entries=entries, configs=FrozenDict(configs)),
        manifests=FrozenDict(known),
        made=frozenset(new.digest for old, new in made.items() if new.digest != old),
    )


def _renewed(entry: Descriptor, made: Mapping[str, Descriptor]) -> Descriptor:
    new = made.get(entry.digest)
    return entry if new is None else replace(entry, digest=new.digest, size=new.size)
