"""A token server as registries send their clients to: it checks logins and signs what they may do.

The form is that of github.com/distribution/distribution, docs/spec/auth/{token,oauth,jwt}.md: a JWT, RS256, its
certificate in the header x5c. The signature is made by openssl.
"""

from __future__ import annotations

import base64
import contextlib
import http.server
import json
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.support.needs import need_program
from tests.support.registry import PASSWORD, USER, TokenService

SERVICE, ISSUER = "registry.example.org", "auth.example.org"
REFRESH = "a-refresh-token"


@dataclass
class TokenServer:
    """A running token server. `public`: repositories that anybody may pull; `life` of tokens in seconds; `statuses`
    are answered, one by one, before anything else. `asked` has method, parameters and headers of each request."""

    service: TokenService
    key: Path
    public: frozenset[str] = frozenset()
    life: int = 300
    statuses: list[int] = field(default_factory=list)
    asked: list[tuple[str, dict[str, list[str]], dict[str, str]]] = field(default_factory=list)

    def token(self, scopes: list[str], user: str) -> str:
        """A token for what of these scopes this user may do."""
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "sub": user,
            "aud": SERVICE,
            "exp": now + self.life,
            "nbf": now - 5,
            "iat": now,
            "jti": f"{now}-{len(self.asked)}",
            "access": [access for scope in scopes if (access := self._access(scope, user))],
        }
        return _sign(claims, self.key, self.service.certificate)

    def _access(self, scope: str, user: str) -> dict[str, Any] | None:
        kind, name, actions = scope.split(":")
        allowed = actions.split(",") if user else ["pull"] if name in self.public else []
        return {"type": kind, "name": name, "actions": allowed} if allowed else None


class _Handler(http.server.BaseHTTPRequestHandler):
    server: _Server

    def log_message(self, *_args: object) -> None:
        """Not on the terminal."""

    def do_GET(self) -> None:
        self._serve(parse_qs(urlsplit(self.path).query))

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", "0"))
        self._serve(parse_qs(self.rfile.read(length).decode()))

    def _serve(self, asked: dict[str, list[str]]) -> None:
        tokens = self.server.tokens
        headers = {name.lower(): value for name, value in self.headers.items()}
        tokens.asked.append((self.command, asked, headers))
        if tokens.statuses:
            return self._answer(tokens.statuses.pop(0), {"details": "not now"})
        user = self._user(asked, headers.get("authorization"))
        if user is None:
            return self._answer(401, {"details": "incorrect username or password"})
        scopes = " ".join(asked.get("scope", [])).split()
        return self._answer(200, {"token": tokens.token(scopes, user), "expires_in": tokens.life})

    def _user(self, asked: dict[str, list[str]], login: str | None) -> str | None:
        if self.command == "POST":
            return USER if asked.get("refresh_token") == [REFRESH] else None
        if login is None:
            return ""
        return USER if base64.b64decode(login.removeprefix("Basic ")).decode() == f"{USER}:{PASSWORD}" else None

    def _answer(self, status: int, document: dict[str, Any]) -> None:
        data = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    tokens: TokenServer


@contextlib.contextmanager
def run_token_server(folder: Path) -> Iterator[TokenServer]:
    """A token server with a key of its own, for as long as the block runs."""
    folder.mkdir(parents=True, exist_ok=True)
    certificate, key = make_certificate(folder, "tokens")
    server = _Server(("127.0.0.1", 0), _Handler)
    service = TokenService(
        realm=f"http://127.0.0.1:{server.server_port}/token", service=SERVICE, issuer=ISSUER, certificate=certificate
    )
    server.tokens = TokenServer(service=service, key=key)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server.tokens
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def make_certificate(folder: Path, name: str, *, signer: tuple[Path, Path] | None = None) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 and localhost, and its key: signed by itself, and then a CA, or by `signer`."""
    openssl = need_program("openssl", "openssl")
    certificate, key = folder / f"{name}.crt", folder / f"{name}.key"
    argv = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}"]
    argv += ["-keyout", str(key), "-out", str(certificate), "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]
    if signer:
        argv += ["-CA", str(signer[0]), "-CAkey", str(signer[1]), "-addext", "basicConstraints=critical,CA:FALSE"]
    subprocess.run(argv, check=True, capture_output=True)
    return certificate, key


def _sign(claims: dict[str, Any], key: Path, certificate: Path) -> str:
    pem = certificate.read_text().split("-----")[2].replace("\n", "")
    header = {"typ": "JWT", "alg": "RS256", "x5c": [pem]}
    text = f"{_packed(json.dumps(header).encode())}.{_packed(json.dumps(claims).encode())}"
    argv = [need_program("openssl", "openssl"), "dgst", "-sha256", "-sign", str(key)]
    signature = subprocess.run(argv, input=text.encode(), check=True, capture_output=True).stdout
    return f"{text}.{_packed(signature)}"


def _packed(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
