"""What can be wrong with a Docker engine or its client, in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rearch.errors import StepError, TemporaryError, UsageError

if TYPE_CHECKING:
    from rearch.host.docker.client import Client

EMBEDDED = "or use `builder: embedded`, which needs no engine"
# What needs an engine is an image's builder or a volume, and who meets the error knows which of them it is.
WITHOUT = "without an engine: `builder: embedded` for images, `--to FOLDER` for volumes"


class BadEngine(UsageError):
    """An engine's address that cannot be used. `where` says who gave it."""

    def __init__(self, text: str, where: str, reason: str) -> None:
        self.text = text
        self.where = where
        super().__init__(
            f"{where}: {text!r} is no address of a Docker engine: {reason}",
            hint="write unix:///path/docker.sock, tcp://host:2376 or ssh://user@host",
        )


class UnknownContext(UsageError):
    """A docker context that is not there. `where` says who named it."""

    def __init__(self, name: str, where: str) -> None:
        self.name = name
        self.where = where
        super().__init__(f"{where} names the docker context {name!r}, which is not there", hint="`docker context ls`")


class NoEngine(StepError):
    """Nobody listens where the engine should be on this host."""

    def __init__(self, url: str, where: str, reason: str) -> None:
        self.url = url
        self.reason = reason
        super().__init__(
            f"no Docker engine at {url} ({where}): {reason}",
            hint="start it (`systemctl start docker`; not installed: `apt-get install docker.io`), or set DOCKER_HOST; "
            + WITHOUT,
        )


class EngineRefused(StepError):
    """The engine's socket is there and this user may not open it."""

    def __init__(self, url: str, where: str) -> None:
        self.url = url
        super().__init__(
            f"permission denied on the Docker engine's socket {url} ({where})",
            hint=f"`sudo usermod -aG docker $USER` and log in again (that group is as good as root); {WITHOUT}",
        )


class EngineUnreachable(TemporaryError):
    """An engine on another host does not answer."""

    def __init__(self, url: str, where: str, details: Sequence[str] = ()) -> None:
        self.url = url
        ssh = "is the host up, and Docker there? `ssh HOST docker info` must work without a question"
        other = "is the host up, and Docker there? DOCKER_HOST and `builders:` say where engines are"
        super().__init__(
            f"the Docker engine at {url} ({where}) does not answer",
            details,
            hint=ssh if url.startswith("ssh:") else other,
        )


class EngineFailed(StepError):
    """The engine said no. `doing` is what it was asked, `said` its own words."""

    def __init__(self, doing: str, said: str) -> None:
        self.doing = doing
        self.said = said
        super().__init__(f"the Docker engine failed to {doing}", said.strip().splitlines() or ("it gave no reason",))


class EngineDropped(TemporaryError):
    """The connection to the engine broke in the middle."""

    def __init__(self, doing: str, said: str) -> None:
        self.doing = doing
        self.said = said
        super().__init__(f"the connection to the Docker engine broke while it was to {doing}", (said,))


class NoBuildClient(StepError):
    """None of the `docker` programs on PATH can run a build with BuildKit."""

    def __init__(self, clients: Sequence[Client]) -> None:
        self.clients = tuple(clients)
        found = [f"{client.path}: version {client.version or 'unknown'}, without buildx" for client in clients]
        super().__init__(
            "no docker client here can build with BuildKit" if found else "there is no docker client on PATH",
            found,
            f"`apt-get install docker-buildx` (Debian 12: `docker.io`, whose client 20.10 needs none), {EMBEDDED}",
        )
