"""`audit` and `validate`, and what a build does with finished images: `--load`, `--output docker-archive`."""

from __future__ import annotations

import difflib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rearch.app.request import Request
from rearch.app.wiring import Adapters
from rearch.engine.images import BuiltIndex, place_of
from rearch.errors import RearchError, UsageError
from rearch.model.base import NOTHING
from rearch.model.platform import PLATFORMS, Platform, parse_platform
from rearch.report import Reporter, Said

if TYPE_CHECKING:
    from rearch.oci.audit_report import AuditReport
    from rearch.oci.validate_faults import Fault

ARCHIVES = "archives"
DOCKER_ARCHIVE = "docker-archive"


class NoSuchTarget(UsageError):
    """What was named is neither a layout, an archive, an image of output/ nor a reference."""

    def __init__(self, target: str, images: Sequence[str]) -> None:
        self.target = target
        near = difflib.get_close_matches(target, images, n=1)
        known = f"output/images has {', '.join(images)}" if images else "output/images holds no image"
        super().__init__(
            f"there is no layout, archive or image {target}",
            (known,),
            hint=f"did you mean {near[0]}?"
            if near
            else "name a folder, a file, an image of output/images, or a reference",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A layout to look at. `ref`: one name in it, empty for all. `allowed`: what the recipe of that image allows."""

    layout: Path
    ref: str = ""
    allowed: Mapping[str, str] = NOTHING


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
            allowed=target.allowed,
            cache=adapters.cache / "audit",
        )


def validate_target(request: Request, name: str, report: Reporter) -> tuple[Fault, ...]:
    """Every fault of a layout or an image of output/. Errors: NoSuchTarget."""
    from rearch.oci.validate import validate

    adapters = _adapters(request, report)
    found = _local(name, request, adapters)
    if found is None:
        raise NoSuchTarget(name, _images(adapters))
    return validate(found.layout)


def _adapters(request: Request, report: Reporter) -> Adapters:
    from rearch.config.settings import settings_origins

    settings, _ = settings_origins(request.project, environment=request.environment, flags=request.flags)
    return Adapters(request, settings, report)


@contextmanager
def _opened(name: str, request: Request, adapters: Adapters) -> Iterator[Target]:
    local = _local(name, request, adapters)
    if local is not None:
        yield local
        return
    with tempfile.TemporaryDirectory(prefix="rearch-") as folder:
        path = Path(name)
        if path.is_file():
            yield Target(layout=_archive(path, request, Path(folder)))
        elif _is_reference(name):
            yield Target(layout=_pulled(name, request, adapters, Path(folder)))
        else:
            raise NoSuchTarget(name, _images(adapters))


def _local(name: str, request: Request, adapters: Adapters) -> Target | None:
    if (Path(name) / "index.json").is_file():
        return Target(layout=Path(name))
    repository, _, tag = name.partition(":")
    layout = place_of(adapters.output, repository)
    if repository and (layout / "index.json").is_file():
        return Target(layout=layout, ref=tag, allowed=_allowed(repository, request))
    return None


def _images(adapters: Adapters) -> tuple[str, ...]:
    root = place_of(adapters.output, "")
    return tuple(sorted(str(path.parent.relative_to(root)) for path in root.rglob("index.json")))


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


def _archive(path: Path, request: Request, folder: Path) -> Path:
    """Each platform that was asked for, else the only one, as a layout."""
    from rearch.oci.disk_image import load_disk_image
    from rearch.oci.layout import start_layout, write_index_json
    from rearch.oci.layout_errors import NoSuchPlatform

    layout, images, missed = folder / "layout", [], None
    start_layout(layout)
    for platform in request.platforms or PLATFORMS:
        try:
            images.append(load_disk_image(path, "archive", "", platform, layout).descriptor)
        except NoSuchPlatform as error:
            if request.platforms:
                raise
            missed = error
    if not images and missed is not None:
        raise missed
    write_index_json(layout, images)
    return layout


def _is_reference(name: str) -> bool:
    """A registry is asked only for what names one: `debian:bookworm` may be a misspelt image of output/."""
    head, slash, _ = name.partition("/")
    return bool(slash) and ("." in head or ":" in head or head == "localhost")


def _pulled(name: str, request: Request, adapters: Adapters, folder: Path) -> Path:
    """The images of a reference, for the platforms that were asked for, else for all that it has."""
    from rearch.app.pulling import pull_images

    return pull_images(name, request, adapters, folder)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
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
