"""A proxy before a real registry through which uploads pass, and where they meet troubles on demand."""

from __future__ import annotations

import contextlib
import http.client
import socket
from collections.abc import Iterator
from dataclasses import dataclass

from tests.support.registry import Server
from tests.support.registry_troubles import Reply, Troubled, TroubledHandler, run_troubled

_OWN = ("content-length", "connection", "date", "transfer-encoding")


@dataclass
class Passing(Troubled):
    """A running proxy; `upstream` is the registry's host:port. Locations lead through the proxy."""

    upstream: str = ""


class _Handler(TroubledHandler[Passing]):
    def reply(self, body: bytes, whole: bool) -> Reply:
        if not whole:
            self._break_off(body)
            return Reply(0)
        connection = http.client.HTTPConnection(self.server.troubled.upstream, timeout=20)
        with contextlib.closing(connection):
            sent = {name: value for name, value in self.headers.items() if name.lower() != "connection"}
            connection.request(self.command, self.path, body, sent)
            answer = connection.getresponse()
            data = answer.read()
        kept = {name: value for name, value in answer.getheaders() if name.lower() not in _OWN}
        if self.command == "HEAD":
            kept["Content-Length"] = answer.getheader("Content-Length") or "0"
        return Reply(answer.status, kept, data)

    def _break_off(self, body: bytes) -> None:
        """The registry gets these bytes, and then loses its client as we do."""
        host, port = self.server.troubled.upstream.split(":")
        lines = [f"{self.command} {self.path} HTTP/1.1", *(f"{name}: {value}" for name, value in self.headers.items())]
        with socket.create_connection((host, int(port)), 20) as line:
            line.sendall("\r\n".join([*lines, "", ""]).encode() + body)


@contextlib.contextmanager
def run_passing(registry: Server) -> Iterator[Passing]:
    """A proxy before this registry, for as long as the block runs."""
    with run_troubled(Passing(upstream=registry.host), _Handler) as passing:
        yield passing
