"""`inspect`: what an image of a registry, of a layout, of an archive or of output/ is."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from rearch.app.request import Request
from rearch.app.targets import NoSuchTarget, Target, archive_layout, image_names, is_reference, local_target

if TYPE_CHECKING:
    from rearch.model.settings import Settings
    from rearch.oci.types import Descriptor
    from rearch.registry.describe import DocumentSource


class Inspected(Struct, frozen=True, kw_only=True):
    """For stdout: `lines` for people, `document` the same as JSON values. `faults`: all that is wrong."""

    lines: tuple[str, ...]
    document: Any
    faults: tuple[str, ...]


def inspect_target(request: Request, name: str, *, referrers: bool = False) -> Inspected:
    """Describe one image or index; of a layout without a name in it, each that it has.

    Errors: NoSuchTarget, BadReference; those of RegistryClient, and of reading layouts.
    """
    from rearch.registry.describe import describe
    from rearch.registry.describe_show import description_document, description_lines

    with _sources(name, request, referrers=referrers) as sources:
        found = [describe(source) for source in sources]
    documents = [description_document(each) for each in found]
    return Inspected(
        lines=tuple(_apart([[*description_lines(each)] for each in found])),
        document=documents[0] if len(documents) == 1 else documents,
        faults=tuple(fault for each in found for fault in each.all_faults),
    )


def raw_target(request: Request, name: str) -> bytes:
    """The bytes of the index or manifest, as they are. Errors: as inspect_target; AmbiguousImage."""
    from rearch.oci.layout_errors import AmbiguousImage

    with _sources(name, request, referrers=False) as sources:
        if len(sources) != 1:
            raise AmbiguousImage(name, "", [source.name for source in sources])
        return sources[0].top()[1]


def _apart(parts: list[list[str]]) -> Iterator[str]:
    for number, lines in enumerate(parts):
        yield from ([""] if number else [])
        yield from lines


@contextmanager
def _sources(name: str, request: Request, *, referrers: bool) -> Iterator[tuple[DocumentSource, ...]]:
    settings = _settings(request)
    output = request.project / settings.output
    local = local_target(name, output)
    if local is not None:
        yield _in_layout(local, str(local.layout))
    elif Path(name).is_file():
        with tempfile.TemporaryDirectory(prefix="rearch-") as folder:
            yield _in_layout(Target(layout=archive_layout(Path(name), None, Path(folder))), name)
    elif is_reference(name):
        with _in_registry(name, request, settings, referrers=referrers) as source:
            yield (source,)
    else:
        raise NoSuchTarget(name, image_names(output))


def _settings(request: Request) -> Settings:
    from rearch.config.settings import settings_origins

    return settings_origins(request.project, environment=request.environment, flags=request.flags)[0]


@contextmanager
def _in_registry(name: str, request: Request, settings: Settings, *, referrers: bool) -> Iterator[DocumentSource]:
    from rearch.app.registries import registry_client
    from rearch.host.process import Processes
    from rearch.model.reference import parse_reference
    from rearch.registry.describe_sources import RegistrySource

    reference = parse_reference(name)
    with registry_client(settings, request.environment, Processes()) as client:
        if referrers:
            from rearch.registry.push import RegistryPusher

            yield RegistrySource(client, reference, RegistryPusher(client).referrers)
        else:
            yield RegistrySource(client, reference)


def _in_layout(target: Target, name: str) -> tuple[DocumentSource, ...]:
    """The entries of index.json, or those that are called so. Errors: NoLayout, NoSuchImage, BadDocument."""
    from rearch.oci.layout_errors import NoSuchImage
    from rearch.oci.layout_read import read_top, ref_names
    from rearch.registry.describe_sources import LayoutSource

    entries = read_top(target.layout).manifests
    chosen = [entry for entry in entries if not target.ref or target.ref in ref_names(entry)]
    if not chosen:
        raise NoSuchImage(target.layout, target.ref, sorted({each for entry in entries for each in ref_names(entry)}))
    return tuple(LayoutSource(target.layout, entry, _called(name, entry)) for entry in chosen)


def _called(name: str, entry: Descriptor) -> str:
    from rearch.oci.layout_read import ref_names

    names = ref_names(entry)
    return f"{name}:{names[0]}" if names else f"{name}@{entry.digest}"
