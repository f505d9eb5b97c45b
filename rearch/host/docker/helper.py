"""The container through which a volume is reached: made of an empty image of ours, never started, always removed.

Both carry the engine's time in their names. So what a run that was killed outright has left is known by its age, and
the next run removes it; the engine's clock is the only one that counts.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import secrets
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any

from rearch.errors import RearchError
from rearch.host.docker.engine import Engine, asked
from rearch.host.docker.errors import EngineFailed
from rearch.volumes.errors import VolumeBusy

LABEL = "io.github.rearch.volume"
NAME = "rearch-volume"
TOP = "/volume"
STALE = 3600  # seconds after which nobody fills a volume any more


class Helpers:
    """Makes helper containers on an engine, one image for all of them. As a context: the image goes at the end."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._mark = ""

    def __enter__(self) -> Helpers:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_error: object) -> None:
        with _quietly(kind is not None):
            if self._mark:
                self.engine.remove(f"{NAME}:{self._mark}")

    @contextmanager
    def container(self, volume: str, *, write: bool) -> Iterator[str]:
        """The name of a container with the volume at TOP; without `write` it is mounted read-only.

        Errors: VolumeBusy; EngineFailed, EngineDropped.
        """
        self._load()
        name = f"{NAME}-{self._mark}-{secrets.token_hex(3)}"
        failed = True
        try:
            _make(self.engine, name, f"{NAME}:{self._mark}", volume, write=write)
            if write:
                _alone(self.engine, name, volume)
            yield name
            failed = False
        finally:
            with _quietly(failed):
                _remove(self.engine, name)

    def _load(self) -> None:
        """Load the image, when the first container wants it, and remove what others have left behind."""
        if self._mark:
            return
        # Known before it is loaded: the tag is removed, too, when the loading is interrupted.
        self._mark = f"{_sweep(self.engine):010x}-{secrets.token_hex(6)}"
        platform = self.engine.facts.platform
        archive = empty_image(platform.oci_architecture if platform else "unknown", f"{NAME}:{self._mark}")
        with asked("load the empty image of the helper container"):
            for line in self.engine.api.load_image(archive):
                if "error" in line:
                    raise EngineFailed("load the empty image of the helper container", str(line["error"]))


@contextmanager
def _quietly(failed: bool) -> Iterator[None]:
    """What went wrong is told; that the engine, which may be why, cannot tidy up either is not."""
    try:
        yield
    except RearchError:
        if not failed:
            raise


def empty_image(architecture: str, tag: str) -> bytes:
    """An image of one folder, TOP, as `docker load` reads it (docker image specification v1.2, "Combined Image JSON +
    Filesystem Changeset Format")."""
    folder = tarfile.TarInfo(TOP.strip("/"))
    folder.type, folder.mode = tarfile.DIRTYPE, 0o755
    layer = _tar((folder, b""))
    rootfs = {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]}
    config = json.dumps({"architecture": architecture, "os": "linux", "config": {}, "rootfs": rootfs}).encode()
    name = f"{hashlib.sha256(config).hexdigest()}.json"
    manifest = json.dumps([{"Config": name, "RepoTags": [tag], "Layers": ["layer.tar"]}]).encode()
    return _tar(_file(name, config), _file("layer.tar", layer), _file("manifest.json", manifest))


def _file(name: str, data: bytes) -> tuple[tarfile.TarInfo, bytes]:
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    return entry, data


def _tar(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for entry, data in members:
            tar.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def _make(engine: Engine, name: str, image: str, volume: str, *, write: bool) -> None:
    from docker.types import Mount

    mount = Mount(TOP, volume, type="volume", read_only=not write, no_copy=True)
    with asked(f"make a helper container for the volume {volume}"):
        engine.api.create_container(
            image,
            command=["/never-started"],
            name=name,
            labels={LABEL: volume} if write else {},
            host_config=engine.api.create_host_config(mounts=[mount], network_mode="none"),
        )


def _alone(engine: Engine, own: str, volume: str) -> None:
    """Two who see each other both give way: better than one who writes between the other's lines."""
    with asked("list helper containers"):
        found: list[dict[str, Any]] = engine.api.containers(all=True, filters={"label": f"{LABEL}={volume}"})
    for name in sorted(_name(one) for one in found):
        if name != own:
            raise VolumeBusy(volume, name)


def _remove(engine: Engine, name: str) -> None:
    from docker.errors import NotFound

    with asked(f"remove the helper container {name}"), suppress(NotFound):
        engine.api.remove_container(name, force=True)


def _sweep(engine: Engine) -> int:
    """Remove what runs that were killed have left. Returns the engine's time, in seconds since 1970."""
    with asked("say what time it is"):
        now = int(datetime.fromisoformat(engine.api.info()["SystemTime"][:19] + "+00:00").timestamp())
        containers = [_name(one) for one in engine.api.containers(all=True, filters={"name": f"^/{NAME}-"})]
        tags = [tag for one in engine.api.images(name=NAME) for tag in one.get("RepoTags") or ()]
    for name in containers:
        if is_stale(name.removeprefix(f"{NAME}-"), now):
            _remove(engine, name)
    for tag in tags:
        if is_stale(tag.removeprefix(f"{NAME}:"), now):
            engine.remove(tag)
    return now


def is_stale(mark: str, now: int) -> bool:
    """Whether what bears the mark is so old that its maker must be gone. What is no mark of ours never is."""
    if not re.fullmatch(r"[0-9a-f]{10}-[0-9a-f-]+", mark):
        return False
    return int(mark[:10], 16) < now - STALE


def _name(container: dict[str, Any]) -> str:
    return str((container.get("Names") or [container["Id"]])[0]).removeprefix("/")
