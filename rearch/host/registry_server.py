"""A registry of our own for a while: Debian's docker-registry (github.com/distribution/distribution)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from rearch.host.process import Processes
from rearch.host.serving import free_port, listens, serving
from rearch.model.command import Command


@contextmanager
def private_registry(folder: Path, processes: Processes, environment: Mapping[str, str]) -> Iterator[str]:
    """A registry without logins that keeps everything below `folder`; its host:port, which every engine on this host
    takes without TLS, since it is of the loopback. Errors: ToolMissing, ServerDied."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    config = folder / "config.json"
    config.write_text(json.dumps(configuration(folder / "data", port)))  # JSON is YAML too
    env = {"PATH": environment.get("PATH", ""), "HOME": str(folder), "OTEL_TRACES_EXPORTER": "none"}
    command = Command(argv=("docker-registry", "serve", str(config)), cwd=folder, env=tuple(sorted(env.items())))
    with serving(command, folder / "registry.log", lambda: listens(port), processes, within=20.0):
        yield f"127.0.0.1:{port}"


def configuration(storage: Path, port: int) -> dict[str, object]:
    """The server's configuration file as a document."""
    return {
        "version": 0.1,
        "log": {"accesslog": {"disabled": False}, "level": "warn"},
        "storage": {"filesystem": {"rootdirectory": str(storage)}},
        "http": {"addr": f"127.0.0.1:{port}", "secret": "of no worth"},
    }
