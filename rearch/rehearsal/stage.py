"""What stands around the story: a registry, an engine, emulation. Each is opened by a step, and closed at the end."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from msgspec import Struct

from rearch.errors import UsageError
from rearch.host.binfmt import emulated
from rearch.host.docker.endpoint import Endpoint, find_endpoint
from rearch.host.docker.private import answers, private_engine
from rearch.host.docker.running import Containers, containers
from rearch.host.process import Processes
from rearch.host.registry_server import private_registry
from rearch.model.platform import Platform
from rearch.rehearsal.findings import Seen
from rearch.rehearsal.ports import Works


class RemoteEngine(UsageError):
    """An engine on another machine, whose containers do not reach the servers of the rehearsal."""

    def __init__(self, url: str) -> None:
        self.url = url
        super().__init__(
            f"{url} is no engine of this machine",
            ("its containers could not reach the registry and the server, which listen on the loopback",),
            hint="name one by its socket, unix:///path/docker.sock, or leave --engine out",
        )


class Stage(Struct, frozen=True, kw_only=True):
    """What the caller gives. `folder` is empty and short; `token` is put into every name that an engine may share;
    `engine` is an engine's URL, empty where none answers; `emulate` are the platforms that the machine does not run."""

    folder: Path
    token: str
    engine: str
    emulate: tuple[Platform, ...]
    environment: Mapping[str, str]
    processes: Processes
    works: Works
    keep: bool = False


class EngineHere(Struct, frozen=True, kw_only=True):
    """An engine that answers, and runs containers. `own` is what it runs without emulation."""

    url: str
    containers: Containers
    own: Platform | None


def engine_of(flag: str, environment: Mapping[str, str]) -> str:
    """The URL of the engine to use: the one that was named; else the environment's, if it is of this host and answers.

    Errors: RemoteEngine, BadEngine, UnknownContext.
    """
    endpoint = find_endpoint(flag, environment)
    if flag:
        if endpoint.scheme != "unix":
            raise RemoteEngine(flag)
        return endpoint.url
    return endpoint.url if _answers(endpoint) else ""


def _answers(endpoint: Endpoint) -> bool:
    return endpoint.scheme == "unix" and endpoint.socket is not None and answers(Path(endpoint.socket))


def open_registry(stage: Stage, stack: ExitStack) -> Seen[str]:
    """Start a registry; its host:port."""
    where = stack.enter_context(private_registry(stage.folder / "registry", stage.processes, stage.environment))
    return Seen(where, (f"docker-registry at {where}",))


def open_engine(stage: Stage, stack: ExitStack) -> Seen[EngineHere]:
    """Use the engine that answers, or start one. Its containers are removed at the end."""
    url, how = stage.engine, "was there"
    if not url:
        url = stack.enter_context(private_engine(stage.folder / "engine", stage.processes, stage.environment))
        how = "started for this, without a network of its own"
    endpoint = find_endpoint(url, stage.environment)
    there = stack.enter_context(containers(endpoint, stage.token, stage.processes, stage.environment))
    here = EngineHere(url=url, containers=there, own=there.facts.platform)
    if not stage.keep:
        stack.callback(there.clean)
    return Seen(here, (f"Docker {there.facts.version} at {url}, {here.own}: {how}",))


def open_emulation(stage: Stage, stack: ExitStack) -> Seen[None]:
    """Have the kernel run the programs of the other host."""
    lines = []
    for platform in stage.emulate:
        arranged = stack.enter_context(emulated(platform, stage.processes, stage.environment))
        how = "registered for this (binfmt_misc)" if arranged else "the kernel knew it already"
        lines.append(f"{platform}: qemu-{platform.arch.qemu}, {how}")
    return Seen(None, tuple(lines) or ("this machine runs both",))
