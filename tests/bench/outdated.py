"""`outdated` over 50 git sources whose servers answer slowly, against the slowest of them."""

from __future__ import annotations

import http.server
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from rearch.app.outdated import outdated as look
from rearch.app.request import Request
from rearch.upkeep.outdated_rows import Row
from tests.bench.measure import Figure
from tests.support.go_project import change, make_go_project

SOURCES, SLOWEST = 50, 3.0
RUNS = 3


def outdated() -> Iterator[Figure]:
    """At most twice the slowest server, which answers after 3 s; the others after 1 to 3 s."""
    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        names = [f"c{number:02}" for number in range(SOURCES)]
        project = make_go_project(
            base / "project", components=names, toolchain="go-system", upstreams=base / "upstreams"
        )
        delays = {each: 1.0 + (SLOWEST - 1.0) * number / (SOURCES - 1) for number, each in enumerate(names)}
        with _slow_git(base / "upstreams", delays) as address:
            settings = project / "rearch.yaml"
            change(settings, f"file://{base / 'upstreams'}", address)
            seconds, rows = min((_once(project, base / "cache") for _ in range(RUNS)), key=lambda run: run[0])
        wrong = [row for row in rows if row.state != "unknown" and row.kind == "source"]
        if len(wrong) != SOURCES:
            raise SystemExit(f"{len(wrong)} of {SOURCES} sources were looked at: {rows[0]}")
        yield Figure(
            name=f"outdated, {SOURCES} git sources / the slowest of them",
            value=seconds / SLOWEST,
            bound=2.0,
            unit=" x",
            detail=f"{seconds:.2f} s / {SLOWEST:.2f} s; one after the other {sum(delays.values()):.0f} s",
        )


def _once(project: Path, cache: Path) -> tuple[float, tuple[Row, ...]]:
    import os

    request = Request(project=project, environment={**os.environ, "REARCH_CACHE": str(cache)})
    started = time.perf_counter()
    rows = look(request, lambda _event: None)
    return time.perf_counter() - started, rows


@contextmanager
def _slow_git(folder: Path, delays: Mapping[str, float]) -> Iterator[str]:
    """git's smart protocol (gitprotocol-http(5), version 0), as far as `ls-remote` speaks it, with a pause each."""
    answers = {name: _advertised(folder / name) for name in delays}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = urlsplit(self.path).path.strip("/").removesuffix("/info/refs").removesuffix(".git")
            time.sleep(delays[name])
            self.send_response(200)
            self.send_header("Content-Type", "application/x-git-upload-pack-advertisement")
            self.send_header("Content-Length", str(len(answers[name])))
            self.end_headers()
            self.wfile.write(answers[name])

        def log_message(self, *_args: object) -> None:
            """Not on the terminal."""

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 2 * SOURCES  # all come at once

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _advertised(repository: Path) -> bytes:
    argv = ("git", "-c", "safe.directory=*", "upload-pack", "--stateless-rpc", "--advertise-refs", str(repository))
    listed = subprocess.run(argv, check=True, capture_output=True).stdout
    return b"001e# service=git-upload-pack\n0000" + listed
