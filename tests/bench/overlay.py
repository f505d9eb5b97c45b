"""An overlay in a process of its own, before a bare server in another; load from here, 16 connections."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp

from rearch.host.rancher.repack import Packed, pack_content
from tests.bench.measure import SCRIPTS, Figure

CONNECTIONS = 16
REQUESTS = 2000
RUNS = 3
LARGE = 64 << 20

# Answers a small document, takes what is sent, and sends a large file: the least that a server can do.
BARE = """
import asyncio, sys
from aiohttp import web

async def answer(request):
    if request.path == "/large":
        return web.FileResponse(sys.argv[1])
    await request.read()
    return web.json_response({"id": "1h1", "type": "host", "state": "active", "path": request.raw_path})

async def main():
    app = web.Application(client_max_size=1 << 30)
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


def overlay() -> Iterator[Figure]:
    """Issue 5: at least 200 requests a second are passed on, on 2 cores. And large answers are streamed."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        large = folder / "large"
        large.write_bytes(os.urandom(1 << 20) * (LARGE >> 20))
        archive = folder / "go-agent.tar.gz"
        pack_content(archive, "bench", (Packed(path="apply.sh", data=b"#!/bin/sh\n", mode=0o755),))
        with _server([sys.executable, "-c", BARE, str(large)], folder / "server.log") as (port, _):
            argv = [str(SCRIPTS / "rearch"), "overlay", "--server", f"http://127.0.0.1:{port}/v1"]
            argv += ["--bundle", f"pyagent={archive}", "--listen", "127.0.0.1:0"]
            with _server(argv, folder / "overlay.log") as (address, process):
                yield from _figures(f"http://127.0.0.1:{port}", address, process)


def _figures(direct: str, address: str, process: int) -> Iterator[Figure]:
    bare = min(asyncio.run(_load(direct, "GET")) for _ in range(RUNS))
    for method in ("GET", "PUT"):
        seconds = min(asyncio.run(_load(address, method)) for _ in range(RUNS))
        detail = f"{REQUESTS / seconds:.0f} requests/s; without the overlay {REQUESTS / bare:.0f} GETs/s"
        yield Figure(
            name=f"overlay: seconds for 200 {method}s passed on",
            value=200 * seconds / REQUESTS,
            bound=1.0,
            detail=detail,
        )
    seconds = min(asyncio.run(_large(address)) for _ in range(RUNS))
    yield Figure(
        name="overlay: memory after answers of 64 MiB",
        value=_peak(process),
        bound=120,
        unit=" MB",
        detail=f"{LARGE / seconds / 1e6:.0f} MB/s",
    )


async def _load(address: str, method: str) -> float:
    """Seconds for REQUESTS requests over CONNECTIONS kept connections."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=CONNECTIONS)) as session:
        left = iter(range(REQUESTS))

        async def ask() -> None:
            for number in left:
                url = f"{address}/v1/hosts/{number}"
                body = b'{"name": "pi"}' if method == "PUT" else None
                async with session.request(method, url, data=body) as response:
                    await response.read()
                    if response.status != 200:
                        raise SystemExit(f"{url}: {response.status}")

        started = time.perf_counter()
        await asyncio.gather(*(ask() for _ in range(CONNECTIONS)))
        return time.perf_counter() - started


async def _large(address: str) -> float:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=120)) as session:
        started, done = time.perf_counter(), 0
        async with session.get(f"{address}/large") as response:
            async for data in response.content.iter_chunked(1 << 18):
                done += len(data)
        if done != LARGE:
            raise SystemExit(f"{done} bytes came of {LARGE}")
        return time.perf_counter() - started


@contextmanager
def _server(argv: list[str], log: Path) -> Iterator[tuple[str, int]]:
    """Start it; its first line of stdout, and its process id. Stopped at the end."""
    with log.open("wb") as stderr, subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=stderr, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline().strip()
            if not line:
                raise SystemExit(f"{argv[0]} did not start\n{log.read_text()}")
            yield line, process.pid
        finally:
            process.terminate()


def _peak(process: int) -> float:
    """The most memory that it has had, in MB."""
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{process}/status").read_text().splitlines())
    return int(lines["VmHWM"].split()[0]) * 1024 / 1e6
