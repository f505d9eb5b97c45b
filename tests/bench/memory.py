"""Fetching, hashing and extracting a large archive in constant memory."""

from __future__ import annotations

import functools
import http.server
import json
import sys
import tarfile
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from rearch.formats.hashing import sha256_file
from tests.bench.measure import Figure, run

SIZE = 2 * 1024**3

PROBE = """
import json, resource, sys
from pathlib import Path
from rearch.host.sources.archive import ArchiveSources
from rearch.model.source import PinnedArchive
from rearch.model.limits import Limits
from tests.support.workspace import make_workspace
base, url, sha256, answer = Path(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]
work = make_workspace(base / "work", limits=Limits())
ArchiveSources(base / "cache").fetch(PinnedArchive(url=url, sha256=sha256, strip=0), work)
size = sum(path.stat().st_size for path in (work.files / "source").rglob("*"))
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
Path(answer).write_text(json.dumps({"peak": peak, "size": size}))
"""


class _Zeros:
    """Reads as many zeros, without holding them."""

    def __init__(self, size: int) -> None:
        self._left = size

    def read(self, count: int = -1) -> bytes:
        given = min(self._left, count if count >= 0 else self._left)
        self._left -= given
        return bytes(given)


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


def memory() -> Iterator[Figure]:
    """2 GB over HTTP, checked, unpacked: under 150 MB."""
    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        (base / "www").mkdir()
        archive = base / "www" / "big.tar"
        with tarfile.open(archive, "w") as tar:
            entry = tarfile.TarInfo("big")
            entry.size = SIZE
            tar.addfile(entry, _Zeros(SIZE))
        handler = functools.partial(_Quiet, directory=str(base / "www"))
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            url = f"http://127.0.0.1:{server.server_address[1]}/big.tar"
            answer = base / "answer.json"
            seconds = run([sys.executable, "-c", PROBE, base, url, sha256_file(archive), answer])
            server.shutdown()
        found = json.loads(answer.read_text())
        if found["size"] < SIZE:
            raise SystemExit(f"only {found['size']} bytes were unpacked")
        yield Figure(
            name="peak memory of a 2 GB archive",
            value=found["peak"] / 1e6,
            bound=150,
            unit=" MB",
            detail=f"in {seconds:.0f} s",
        )
