"""As much of Rancher 1.6's API as labelling a host needs: a stand-in, on a free port.

with run_hosts_api({"pi1": {"old": "1"}}) as api:
    api.url, api.labels["pi1"]
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

KEY, SECRET = "access", 'se"cret\\key'
_ROOT = "/v2-beta/projects/1a5/hosts"


@dataclass(frozen=True)
class HostsApi:
    """`labels` of each host, as they are now; `requests`: method and path."""

    url: str
    labels: dict[str, dict[str, str]]
    requests: list[str]


@contextmanager
def run_hosts_api(labels: Mapping[str, Mapping[str, str]]) -> Iterator[HostsApi]:
    """Hosts with these labels; whoever has not the key is refused."""
    known = {name: dict(each) for name, each in labels.items()}
    requests: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            (wanted,) = parse_qs(urlsplit(self.path).query)["hostname"]
            found = [{"id": f"1h-{name}", "labels": each} for name, each in known.items() if name == wanted]
            self._answer({"data": found})

        def do_PUT(self) -> None:
            name = urlsplit(self.path).path.removeprefix(f"{_ROOT}/1h-")
            known[name] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["labels"]
            self._answer({"id": f"1h-{name}"})

        def _answer(self, document: object) -> None:
            requests.append(f"{self.command} {self.path.removeprefix(_ROOT)}")
            login = base64.b64encode(f"{KEY}:{SECRET}".encode()).decode()
            right = self.headers.get("Authorization") == f"Basic {login}" and self.path.startswith(_ROOT)
            data = json.dumps(document).encode()
            self.send_response(200 if right else 401)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield HostsApi(f"http://127.0.0.1:{server.server_port}{_ROOT.removesuffix('/hosts')}", known, requests)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
