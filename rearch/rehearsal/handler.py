"""How the stand-in server answers one request."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import time
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, assert_never
from urllib.parse import parse_qs, urlsplit

from msgspec import Struct

from rearch.rehearsal.faults import Fault, FaultKind

if TYPE_CHECKING:
    from rearch.rehearsal.server import StandIn

_BLOCK = 1 << 20
_MOST_BODY = 1 << 20
PAGE = b"<!DOCTYPE html><html><head><title>Login</title></head><body>Please log in.</body></html>\n"
_RANGE = re.compile(r"bytes=(\d+)-")


class Seen(Struct, frozen=True, kw_only=True):
    """A request that was answered. `path` as it was sent, with its double slashes; `query` without the question mark;
    `access`: the access key of its basic auth, empty without one; `body` what it brought."""

    method: str
    path: str
    query: str
    access: str
    status: int
    headers: Mapping[str, str]
    body: bytes = b""


class Handler(BaseHTTPRequestHandler):
    """GET of scripts, schemas and content; PUT of applied versions; POST of a registration."""

    protocol_version = "HTTP/1.1"
    # Without it the body of a small answer waits 40 ms for the client's delayed ACK of the headers.
    disable_nagle_algorithm = True

    # http.server calls them by these names.
    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def do_PUT(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_DELETE(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing on the terminal: what was asked is in StandIn.requests."""

    @property
    def _owner(self) -> StandIn:
        return self.server.owner  # type: ignore[attr-defined,no-any-return]

    def _answer(self) -> None:
        self._body = self._read_body()
        parts = urlsplit(self.path.lstrip("/"))
        words = tuple(word for word in parts.path.split("/") if word)
        self._query = parse_qs(self.path.partition("?")[2], keep_blank_values=True)
        fault = self._owner.fault(words[-1]) if self.command == "GET" and words else None
        if fault is not None and self._misbehave(fault):
            return
        self._route(words, cut=fault is not None and fault.kind is FaultKind.CUT)

    def _read_body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            return self._read_chunks()
        size = self.headers.get("Content-Length", "0")
        return self.rfile.read(min(int(size), _MOST_BODY)) if size.isdigit() else b""

    def _read_chunks(self) -> bytes:
        data = b""
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            data += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return data

    def _route(self, words: tuple[str, ...], *, cut: bool) -> None:
        match (self.command, *words):
            case ("GET" | "HEAD", "ping"):
                self._send(HTTPStatus.OK, b"pong", "text/plain")
            case ("GET" | "HEAD", "v1", "scripts", name):
                self._script(name)
            case ("POST", "v1", "register" | "registers"):
                self._register()
            case _ if not self._known():
                self._refuse()
            case ("GET" | "HEAD", "v1", "schemas", "configcontent"):
                self._json(HTTPStatus.OK, {"id": "configContent", "type": "schema"})
            case ("GET" | "HEAD", "v1", "configcontent", item):
                self._content(item, cut=cut)
            case ("PUT", "v1", "configcontent", item):
                self._applied(item)
            case _:  # schemas/account too: an agent is no account, and its bootstrap checks that
                self._json(HTTPStatus.NOT_FOUND, {"type": "error", "status": 404, "code": "Not Found"})

    # --- what there is

    def _script(self, name: str) -> None:
        text = self._owner.script(name)
        if text is None:
            self._json(HTTPStatus.NOT_FOUND, {"type": "error", "status": 404, "code": "Not Found"})
        else:
            self._send(HTTPStatus.OK, text, "application/octet-stream")

    def _register(self) -> None:
        """A registration key in, an agent's keys out."""
        if not self._has("registrationToken", self._owner.token):
            self._refuse()
            return
        try:
            key = str(json.loads(self._body)["key"])
        except (ValueError, KeyError, TypeError):
            self._json(HTTPStatus.UNPROCESSABLE_ENTITY, {"type": "error", "status": 422, "fieldName": "key"})
            return
        keys = {"accessKey": self._owner.access, "secretKey": self._owner.secret}
        self._json(HTTPStatus.CREATED, {"id": "1r1", "type": "register", "key": key, "state": "active", **keys})

    def _applied(self, item: str) -> None:
        """The version must be the one that was handed out: the real server would wait for that one for ever."""
        found = self._owner.archive(item)
        versions = self._query.get("version", [])
        if found is None or versions != [found[1]]:
            self._json(HTTPStatus.NOT_FOUND, {"type": "error", "status": 404, "code": "InvalidVersion"})
            return
        self._owner.note_applied(item, versions[0])
        self._json(HTTPStatus.OK, {"type": "configContent", "id": item})

    def _content(self, item: str, *, cut: bool) -> None:
        found = self._owner.archive(item)
        if found is None:
            self._json(HTTPStatus.NOT_FOUND, {"type": "error", "status": 404, "code": "Not Found"})
            return
        with found[0].open("rb") as file:
            etag = f'"{hashlib.file_digest(file, hashlib.sha1).hexdigest()}"'
            if self.headers.get("If-None-Match") == etag:
                self._begin(HTTPStatus.NOT_MODIFIED, {"ETag": etag})
            else:
                self._stream(file, found[0], etag, cut=cut)

    def _stream(self, file: BinaryIO, path: Path, etag: str, *, cut: bool) -> None:
        total = path.stat().st_size
        start = self._start(etag, total)
        headers = {"ETag": etag, "Content-Type": "application/octet-stream", "Content-Length": str(total - start)}
        if start:
            headers["Content-Range"] = f"bytes {start}-{total - 1}/{total}"
        self._begin(HTTPStatus.PARTIAL_CONTENT if start else HTTPStatus.OK, headers)
        if self.command == "HEAD":
            return
        file.seek(start)
        left = (total - start) // 2 if cut else total - start
        while left and (data := file.read(min(left, _BLOCK))):
            self.wfile.write(data)
            left -= len(data)
        self.close_connection = self.close_connection or cut

    def _start(self, etag: str, total: int) -> int:
        wanted = _RANGE.fullmatch(self.headers.get("Range", ""))
        same = self.headers.get("If-Range", etag) == etag
        return int(wanted[1]) if wanted and same and int(wanted[1]) < total else 0

    # --- who asks

    def _known(self) -> bool:
        return self._has(self._owner.access, self._owner.secret)

    def _has(self, access: str, secret: str) -> bool:
        wanted = "Basic " + base64.b64encode(f"{access}:{secret}".encode()).decode()
        return hmac.compare_digest(self.headers.get("Authorization", "").encode(), wanted.encode())

    def _refuse(self) -> None:
        document = {"type": "error", "status": 401, "code": "Unauthorized"}
        self._json(HTTPStatus.UNAUTHORIZED, document, {"WWW-Authenticate": 'Basic realm="Enter API access key"'})

    def _access(self) -> str:
        kind, _, value = self.headers.get("Authorization", "").partition(" ")
        try:
            return base64.b64decode(value).decode().partition(":")[0] if kind == "Basic" else ""
        except ValueError:
            return ""

    # --- what is sent

    def _misbehave(self, fault: Fault) -> bool:
        """Do what was planted. Whether that was the answer."""
        match fault.kind:
            case FaultKind.SLOW:
                time.sleep(fault.seconds)
                return False
            case FaultKind.CUT:
                return False
            case FaultKind.UNAUTHORIZED:
                self._refuse()
            case FaultKind.MISSING:
                self._json(HTTPStatus.NOT_FOUND, {"type": "error", "status": 404, "code": "Not Found"})
            case FaultKind.BUSY:
                self._json(HTTPStatus.SERVICE_UNAVAILABLE, {"type": "error", "status": 503}, {"Retry-After": "0"})
            case FaultKind.HTML:
                self._send(HTTPStatus.OK, PAGE, "text/html")
            case FaultKind.EMPTY:
                self._send(HTTPStatus.OK, b"", "application/octet-stream")
            case FaultKind.GARBAGE:
                self._send(HTTPStatus.OK, b"\x00\x01garbage" * 1000, "application/octet-stream")
            case FaultKind.SILENT:
                self.close_connection = True
            case _:
                assert_never(fault.kind)
        return True

    def _json(self, status: HTTPStatus, document: Mapping[str, object], more: Mapping[str, str] | None = None) -> None:
        self._send(status, json.dumps(document).encode(), "application/json; charset=utf-8", more)

    def _send(self, status: HTTPStatus, data: bytes, kind: str, more: Mapping[str, str] | None = None) -> None:
        self._begin(status, {"Content-Type": kind, "Content-Length": str(len(data)), **(more or {})})
        if self.command != "HEAD":
            self.wfile.write(data)

    def _begin(self, status: HTTPStatus, headers: Mapping[str, str]) -> None:
        """Note the request before its answer goes out: who has the answer finds the note."""
        path, _, query = self.path.partition("?")
        self._owner.note(
            Seen(
                method=self.command,
                path=path,
                query=query,
                access=self._access(),
                status=int(status),
                headers=dict(self.headers.items()),
                body=self._body,
            )
        )
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
