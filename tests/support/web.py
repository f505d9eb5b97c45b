"""A plain HTTP server for tests, on a free port of this machine."""

from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Serves files; says nothing on the terminal. Tests derive servers with bad manners from it."""

    def log_message(self, *_args: object) -> None:
        """Not on the terminal."""


@contextmanager
def serve(folder: Path, *, handler: type[QuietHandler] = QuietHandler) -> Iterator[str]:
    """Serve a folder (which may come later) while the block runs; gives the address, without a slash at its end."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(handler, directory=str(folder)))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
