"""A registry in memory, for what Debian's docker-registry does not do.

It keeps what came of an upload whose line dropped, lists referrers, has pages of tags, and can be told to want chunks
of a certain length, to take none, to take no large requests, to know no mounts.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.support.registry_troubles import Reply, Troubled, TroubledHandler, run_troubled


@dataclass
class Made(Troubled):
    """A running registry. `mounts`: 201 where it can, `ignored` (202 always), or the status that it answers.

    `shortest`: OCI-Chunk-Min-Length. `chunks`: whether it takes PATCH. `most`: bytes in a request's body. `page`: tags
    and referrers a page. `referrers`: whether it has that API; `filters`: whether that filters.
    """

    mounts: str | int = "yes"
    shortest: int = 0
    chunks: bool = True
    most: int = 1 << 40
    page: int = 1000
    referrers: bool = True
    filters: bool = True
    blobs: dict[tuple[str, str], bytes] = field(default_factory=dict)
    manifests: dict[tuple[str, str], tuple[bytes, str]] = field(default_factory=dict)
    uploads: dict[str, bytearray] = field(default_factory=dict)

    def put_manifest(self, repository: str, identifier: str, document: dict[str, Any]) -> str:
        """Store a document under a tag (or what is given) and its digest, which is the answer."""
        data = json.dumps(document).encode()
        digest = _digest(data)
        for each in (identifier, digest):
            self.manifests[repository, each] = (data, document["mediaType"])
        return digest


class _Handler(TroubledHandler[Made]):
    def reply(self, body: bytes, whole: bool) -> Reply:
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        place = parts.path.removeprefix("/v2/")
        if len(body) > self.server.troubled.most:
            return Reply(413, {"Content-Type": "text/html"}, b"<html>413 Request Entity Too Large</html>")
        for kind, answer in (
            ("/blobs/uploads/", self._upload),
            ("/blobs/", self._blob),
            ("/manifests/", self._manifest),
            ("/tags/", self._tags),
            ("/referrers/", self._referrers),
        ):
            repository, found, rest = place.partition(kind)
            if found:
                return answer(repository, rest, query, body, whole)
        return Reply(404)

    def _upload(self, repository: str, rest: str, query: dict[str, str], body: bytes, whole: bool) -> Reply:
        made = self.server.troubled
        if self.command == "POST":
            return self._begin(repository, query)
        with made.lock:
            upload = made.uploads.get(rest)
            if upload is None or query.get("_state") != "kept & whole":
                return _fault(404, "BLOB_UPLOAD_UNKNOWN")
            if self.command == "GET":
                return Reply(204, self._where(repository, rest, upload))
            if self.command == "DELETE":
                del made.uploads[rest]
                return Reply(204)
            return self._write((repository, rest), query.get("digest", ""), body, whole)

    def _begin(self, repository: str, query: dict[str, str]) -> Reply:
        made = self.server.troubled
        source = (query.get("from", ""), query.get("mount", ""))
        if source[1] and isinstance(made.mounts, int):
            return _fault(made.mounts, "UNSUPPORTED")
        with made.lock:
            if made.mounts == "yes" and source in made.blobs:
                made.blobs[repository, source[1]] = made.blobs[source]
                return Reply(201, {"Docker-Content-Digest": source[1]})
            name = f"u{len(made.seen)}"
            upload = made.uploads[name] = bytearray()
            return Reply(202, self._where(repository, name, upload))

    def _write(self, key: tuple[str, str], wanted: str, body: bytes, whole: bool) -> Reply:
        made, (repository, name) = self.server.troubled, key
        upload = made.uploads[name]
        if self.command == "PATCH" and not made.chunks:
            return _fault(501, "UNSUPPORTED")
        start = int(self.headers.get("Content-Range", f"{len(upload)}-").partition("-")[0])
        if start != len(upload):
            return _fault(416, "BLOB_UPLOAD_INVALID")
        if self.command == "PATCH" and whole and len(body) < made.shortest:
            return _fault(400, "SIZE_INVALID")
        upload += body
        if self.command == "PATCH" or not whole:
            return Reply(202, self._where(repository, name, upload))
        del made.uploads[name]
        digest = _digest(bytes(upload))
        if digest != wanted:
            return _fault(400, "DIGEST_INVALID")
        made.blobs[repository, digest] = bytes(upload)
        return Reply(201, {"Docker-Content-Digest": digest, "Location": f"/v2/{repository}/blobs/{digest}"})

    def _where(self, repository: str, name: str, upload: bytearray) -> dict[str, str]:
        headers = {"Location": f"/v2/{repository}/blobs/uploads/{name}?_state=kept%20%26%20whole"}
        if self.server.troubled.shortest:
            headers["OCI-Chunk-Min-Length"] = str(self.server.troubled.shortest)
        return {**headers, "Range": f"0-{max(0, len(upload) - 1)}"}

    def _blob(self, repository: str, digest: str, _query: dict[str, str], _body: bytes, _whole: bool) -> Reply:
        with self.server.troubled.lock:
            data = self.server.troubled.blobs.get((repository, digest))
            if data is None:
                return _fault(404, "BLOB_UNKNOWN")
            if self.command == "DELETE":
                del self.server.troubled.blobs[repository, digest]
                return Reply(202)
            return Reply(200, {"Content-Length": str(len(data))}, data)

    def _manifest(self, repository: str, identifier: str, _query: dict[str, str], body: bytes, _whole: bool) -> Reply:
        made, key = self.server.troubled, (repository, identifier)
        with made.lock:
            if self.command == "PUT":
                kind = self.headers["Content-Type"]
                made.manifests[key] = made.manifests[repository, _digest(body)] = (body, kind)
                return Reply(201, {"Docker-Content-Digest": _digest(body)})
            if key not in made.manifests:
                return _fault(404, "MANIFEST_UNKNOWN")
            if self.command == "DELETE":
                del made.manifests[key]
                return Reply(202)
            data, kind = made.manifests[key]
            headers = {"Content-Type": kind, "Docker-Content-Digest": _digest(data), "Content-Length": str(len(data))}
            return Reply(200, headers, data)

    def _tags(self, repository: str, _rest: str, query: dict[str, str], _body: bytes, _whole: bool) -> Reply:
        made = self.server.troubled
        tags = sorted(name for place, name in made.manifests if place == repository and ":" not in name)
        after = [tag for tag in tags if tag > query.get("last", "")]
        page = after[: made.page]
        headers = {"Content-Type": "application/json"}
        if len(after) > len(page):
            # As registries behind a proxy do: a host of their own, which nobody else can reach.
            link = f"http://registry.internal:5000/v2/{repository}/tags/list?n={made.page}&last={page[-1]}"
            headers["Link"] = f'<{link}>; rel="next"'
        return Reply(200, headers, json.dumps({"name": repository, "tags": page or None}).encode())

    def _referrers(self, repository: str, digest: str, query: dict[str, str], _body: bytes, _whole: bool) -> Reply:
        made = self.server.troubled
        if not made.referrers:
            return Reply(404, {"Content-Type": "text/plain"}, b"404 page not found\n")
        found = [
            {"mediaType": kind, "digest": name, "size": len(data), "artifactType": json.loads(data)["artifactType"]}
            for (place, name), (data, kind) in sorted(made.manifests.items())
            if place == repository and ":" in name and json.loads(data).get("subject", {}).get("digest") == digest
        ]
        headers = {"Content-Type": "application/vnd.oci.image.index.v1+json"}
        if made.filters and "artifactType" in query:
            found = [entry for entry in found if entry["artifactType"] == query["artifactType"]]
            headers["OCI-Filters-Applied"] = "artifactType"
        at = int(query.get("page", "0"))
        if len(found) > (at + 1) * made.page:
            headers["Link"] = f'</v2/{repository}/referrers/{digest}?page={at + 1}>; rel="next"'
        page = found[at * made.page : (at + 1) * made.page]
        document = {"schemaVersion": 2, "mediaType": headers["Content-Type"], "manifests": page}
        return Reply(200, headers, json.dumps(document).encode())


def _fault(status: int, code: str) -> Reply:
    body = json.dumps({"errors": [{"code": code, "message": code.lower()}]}).encode()
    return Reply(status, {"Content-Type": "application/json"}, body)


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


@contextlib.contextmanager
def run_made(made: Made | None = None) -> Iterator[Made]:
    """The registry, for as long as the block runs."""
    with run_troubled(made or Made(), _Handler) as running:
        yield running
