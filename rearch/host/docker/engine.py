"""A Docker engine through the SDK: everything but the build itself, which BuildKit's own client does better.

The SDK's traps that are minded here: a failed load is a line `errorDetail` in an answer of status 200; an answer is a
stream, whose connection can break in the middle; an image's id is the digest of its config with one image
store and of its manifest with the other, so that images are named by tags of ours.
"""

from __future__ import annotations

import socket as sockets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from msgspec import Struct

from rearch.host.building.emulation import Runner
from rearch.host.docker.endpoint import Endpoint
from rearch.host.docker.errors import (
    EngineDropped,
    EngineFailed,
    EngineRefused,
    EngineUnreachable,
    NoEngine,
)
from rearch.host.docker.tunnel import tunnelled
from rearch.host.process import Processes
from rearch.model.platform import Platform

if TYPE_CHECKING:
    from docker import APIClient

PIECE = 1 << 20
SILENCE = 600  # seconds without an answer: a load is unpacked before it is answered


class EngineFacts(Struct, frozen=True, kw_only=True):
    """What the engine says of itself. `bridge`: whether containers have a network of their own."""

    version: str
    runner: Runner
    bridge: bool

    @property
    def platform(self) -> Platform | None:
        """The engine's own platform; None for a machine that rearch has no word for."""
        return self.runner.platform


class Engine:
    """An engine that answers. Made by `connected`. `name` is its address for people; `endpoint` is what a client has
    to be told, which is a socket of this host when the engine is reached through ssh."""

    def __init__(self, api: APIClient, name: str, endpoint: Endpoint) -> None:
        self._api = api
        self.name = name
        self.endpoint = endpoint
        with asked("say what it is"):
            self.facts = _facts(api.info(), api.networks(names=["bridge"]))

    @property
    def api(self) -> APIClient:
        """The SDK's client, for the modules beside this one."""
        return self._api

    def load(self, archive: Path) -> tuple[str, ...]:
        """Load a docker archive. Returns what the engine says it has loaded: names, or ids of images without one.

        Errors: EngineFailed, EngineDropped.
        """
        with archive.open("rb") as data, asked(f"load {archive.name}"):
            return _loaded(self._api.load_image(_pieces(data)), archive.name)

    def tag(self, image: str, name: str) -> None:
        """Give an image a further name, `repository:tag`. Errors: EngineFailed, EngineDropped."""
        repository, _, tag = name.rpartition(":")
        with asked(f"name {image} {name}"):
            self._api.tag(image, repository, tag)

    def has(self, name: str) -> bool:
        """Whether there is an image of that name. Errors: EngineFailed, EngineDropped."""
        from docker.errors import ImageNotFound

        with asked(f"look for {name}"):
            try:
                self._api.inspect_image(name)
            except ImageNotFound:
                return False
        return True

    def remove(self, name: str) -> None:
        """Take a name away, and the image when it was the last one; none of that name is fine.

        Errors: EngineFailed, EngineDropped.
        """
        from docker.errors import ImageNotFound

        with asked(f"remove {name}"):
            try:
                self._api.remove_image(name, force=True)
            except ImageNotFound:
                return

    def save(self, name: str, into: Path) -> int:
        """Write the image as a docker archive into a file; the number of bytes. Errors: EngineFailed, EngineDropped."""
        size = 0
        with asked(f"save {name}"), into.open("wb") as file:
            for piece in self._api.get_image(name, chunk_size=PIECE):
                size += file.write(piece)
        return size


@contextmanager
def connected(endpoint: Endpoint, processes: Processes, environment: Mapping[str, str]) -> Iterator[Engine]:
    """The engine of that endpoint, for as long as the block lasts.

    Errors: NoEngine, EngineRefused (on this host), EngineUnreachable (another one), EngineFailed.
    """
    import docker
    from docker.errors import DockerException
    from requests.exceptions import RequestException

    with tunnelled(endpoint, processes, environment) as near:
        _probe(near)
        try:
            api = docker.APIClient(base_url=near.url, version="auto", timeout=SILENCE, tls=_tls(near))
        except (DockerException, RequestException, OSError) as error:
            raise _silent(endpoint, str(error)) from None
        try:
            yield Engine(api, endpoint.url, near)
        finally:
            api.close()


def _probe(endpoint: Endpoint) -> None:
    """Open the socket of this host once: the SDK's error would not say why it cannot be opened."""
    if endpoint.scheme != "unix":
        return
    with sockets.socket(sockets.AF_UNIX) as socket:
        try:
            socket.settimeout(10.0)
            socket.connect(str(endpoint.socket))
        except PermissionError:
            raise EngineRefused(endpoint.url, endpoint.where) from None
        except OSError as error:
            raise NoEngine(endpoint.url, endpoint.where, (error.strerror or str(error)).lower()) from None


def _silent(endpoint: Endpoint, said: str) -> EngineUnreachable | EngineFailed:
    """A socket of this host that opens and then talks nonsense is no matter of waiting."""
    if endpoint.scheme == "unix":
        return EngineFailed(f"answer at {endpoint.url}", said)
    return EngineUnreachable(endpoint.url, endpoint.where, (said,))


def _tls(endpoint: Endpoint) -> Any:
    """The SDK's idea of certificates; False for none."""
    folder = endpoint.certificates
    if folder is None:
        return False
    from docker.tls import TLSConfig

    pair = (str(folder / "cert.pem"), str(folder / "key.pem")) if (folder / "cert.pem").is_file() else None
    authority = str(folder / "ca.pem") if (folder / "ca.pem").is_file() else None
    return TLSConfig(client_cert=pair, ca_cert=authority, verify=endpoint.verify)


@contextmanager
def asked(doing: str) -> Iterator[None]:
    """The SDK's errors as ours. `doing`: what the engine is to do, in words that follow `to`."""
    from docker.errors import APIError, DockerException
    from requests.exceptions import RequestException

    try:
        yield
    except APIError as error:
        raise EngineFailed(doing, error.explanation or str(error)) from None
    except DockerException as error:
        raise EngineFailed(doing, str(error)) from None
    except RequestException as error:
        raise EngineDropped(doing, str(error)) from None


def _facts(info: Mapping[str, Any], networks: list[Mapping[str, Any]]) -> EngineFacts:
    return EngineFacts(
        version=str(info.get("ServerVersion", "")),
        runner=Runner(
            machine=str(info.get("Architecture", "")),
            kernel=str(info.get("KernelVersion", "")),
            system=str(info.get("OSType", "linux")),
        ),
        bridge=any(network.get("Name") == "bridge" for network in networks),
    )


def _loaded(answer: Any, what: str) -> tuple[str, ...]:
    """Read the answer to its end: it says what was loaded, or why not."""
    names = []
    for line in answer:
        if "errorDetail" in line or "error" in line:
            detail = line.get("errorDetail") or {}
            raise EngineFailed(f"load {what}", str(detail.get("message") or line.get("error")))
        word, found, name = str(line.get("stream", "")).partition(": ")
        if found and word in ("Loaded image", "Loaded image ID"):
            names.append(name.strip())
    return tuple(names)


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    while piece := file.read(PIECE):
        yield piece
