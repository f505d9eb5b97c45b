"""Containers that are run to their end, and what they said: for rehearsals. Everything made here can be taken away."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from rearch.host.docker.endpoint import Endpoint
from rearch.host.docker.engine import SILENCE, EngineFacts, asked, connected
from rearch.host.docker.errors import EngineFailed
from rearch.host.process import Processes
from rearch.model.frozen import NOTHING
from rearch.model.platform import Platform, UnknownPlatform, parse_platform

if TYPE_CHECKING:
    from docker import APIClient

LABEL = "io.github.rearch.rehearsal"


class Pulled(Struct, frozen=True, kw_only=True):
    """An image as the engine has it after a pull: its id, its platform as its config says, the name that was asked."""

    id: str
    name: str
    platform: Platform | None


class Job(Struct, frozen=True, kw_only=True):
    """One container. `image` is an id, so that no other platform's image of the same name can slip in. `mounts`:
    volume or folder -> path in the container. It has the host's network."""

    image: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = NOTHING
    mounts: Mapping[str, str] = NOTHING
    platform: Platform
    timeout: float = 120.0


class Said(Struct, frozen=True, kw_only=True):
    """How a container ended: its exit code (None: stopped at its time limit) and all that it printed."""

    code: int | None
    text: str

    @property
    def lines(self) -> tuple[str, ...]:
        return tuple(self.text.splitlines())


class Containers:
    """Pulls and runs on one engine. Made by `containers`. `owner` is written on everything as a label."""

    def __init__(self, api: APIClient, facts: EngineFacts, owner: str) -> None:
        self._api = api
        self.facts = facts
        self._owner = owner
        self._images: dict[str, None] = {}

    def pull(self, name: str, platform: Platform) -> Pulled:
        """Fetch the image of that platform under that name, which then means this image. Errors: EngineFailed, ..."""
        with asked(f"pull {name} for {platform}"):
            for line in self._api.pull(name, platform=str(platform), stream=True, decode=True):
                if "error" in line:
                    raise EngineFailed(f"pull {name} for {platform}", str(line["error"]))
            found: Mapping[str, Any] = self._api.inspect_image(name)
        self._images |= {name: None, str(found["Id"]): None}
        return Pulled(id=str(found["Id"]), name=name, platform=_platform_of(found))

    def run(self, job: Job) -> Said:
        """Create, start, wait, read what it said, remove. Errors: EngineFailed, EngineDropped."""
        with asked(f"run {' '.join(job.argv[:2])} in {job.image[:19]} ({job.platform})"):
            made: str = self._api.create_container(
                image=job.image,
                command=list(job.argv),
                environment=dict(job.env),
                entrypoint=[],
                labels={LABEL: self._owner},
                platform=str(job.platform),
                host_config=self._api.create_host_config(
                    network_mode="host",
                    binds={source: {"bind": target, "mode": "rw"} for source, target in job.mounts.items()},
                ),
            )["Id"]
            try:
                return self._to_its_end(made, job)
            finally:
                self._api.remove_container(made, force=True, v=True)

    def _to_its_end(self, container: str, job: Job) -> Said:
        from requests.exceptions import ConnectionError as Broken
        from requests.exceptions import ReadTimeout

        self._api.start(container)
        code: int | None
        try:
            code = int(self._api.wait(container, timeout=job.timeout)["StatusCode"])
        except (ReadTimeout, Broken):  # the SDK words the same time-out in either way
            self._api.kill(container)
            code = None
        return Said(code=code, text=self._api.logs(container).decode("utf-8", "replace"))

    def remove_volume(self, name: str) -> None:
        """Take a volume away; none of that name is fine. Errors: EngineFailed, EngineDropped."""
        from docker.errors import NotFound

        with asked(f"remove the volume {name}"):
            try:
                self._api.remove_volume(name, force=True)
            except NotFound:
                return

    def leftovers(self, *volumes: str) -> tuple[str, ...]:
        """What is still there of what was made here (containers by id, images by name) and of these volumes.

        Errors: EngineFailed, EngineDropped.
        """
        with asked("list what is left"):
            mine = self._api.containers(all=True, quiet=True, filters={"label": f"{LABEL}={self._owner}"})
            images = self._api.images(all=True)
            there = {str(one["Name"]) for one in self._api.volumes()["Volumes"] or ()}
        names = {name for image in images for name in (str(image["Id"]), *(image.get("RepoTags") or ()))}
        left = (*(image for image in self._images if image in names), *(name for name in volumes if name in there))
        return (*(str(one["Id"])[:12] for one in mine), *left)

    def clean(self) -> None:
        """Remove every container and image that was made or pulled here. Errors: EngineFailed, EngineDropped."""
        from docker.errors import ImageNotFound

        with asked("remove what the rehearsal made"):
            for one in self._api.containers(all=True, quiet=True, filters={"label": f"{LABEL}={self._owner}"}):
                self._api.remove_container(one["Id"], force=True, v=True)
            for image in self._images:
                try:
                    self._api.remove_image(image, force=True)
                except ImageNotFound:  # its last name went just before
                    continue


@contextmanager
def containers(
    endpoint: Endpoint, owner: str, processes: Processes, environment: Mapping[str, str]
) -> Iterator[Containers]:
    """Containers on that engine, for as long as the block lasts. Errors: those of `connected`."""
    import docker

    with connected(endpoint, processes, environment) as engine:
        api = docker.APIClient(base_url=engine.endpoint.url, version="auto", timeout=SILENCE)
        try:
            yield Containers(api, engine.facts, owner)
        finally:
            api.close()


def _platform_of(found: Mapping[str, Any]) -> Platform | None:
    words = [str(found.get(key) or "") for key in ("Os", "Architecture", "Variant")]
    try:
        return parse_platform("/".join(word for word in words if word))
    except UnknownPlatform:
        return None
