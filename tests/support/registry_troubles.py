"""Servers that take uploads, and fail at them on demand: what the made registry and the proxy have in common."""

from __future__ import annotations

import contextlib
import http.server
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """What happens to the next request of this method whose path and query match `path` (a regular expression).

    With `status`, that is answered and nothing done (`deaf`: the body is not even read). With `drop`, the line ends
    after so many bytes of the body, which have come through. With `lose`, all is done, and the answer is lost. Else the
    answer gets `headers` instead of its own of those names (an empty one: none).
    """

    method: str
    path: str = ""
    status: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    deaf: bool = False
    drop: int | None = None
    lose: bool = False


@dataclass(frozen=True, slots=True)
class Seen:
    """A request, and how many bytes of its body were read."""

    method: str
    path: str
    headers: dict[str, str]
    size: int


@dataclass
class Troubled:
    """A running server. `troubles` are used up in their order; `seen` are the requests so far.

    `connections`: how many were made."""

    host: str = ""
    connections: int = 0
    troubles: list[Trouble] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, method: str, path: str) -> Trouble | None:
        """The trouble for this request, used up."""
        with self.lock:
            fits = (each for each in self.troubles if each.method == method and re.search(each.path, path))
            found = next(fits, None)
            if found is not None:
                self.troubles.remove(found)
            return found

    def asked(self, method: str = "", part: str = "") -> list[Seen]:
        """The requests of this method (or any) whose path has `part` in it."""
        return [each for each in self.seen if method in ("", each.method) and part in each.path]

    @property
    def methods(self) -> list[str]:
        """Of all requests so far."""
        return [each.method for each in self.seen]


T = TypeVar("T", bound=Troubled)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer to give."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


class TroubledHandler(http.server.BaseHTTPRequestHandler, Generic[T]):
    """Reads a request, lets its trouble happen, else asks `reply`."""

    server: TroubledServer[T]
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        super().setup()
        with self.server.troubled.lock:
            self.server.troubled.connections += 1

    def log_message(self, *_args: object) -> None:
        """Not on the terminal."""

    def reply(self, body: bytes, whole: bool) -> Reply:
        """Do what is asked; `whole`: the body has come to its end."""
        raise NotImplementedError

    def do_GET(self) -> None:
        troubled = self.server.troubled
        trouble = troubled.take(self.command, self.path) or Trouble(method="")
        stated = int(self.headers.get("Content-Length") or 0)
        body = b"" if trouble.deaf else self.rfile.read(stated if trouble.drop is None else trouble.drop)
        headers = {name.lower(): value for name, value in self.headers.items()}
        with troubled.lock:
            troubled.seen.append(Seen(self.command, self.path, headers, len(body)))
        if trouble.deaf or trouble.drop is not None or trouble.lose:
            self.close_connection = True
        if trouble.status is not None:
            return self._answer(Reply(trouble.status, dict(trouble.headers), trouble.body))
        reply = self.reply(body, trouble.drop is None)
        if trouble.drop is None and not trouble.lose:
            kept = {name: value for name, value in {**reply.headers, **dict(trouble.headers)}.items() if value}
            self._answer(Reply(reply.status, kept, reply.body))
        return None

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815 - http.server's names

    def _answer(self, reply: Reply) -> None:
        with contextlib.suppress(ConnectionError):
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            if "Content-Length" not in reply.headers:
                self.send_header("Content-Length", str(len(reply.body)))
            if self.close_connection:
                self.send_header("Connection", "close")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(reply.body)


class TroubledServer(http.server.ThreadingHTTPServer, Generic[T]):
    """Has the state that its handlers share."""

    daemon_threads = True
    troubled: T

    def handle_error(self, *_args: object) -> None:
        """Whoever is cut off, or hangs up, is none of our errors."""


@contextlib.contextmanager
def run_troubled(troubled: T, handler: type[TroubledHandler[T]]) -> Iterator[T]:
    """The server, for as long as the block runs."""
    server: TroubledServer[T] = TroubledServer(("127.0.0.1", 0), handler)
    server.troubled = troubled
    troubled.host = f"127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield troubled
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
