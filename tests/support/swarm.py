"""A swarm of one node, on the test session's own Docker engine, for as long as a block runs.

with swarm() as node:               # a real manager; its name is node.name
    node.deploy("demo", stack_file)
    node.wait("demo_web", "Running")
"""

from __future__ import annotations

import fcntl
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.engine import engine_environment
from tests.support.needs import need_program, unmet
from tests.support.registry import free_port

PATIENCE = 30.0
# The services of a test need no network, and overlay networks need a kernel that has them: the host's instead.
NO_OVERLAY = {"version": "3", "networks": {"default": {"external": {"name": "host"}}}}


@dataclass(frozen=True)
class Node:
    """The one node. `name`: how the swarm calls it."""

    name: str
    environment: Mapping[str, str]

    def docker(self, *argv: str) -> str:
        """What the command prints; a failed one fails the test."""
        done = subprocess.run((_client(), *argv), env=self.environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"docker {' '.join(argv)}: {done.stderr}"
        return done.stdout.strip()

    def deploy(self, stack: str, file: Path) -> None:
        """As written, but without an overlay network."""
        network = file.with_name("network.json")
        network.write_text(json.dumps(NO_OVERLAY))
        self.docker("stack", "deploy", "--resolve-image", "never", "-c", str(file), "-c", str(network), stack)

    def tasks(self, service: str) -> tuple[tuple[str, str], ...]:
        """State and error of the tasks that are wanted, as `Running 2 seconds ago`."""
        form = "{{.CurrentState}}\t{{.Error}}"
        lines = self.docker(
            "service", "ps", "--no-trunc", "--filter", "desired-state=running", "--format", form, service
        )
        parts = (line.partition("\t") for line in lines.splitlines())
        return tuple((state, why) for state, _, why in parts)

    def wait(self, service: str, state: str, error: str = "") -> None:
        """Until a task is in this state, with this in its error."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            found = self.tasks(service)
            if any(each.startswith(state) and error in why for each, why in found):
                return
            time.sleep(0.1)
        raise AssertionError(f"{service} is not {state} ({error}): {self.tasks(service)}")


@contextmanager
def swarm() -> Iterator[Node]:
    """Init, and leave by force. Workers take turns: gossip has one port of the machine."""
    environment = engine_environment()
    with (Path(tempfile.gettempdir()) / "rearch-swarm.lock").open("a") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        listen = f"127.0.0.1:{free_port()}"
        init = (_client(), "swarm", "init", "--advertise-addr", listen, "--listen-addr", listen)
        done = subprocess.run(init, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            unmet(f"an engine that can be a swarm ({done.stderr.strip()})")
        node = Node("", environment)
        try:
            yield Node(node.docker("node", "ls", "--format", "{{.Hostname}}"), environment)
        finally:
            node.docker("swarm", "leave", "--force")


def _client() -> str:
    """The client is from the engine's own package; another one may stand before it on PATH."""
    return shutil.which("docker", path="/usr/bin") or need_program("docker", "docker.io")
