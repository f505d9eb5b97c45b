"""What run.sh's helper script talks to: a real metadata server, a real engine socket, and a docker client that notes.

swarm = SwarmSide(tmp_path)
swarm.nodes = [node("self"), node("pi")]
with swarm:
    swarm.run("dash")
"""

from __future__ import annotations

import json
import os
import socketserver
import subprocess
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any

SCRIPT = Path(__file__).parents[2] / "recipes/rancher/files/swarm/prune-hosts"
DOCKER = """\
#!/bin/sh
echo "$*" >>"$0.log"
case "$*" in *$DOCKER_REFUSES*) [ -z "$DOCKER_REFUSES" ] || exit 1 ;; esac
"""


def node(name: str, **changes: Any) -> dict[str, Any]:
    """A node as the engine's /nodes tells it; its ID is `id-` and the short name in lower case."""
    given: dict[str, Any] = {
        "ID": "id-" + name.partition(".")[0].lower(),
        "Description": {"Hostname": name},
        "Spec": {"Role": "worker"},
        "Status": {"State": "ready"},
    }
    return given | changes


def host(name: str, address: str = "") -> dict[str, Any]:
    """A host as metadata tells it."""
    return {"hostname": name, "agent_ip": address}


class _Socket(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    request_queue_size = 64
    daemon_threads = True


@dataclass
class SwarmSide:
    """`nodes`, `hosts` are what engine and metadata tell: lists, or an answer as text; None is a 500."""

    base: Path
    nodes: Any = field(default_factory=list)
    hosts: Any = field(default_factory=list)
    me: str = "id-self"

    def __enter__(self) -> SwarmSide:
        (self.base / "bin").mkdir()
        (self.base / "bin/docker").write_text(DOCKER)
        (self.base / "bin/docker").chmod(0o755)
        self._metadata = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self._tell_metadata))
        self._engine = _Socket(str(self.base / "docker.sock"), _handler(self._tell_engine))
        for server in (self._metadata, self._engine):
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: object, _trace: TracebackType | None) -> None:
        for server in (self._metadata, self._engine):
            server.shutdown()
            server.server_close()

    def _tell_metadata(self, path: str) -> Any:
        return self.hosts if path == "/2015-12-19/hosts" else None

    def _tell_engine(self, path: str) -> Any:
        return {"/nodes": self.nodes, "/info": {"Swarm": {"NodeID": self.me}}}.get(path)

    @property
    def asked(self) -> list[str]:
        """What the docker client was called with since the last time."""
        log = self.base / "bin/docker.log"
        lines = log.read_text().splitlines() if log.exists() else []
        log.unlink(missing_ok=True)
        return lines

    @property
    def address(self) -> str:
        """Where metadata is."""
        return f"http://127.0.0.1:{self._metadata.server_address[1]}/2015-12-19"

    def run(self, shell: str, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """The script in this shell, asked to prune after 2 misses unless `settings` (variables) say otherwise."""
        return self.call((shell, str(SCRIPT), *arguments), **settings)

    def call(self, argv: Sequence[str], **settings: str) -> subprocess.CompletedProcess[str]:
        env = {
            "PATH": f"{self.base / 'bin'}:/usr/bin:/bin",
            "PRUNE_HOSTS": "true",
            "PRUNE_MISSES": "2",
            "PRUNE_STATE": str(self.base / "state"),
            "PRUNE_SOCKET": str(self.base / "docker.sock"),
            "META_URL": self.address,
            "DOCKER_REFUSES": "",
            "LC_ALL": "C",
        }
        return subprocess.run(
            argv, env=env | settings, capture_output=True, text=True, check=False, timeout=60, cwd=os.fspath(self.base)
        )


def _handler(tell: Any) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = tell(self.path)
            body = (answer if isinstance(answer, str) else json.dumps(answer)).encode()
            self.send_response(500 if answer is None else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def address_string(self) -> str:
            return "client"  # of a unix socket there is none

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler
