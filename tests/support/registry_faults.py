"""Something between us and a registry that has bad manners on demand."""

from __future__ import annotations

import contextlib
import http.client
import http.server
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.support.registry import Server


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What happens to the next request whose path matches `path` (a regular expression).

    `status` with `headers` and `body` is answered in the registry's place; where it is None, the registry is asked, its
    answer gets `headers` on top, and the connection ends after `drop` bytes of the body. `times`: how often.
    """

    path: str
    status: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    drop: int | None = None
    replace: bytes | None = None
    without: str = ""


@dataclass
class Between:
    """A running proxy at `host`. `faults` are used up in their order; `seen` are (method, path, headers) so far.

    `connections`: how many were made."""

    host: str
    upstream: str
    faults: list[Fault] = field(default_factory=list)
    seen: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    connections: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, path: str) -> Fault | None:
        """The fault for this request, used up."""
        with self.lock:
            found = next((fault for fault in self.faults if re.search(fault.path, path)), None)
            if found is not None:
                self.faults.remove(found)
            return found

    def asked(self, part: str) -> list[dict[str, str]]:
        """The headers of every request whose path has `part` in it."""
        return [headers for _, path, headers in self.seen if part in path]


class _Handler(http.server.BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        super().setup()
        with self.server.between.lock:
            self.server.between.connections += 1

    def log_message(self, *_args: object) -> None:
        """Not on the terminal."""

    def do_GET(self) -> None:
        between = self.server.between
        headers = {name.lower(): value for name, value in self.headers.items()}
        with between.lock:
            between.seen.append((self.command, self.path, headers))
        fault = between.take(self.path)
        if fault is not None and fault.status is not None:
            self._answer(fault.status, dict(fault.headers), fault.body, None)
        else:
            self._forward(between.upstream, fault or Fault(path=""))

    do_HEAD = do_GET  # noqa: N815 - http.server's name

    def _forward(self, upstream: str, fault: Fault) -> None:
        connection = http.client.HTTPConnection(upstream, timeout=20)
        try:
            sent = {name: value for name, value in self.headers.items() if name.lower() not in ("host", "connection")}
            connection.request(self.command, self.path, headers={**sent, "Host": upstream})
            answer = connection.getresponse()
            data = answer.read()
            kept = {name: value for name, value in answer.getheaders() if name.lower() not in _OWN}
        finally:
            connection.close()
        headers = {**kept, **dict(fault.headers)}
        headers.pop(fault.without, None)
        length = int(answer.getheader("Content-Length") or 0)
        self._answer(answer.status, headers, data if fault.replace is None else fault.replace, fault.drop, length)

    def _answer(
        self, status: int, headers: dict[str, str], body: bytes, drop: int | None, length: int | None = None
    ) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        stated = length if self.command == "HEAD" and length is not None else len(body)
        self.send_header("Content-Length", str(stated))
        self.end_headers()
        if drop is not None:
            body = body[:drop]
            self.close_connection = True
        if self.command != "HEAD":
            with contextlib.suppress(ConnectionError):
                self.wfile.write(body)


_OWN = ("content-length", "connection", "date", "transfer-encoding")


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    between: Between

    def handle_error(self, *_args: object) -> None:
        """Whoever is cut off, or hangs up, is none of our errors."""


@contextlib.contextmanager
def run_between(registry: Server | None = None) -> Iterator[Between]:
    """A proxy in front of a registry (or, without one, a server that has its faults alone)."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.between = Between(
        host=f"127.0.0.1:{server.server_port}", upstream=registry.host if registry else "127.0.0.1:9"
    )
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server.between
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
