"""The real registry server (github.com/distribution/distribution, Debian's docker-registry) on a free port."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rearch.model.digest import Digest
from tests.support.needs import need_program

USER, PASSWORD = "alice", "opensesame"
# bcrypt of the password above, the one kind that the server reads; made once, with 4 rounds.
_HTPASSWD = "alice:$2b$04$AQNpup719PKCNhIpDDggx.X7L4LBpXuVAuRQima9ymleU5TCgRxv6\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A running registry. `host` is host:port; `log` what it prints (an access log is in it)."""

    host: str
    log: Path
    storage: Path
    scheme: str = "http"

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.host}"

    def requests(self) -> tuple[str, ...]:
        """Method and path of every request so far, from the access log."""
        lines = self.log.read_text("utf-8", "replace").splitlines()
        return tuple(line.split('"')[1].removesuffix(" HTTP/1.1") for line in lines if 'HTTP/1.1" ' in line)

    def put_blob(self, repository: str, data: bytes) -> str:
        """Store a blob; its digest. Without a login."""
        digest = str(Digest.of(data))
        _, headers = self._send("POST", f"/v2/{repository}/blobs/uploads/")
        place = headers["Location"] + ("&" if "?" in headers["Location"] else "?") + f"digest={digest}"
        self._send("PUT", place, data, "application/octet-stream")
        return digest

    def put_manifest(self, repository: str, tag: str, document: Mapping[str, Any] | bytes, media_type: str) -> str:
        """Store a manifest or index under a tag; its digest. Without a login."""
        data = document if isinstance(document, bytes) else json.dumps(document).encode()
        self._send("PUT", f"/v2/{repository}/manifests/{tag}", data, media_type)
        return str(Digest.of(data))

    def _send(
        self, method: str, path: str, data: bytes | None = None, kind: str = ""
    ) -> tuple[bytes, Mapping[str, str]]:
        url = path if path.startswith("http") else self.url + path
        headers = {"Content-Type": kind} if kind else {}
        request = urllib.request.Request(url, data, headers, method=method)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=20) as answer:
                return answer.read(), answer.headers
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {path}: {error.code} {error.read()[:500]!r}") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenService:
    """Where the registry sends those who ask: `realm` is the token server's URL; `certificate` (PEM) signs tokens."""

    realm: str
    service: str
    issuer: str
    certificate: Path


@contextlib.contextmanager
def run_registry(
    folder: Path,
    *,
    login: bool = False,
    tokens: TokenService | None = None,
    certificate: tuple[Path, Path] | None = None,
    clients: Path | None = None,
    delete: bool = False,
    port: int = 0,
) -> Iterator[Server]:
    """A registry with its storage in `folder`, for as long as the block runs.

    `login`: it wants USER and PASSWORD (basic). `tokens`: it wants tokens of that server. `certificate`: it speaks TLS
    with this certificate and key; `clients` is the CA that the certificates of its clients must be from. `port`: the
    one to listen on, for a registry that comes back.
    """
    program = need_program("docker-registry", "docker-registry")
    folder.mkdir(parents=True, exist_ok=True)
    port = port or free_port()
    server = Server(
        host=f"127.0.0.1:{port}",
        log=folder / "log",
        storage=folder / "data",
        scheme="https" if certificate else "http",
    )
    config = folder / "config.json"
    # JSON is YAML too.
    config.write_text(
        json.dumps(_config(server, _auth(folder, login, tokens), _tls(certificate, clients), delete=delete))
    )
    with server.log.open("wb") as log:
        child = subprocess.Popen(
            [program, "serve", str(config)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={"PATH": os.environ.get("PATH", os.defpath), "HOME": str(folder), "OTEL_TRACES_EXPORTER": "none"},
        )
    try:
        _wait_until_it_listens(child, port, server.log)
        yield server
    finally:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def free_port() -> int:
    """A port on which nobody listens now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _config(server: Server, auth: dict[str, Any], tls: dict[str, Any], *, delete: bool) -> dict[str, Any]:
    return {
        "version": 0.1,
        "log": {"accesslog": {"disabled": False}, "level": "warn"},
        "storage": {"filesystem": {"rootdirectory": str(server.storage)}, "delete": {"enabled": delete}},
        "http": {"addr": server.host, "secret": "of no worth", **tls},
        **auth,
    }


def _auth(folder: Path, login: bool, tokens: TokenService | None) -> dict[str, Any]:
    if tokens:
        bundle = str(tokens.certificate)
        fields = {"realm": tokens.realm, "service": tokens.service, "issuer": tokens.issuer, "rootcertbundle": bundle}
        return {"auth": {"token": fields}}
    if login:
        path = folder / "htpasswd"
        path.write_text(_HTPASSWD)
        return {"auth": {"htpasswd": {"realm": "test", "path": str(path)}}}
    return {}


def _tls(certificate: tuple[Path, Path] | None, clients: Path | None) -> dict[str, Any]:
    if certificate is None:
        return {}
    more = {"clientcas": [str(clients)]} if clients else {}
    return {"tls": {"certificate": str(certificate[0]), "key": str(certificate[1]), **more}}


def _wait_until_it_listens(child: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and child.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    raise AssertionError(f"docker-registry did not start: {log.read_text('utf-8', 'replace')[-2000:]}")
