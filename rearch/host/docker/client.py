"""Which docker client runs the build, and the command that it is given.

Several programs of the name can be on PATH, and the first need not be able to build: a client of 23 or later without
the buildx plugin stops with "BuildKit is enabled but the buildx component is missing". So all are asked.
The facts are found by running them; the choice is made from the facts alone.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from msgspec import Struct

from rearch.host.docker.endpoint import Endpoint
from rearch.host.docker.errors import NoBuildClient
from rearch.host.process import CannotStart, ToolMissing
from rearch.model.command import Command, Completed
from rearch.model.platform import Platform

Ask = Callable[[Sequence[str]], str | None]

# The last client whose `docker build` talks to BuildKit by itself is 22 (23.0 hands over to buildx: its release notes).
FIRST_WITHOUT = 23
_PASSED = (
    "DOCKER_CONFIG",
    "HOME",
    "PATH",
    "SSH_AUTH_SOCK",
    "XDG_RUNTIME_DIR",
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
)


class Client(Struct, frozen=True, kw_only=True):
    """A docker program: its version (20.10.24; empty when it does not say), and its buildx plugin's, if it has one."""

    path: str
    version: str
    buildx: str = ""

    @property
    def major(self) -> int | None:
        found = re.match(r"\d+", self.version)
        return int(found.group()) if found else None


class Builder(Struct, frozen=True, kw_only=True):
    """The client that was chosen, and how it builds: through buildx, or with the BuildKit session of its own."""

    client: Client
    how: Literal["buildx", "session"]

    def __str__(self) -> str:
        how = f"buildx {self.client.buildx}" if self.how == "buildx" else "DOCKER_BUILDKIT=1"
        return f"{self.client.path} {self.client.version}, {how}"


class BuildTask(Struct, frozen=True, kw_only=True):
    """One build: the Dockerfile's file, the context's folder, the name of the result. `network`: of RUN; empty: the
    engine's default."""

    dockerfile: Path
    context: Path
    tag: str
    platform: Platform
    args: Mapping[str, str]
    network: str = ""


def choose(clients: Sequence[Client]) -> Builder:
    """The first with buildx, else the first that needs none. Errors: NoBuildClient, with what was found."""
    for client in clients:
        if client.buildx:
            return Builder(client=client, how="buildx")
    for client in clients:
        if client.major is not None and client.major < FIRST_WITHOUT:
            return Builder(client=client, how="session")
    raise NoBuildClient(clients)


def find_clients(path: str, ask: Ask) -> tuple[Client, ...]:
    """All docker programs on `path`, each once. `ask` runs one and gives its output, None if it failed."""
    return tuple(_asked(program, ask) for program in programs(path))


def _asked(program: str, ask: Ask) -> Client:
    # Not `docker version`: that asks the engine too, and fails without one.
    version = re.search(r"version v?(\d[\w.+~-]*)", ask((program, "--version")) or "")
    buildx = re.search(r"\bv?(\d+\.\d+[\w.+~-]*)", ask((program, "buildx", "version")) or "")
    return Client(
        path=program,
        version=version.group(1) if version else "",
        buildx=buildx.group(1) if buildx else "",
    )


def programs(path: str) -> tuple[str, ...]:
    """The paths of all programs named docker; those that are the same file (/bin is /usr/bin) count once."""
    found: dict[Path, str] = {}
    for folder in path.split(os.pathsep):
        program = Path(folder or ".") / "docker"
        if folder and program.is_file() and os.access(program, os.X_OK):
            found.setdefault(program.resolve(), str(program))
    return tuple(found.values())


def asking(environment: Mapping[str, str], run: Callable[[Command], Completed]) -> Ask:
    """Run a client quickly with what it needs of the environment."""

    def ask(argv: Sequence[str]) -> str | None:
        command = Command(argv=tuple(argv), cwd=Path("/"), env=passed(environment), timeout=20.0)
        try:
            done = run(command)
        except (CannotStart, ToolMissing):  # there, and no program for this host: of no use, like one that fails
            return None
        return done.output if done.exit == 0 else None

    return ask


def passed(environment: Mapping[str, str], **more: str) -> tuple[tuple[str, str], ...]:
    """The environment of a client: what it needs of the user's, and nothing that chooses another engine or builder."""
    kept = {name: environment[name] for name in _PASSED if name in environment}
    return tuple(sorted({**kept, **more}.items()))


def build_command(builder: Builder, task: BuildTask, endpoint: Endpoint, environment: Mapping[str, str]) -> Command:
    """The command that builds. Its output is BuildKit's plain progress; its result lands in the engine's store."""
    # The builder `default` is the engine's own BuildKit: the only one that sees the images which were loaded.
    head = ("buildx", "build", "--builder", "default", "--load") if builder.how == "buildx" else ("build",)
    argv = [builder.client.path, *head, "--progress", "plain", "--platform", str(task.platform), "--tag", task.tag]
    argv += [word for name, value in sorted(task.args.items()) for word in ("--build-arg", f"{name}={value}")]
    argv += ["--network", task.network] if task.network else []
    argv += ["--file", str(task.dockerfile), str(task.context)]
    more = {
        "DOCKER_HOST": endpoint.url,
        "DOCKER_BUILDKIT": "1",
        "BUILDKIT_PROGRESS": "plain",
        # An attestation makes an index of the result, which is then no image of one platform any more.
        "BUILDX_NO_DEFAULT_ATTESTATIONS": "1",
        **certificates(endpoint),
    }
    return Command(argv=tuple(argv), cwd=task.context, env=passed(environment, **more))


def certificates(endpoint: Endpoint) -> dict[str, str]:
    """The variables by which a client is told of TLS."""
    if endpoint.certificates is None:
        return {}
    how = "DOCKER_TLS_VERIFY" if endpoint.verify else "DOCKER_TLS"
    return {"DOCKER_CERT_PATH": str(endpoint.certificates), how: "1"}
