"""`audit` and `validate`, and what a build does with finished images: `--load`, `--output docker-archive`."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from rearch.app.request import Request
from rearch.app.targets import NoSuchTarget, Target, archive_layout, image_names, is_reference, local_target
from rearch.app.wiring import Adapters
from rearch.engine.images import FOLDER, BuiltIndex, place_of
from rearch.errors import RearchError
from rearch.model.frozen import NOTHING
from rearch.model.platform import Platform, parse_platform
from rearch.report import Reporter, Said

if TYPE_CHECKING:
    from rearch.oci.audit_report import AuditReport
    from rearch.oci.validate_faults import Fault

ARCHIVES = "archives"
DOCKER_ARCHIVE = "docker-archive"


def audit_target(request: Request, name: str, report: Reporter) -> tuple[AuditReport, ...]:
    """Audit a layout, an archive on disk, an image of output/ (`repository[:tag]`), or a registry's.

    Errors: NoSuchTarget; those of the audit.
    """
    from rearch.oci.audit import audit_layout

    adapters = _adapters(request, report)
    with _opened(name, request, adapters) as target:
        return audit_layout(
            target.layout,
            ref=target.ref,
            platforms=request.platforms or (),
            allowed=_allowed(target.repository, request) if target.repository else NOTHING,
            cache=adapters.cache / "audit",
            name=name,
        )


def validate_target(request: Request, name: str, report: Reporter) -> tuple[Fault, ...]:
    """Every fault of a layout or an image of output/. Errors: NoSuchTarget."""
    from rearch.oci.validate import validate

    adapters = _adapters(request, report)
    found = local_target(name, adapters.output)
    if found is None:
        raise NoSuchTarget(name, image_names(adapters.output))
    return validate(found.layout)


def _adapters(request: Request, report: Reporter) -> Adapters:
    from rearch.config.settings import settings_origins

    settings, _ = settings_origins(request.project, environment=request.environment, flags=request.flags)
    return Adapters(request, settings, report)


@contextmanager
def _opened(name: str, request: Request, adapters: Adapters) -> Iterator[Target]:
    local = local_target(name, adapters.output)
    if local is not None:
        yield local
        return
    with tempfile.TemporaryDirectory(prefix="rearch-") as folder:
        path = Path(name)
        if path.is_file():
            yield Target(layout=archive_layout(path, request.platforms, Path(folder)))
        elif is_reference(name):
            yield Target(layout=_pulled(name, request, adapters, Path(folder)))
        else:
            raise NoSuchTarget(name, image_names(adapters.output))


def _allowed(repository: str, request: Request) -> Mapping[str, str]:
    """What the recipe of this image lets pass; nothing where no recipe makes it any more."""
    from rearch.app.prepare import load

    components = (component for stack in load(request).stacks for component in stack.components)
    images = (recipe.image for component in components for recipe in component.recipes.values())
    return {
        item.path: item.reason
        for image in images
        if image is not None and image.repository == repository
        for item in image.audit
    }


def _pulled(name: str, request: Request, adapters: Adapters, folder: Path) -> Path:
    """The images of a reference, for the platforms that were asked for, else for all that it has."""
    from rearch.app.pulling import pull_images

    return pull_images(name, request, adapters, folder)


class Delivered(Struct, frozen=True, kw_only=True):
    """What `--load` and `--output docker-archive` did: names and files for stdout, and what went wrong."""

    answers: tuple[str, ...] = ()
    errors: tuple[RearchError, ...] = ()


def deliver(indexes: Sequence[BuiltIndex], request: Request, adapters: Adapters, report: Reporter) -> Delivered:
    """Hand finished images on. What was built stays built, whatever fails here."""
    answers: list[str] = []
    try:
        if request.export == DOCKER_ARCHIVE:
            answers += _write_archives(indexes, adapters)
        if request.load:
            answers += _load(indexes, adapters, report)
    except RearchError as error:
        return Delivered(answers=tuple(answers), errors=(error,))
    return Delivered(answers=tuple(answers))


def _write_archives(indexes: Sequence[BuiltIndex], adapters: Adapters) -> tuple[str, ...]:
    """output/archives/<repository>_<tag>_<platform>.tar, one for each platform: `docker load` takes one at a time."""
    from rearch.oci.docker_archive import write_docker_archive
    from rearch.oci.layout import read_image

    written = []
    for index in indexes:
        layout = place_of(adapters.output, index.repository)
        for platform in map(parse_platform, index.result.facts["platforms"]):
            name = f"{index.name.replace('/', '_').replace(':', '_')}_{platform.slug}.tar"
            path = adapters.output / ARCHIVES / name
            path.parent.mkdir(parents=True, exist_ok=True)
            image = read_image(layout, ref=str(index.result.facts["tag"]), platform=platform)
            write_docker_archive(layout, image, [index.name], path)
            written.append(str(path))
    return tuple(written)


def _load(indexes: Sequence[BuiltIndex], adapters: Adapters, report: Reporter) -> tuple[str, ...]:
    from rearch.host.docker.load import load_images

    names: list[str] = []
    for index in indexes:
        platforms: list[Platform] = [parse_platform(name) for name in index.result.facts["platforms"]]
        with tempfile.TemporaryDirectory(prefix="rearch-") as scratch:
            loaded = load_images(
                place_of(adapters.output, index.repository),
                str(index.result.facts["tag"]),
                index.name,
                platforms,
                environment=adapters.environment,
                processes=adapters.processes,
                scratch=Path(scratch),
                say=lambda text: report(Said(text=text)),
            )
        names += [name for image in loaded for name in image.names]
    return tuple(names)


def lost_platforms(indexes: Sequence[BuiltIndex], before: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """What an index in output/ had that the new one under its name lacks: a build makes what it is asked for."""
    platforms = {entry["path"]: _platforms(entry) for entry in before}
    texts = []
    for index in indexes:
        had = platforms.get(f"{FOLDER}/{index.repository}", ())
        lost = [platform for platform in had if platform not in index.result.facts["platforms"]]
        if lost:
            more = ", ".join(lost)
            texts.append(
                f"{index.name} in output/ had {more} too, which this build was not asked for: it is without now"
            )
    return tuple(texts)


def _platforms(entry: Mapping[str, Any]) -> tuple[str, ...]:
    """Of an entry of build.json, which anybody may have written."""
    found = entry.get("platforms")
    listed = found if isinstance(found, list) else []
    return tuple(str(one["platform"]) for one in listed if isinstance(one, dict) and "platform" in one)
