"""Puts finished images into an engine (`--load`), so that `docker run` finds them.

An engine's classic store keeps one platform under a name. So the image of the engine's own platform, or the only one,
gets the name itself; when there are several, each gets the name with its architecture behind the tag, too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from rearch.host.docker.endpoint import find_endpoint
from rearch.host.docker.engine import connected
from rearch.host.process import Processes
from rearch.model.platform import Platform
from rearch.oci.docker_archive import write_docker_archive
from rearch.oci.layout import read_image


class LoadedImage(Struct, frozen=True, kw_only=True):
    """An image in the engine, under its names (`repository:tag`), the shortest first."""

    platform: Platform
    names: tuple[str, ...]


def load_images(
    layout: Path,
    ref: str,
    name: str,
    platforms: Sequence[Platform],
    *,
    engine: str = "",
    environment: Mapping[str, str],
    processes: Processes,
    scratch: Path,
    say: Callable[[str], None],
) -> tuple[LoadedImage, ...]:
    """Load the images called `ref` in the layout, for these platforms, into the engine (empty: the environment's).

    `name` is `repository:tag`. `scratch` is a folder for one image's archive at a time.

    Errors: those of read_image (before anything is loaded); BadEngine, UnknownContext, NoEngine, EngineRefused,
    EngineUnreachable, EngineFailed, EngineDropped.
    """
    images = {platform: read_image(layout, ref=ref, platform=platform) for platform in platforms}
    loaded = []
    with connected(find_endpoint(engine, environment), processes, environment) as there:
        named = names_of(name, tuple(images), there.facts.platform)
        for platform, image in images.items():
            archive = scratch / f"{platform.slug}.tar"
            try:
                write_docker_archive(layout, image, named[platform], archive)
                there.load(archive)
            finally:
                archive.unlink(missing_ok=True)
            say(f"loaded {', '.join(named[platform])} ({platform}) into the Docker engine at {there.name}")
            loaded.append(LoadedImage(platform=platform, names=named[platform]))
    return tuple(loaded)


def names_of(name: str, platforms: Sequence[Platform], engine: Platform | None) -> Mapping[Platform, tuple[str, ...]]:
    """What the image of each platform is called in an engine of that platform."""
    if len(platforms) == 1:
        return {platforms[0]: (name,)}
    return {
        platform: (*((name,) if platform == engine else ()), f"{name}-{platform.arch_name.replace('/', '')}")
        for platform in platforms
    }
