"""doctor's look at Docker: the client, the engine behind it, and buildx."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

from rearch.host.doctor import Finding, Surroundings
from rearch.host.doctor_tools import ask

FOR = "images from Dockerfiles; binaries need no Docker"


def docker(where: Surroundings) -> Iterator[Finding]:
    """Nothing that rearch builds today needs it; `engine` asks through the client, so contexts count."""
    client = ask(where, "docker", "--version")
    yield Finding(name="docker", found=client, needed_for=FOR, get="" if client else "apt-get install docker.io")
    if shutil.which("docker", path=where.path) is None:
        return
    engine = ask(where, "docker", "version", "--format", "{{.Server.Version}} ({{.Server.Os}}/{{.Server.Arch}})")
    yield Finding(
        name="docker engine", found=engine, needed_for=FOR, get="" if engine else "start it, or set DOCKER_HOST"
    )
    buildx = ask(where, "docker", "buildx", "version")
    yield Finding(
        name="docker buildx",
        found=buildx,
        needed_for="Dockerfiles that need BuildKit",
        get="" if buildx else "apt-get install docker-buildx",
    )
