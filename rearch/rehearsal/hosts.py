"""A host of the story: a container of the agent's image that registers, and runs what the server hands it."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from msgspec import Struct

from rearch.host.docker.running import Containers, Job, Said
from rearch.model.frozen import FrozenDict
from rearch.model.platform import Platform
from rearch.rehearsal.findings import NotAsExpected
from rearch.rehearsal.upstreams import VERSION

_TAIL = 12


class Started(Struct, frozen=True, kw_only=True):
    """How a host's start went. `image` is the id of what it pulled under the one name."""

    platform: Platform
    image: str
    said: Said


def start_host(containers: Containers, image: str, url: str, platform: Platform) -> Started:
    """Pull the image by its name, as a host of that platform does, and run it with the registration URL.

    Errors: those of the engine; NotAsExpected when the engine got an image of another platform.
    """
    pulled = containers.pull(image, platform)
    if pulled.platform != platform:
        raise NotAsExpected(f"{image} is for {platform}", (f"the engine says {pulled.platform}",))
    name = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{url} {platform}"))
    job = Job(
        image=pulled.id,
        argv=("/run.sh", url),
        env=FrozenDict({"CATTLE_PHYSICAL_HOST_UUID": name}),
        platform=platform,
    )
    return Started(platform=platform, image=pulled.id, said=containers.run(job))


def first_line(platform: Platform) -> str:
    """What the agent of that platform says first; the compiler put the architecture in."""
    return f"rancher-agent {platform.arch.goarch} {VERSION}"


def check_started(started: Started) -> str:
    """The agent's first line, where the host runs its own. Errors: NotAsExpected."""
    wanted = first_line(started.platform)
    agents = _agents(started.said.lines)
    if started.said.code != 0 or agents != (wanted,):
        raise NotAsExpected(f"the agent's first line is {wanted!r}, exit code 0", _seen(started.said))
    return wanted


def check_refused(started: Started) -> str:
    """What the host said of an agent that is for another machine. Errors: NotAsExpected when an agent started."""
    told = [line for line in started.said.lines if _tells_refusal(line)]
    applied = any("applied" in line for line in started.said.lines)
    if _agents(started.said.lines) or started.said.code in (0, None) or not told or not applied:
        wanted = "the archive arrives whole and is applied, and the kernel refuses the agent"
        raise NotAsExpected(wanted, _seen(started.said))
    return told[-1]


def _tells_refusal(line: str) -> bool:
    """execve's ENOENT for a missing loader, or ENOEXEC, in the shell's words (dash, bash)."""
    text = line.lower()
    words = ("not found", "no such file", "exec format error", "cannot execute")
    return "agent" in text and any(word in text for word in words)


def _agents(lines: Sequence[str]) -> tuple[str, ...]:
    return tuple(line for line in lines if line.startswith("rancher-agent "))


def _seen(said: Said) -> tuple[str, ...]:
    how = "stopped at its time limit" if said.code is None else f"exit code {said.code}"
    return (*said.lines[-_TAIL:], how)
