"""Images of a registry -> a layout in a folder, to be looked at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rearch.app.request import Request
from rearch.app.wiring import Adapters
from rearch.model.command import Command, Completed
from rearch.model.platform import Platform, parse_platform
from rearch.model.reference import parse_reference
from rearch.model.step_images import RegistryOrigin
from rearch.oci.layout import blob_path
from rearch.oci.types import REF_NAME, Descriptor, Manifest, PlatformObject, descriptor_of, read_document
from rearch.steps.ports import Workspace


def pull_images(name: str, request: Request, adapters: Adapters, folder: Path) -> Path:
    """The images of a reference, for the platforms that were asked for, else for all, as a layout below `folder`.

    Errors: those of BaseResolver and RegistryPuller; BaseWithoutPlatform.
    """
    from rearch.oci.layout import start_layout, write_index_json
    from rearch.planning.bases import manifest_for
    from rearch.registry.pull import RegistryPuller

    pinned = adapters.bases.resolve(name)
    platforms: Sequence[Platform] = request.platforms or [parse_platform(each) for each in pinned.platforms]
    layout, work = folder / "layout", _workspace(folder, adapters)
    start_layout(layout)
    puller = RegistryPuller(adapters.registry, adapters.cache)
    digests = {platform: manifest_for(pinned, platform) for platform in platforms}
    for platform, digest in digests.items():
        puller.pull(RegistryOrigin(reference=name, digest=digest), platform, layout, work)
    called = parse_reference(name).name
    write_index_json(layout, [_named(layout, digest, platform, called) for platform, digest in digests.items()])
    return layout


def _named(layout: Path, digest: str, platform: Platform, called: str) -> Descriptor:
    data = blob_path(layout, digest).read_bytes()
    media_type = read_document(Manifest, data, called).media_type
    return descriptor_of(
        media_type, data, platform=PlatformObject.of(platform), annotations={REF_NAME: f"{called} {platform}"}
    )


def _workspace(folder: Path, adapters: Adapters) -> Workspace:
    """As a step has one: pulling is the same work."""

    def run(command: Command) -> Completed:
        return adapters.processes.run(command)

    return Workspace(
        files=folder,
        scratch=folder,
        caches=adapters.cache,
        project=adapters.project,
        needs={},
        run=run,
        say=adapters.say,
        progress=lambda _label, _done, _total, _unit: None,
        limits=adapters.settings.limits.values,
    )
