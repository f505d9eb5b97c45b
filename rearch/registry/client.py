"""The client, and how it reads: OCI distribution specification 1.1, and what Docker Hub and its like add to it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from rearch.model.digest import Digest
from rearch.model.frozen import NOTHING
from rearch.model.reference import Reference
from rearch.model.settings import RegistrySettings
from rearch.oci.types import Descriptor
from rearch.registry.authorizer import Authorizer
from rearch.registry.caller import Call, Caller
from rearch.registry.credentials import Anonymous, Credentials
from rearch.registry.documents import ACCEPT, MANIFEST_LIMIT, Document, make_document
from rearch.registry.errors import NotARegistry, WrongDigest
from rearch.registry.mirrors import mirrored
from rearch.registry.patience import Patience
from rearch.registry.sites import CERTIFICATES, Sites
from rearch.registry.wire import Wire

CONNECTIONS = 4
_DIGEST = "docker-content-digest"
_SHA256 = re.compile(r"sha256:[0-9a-f]{64}")


class Found(Struct, frozen=True, kw_only=True):
    """What HEAD says of a manifest. `size` in bytes, 0 where it is not stated."""

    digest: str
    media_type: str
    size: int


class RegistryClient:
    """Talks to all registries of one run. For several threads; `close` it at the end.

    `registries` and `mirrors` are the settings of those names; `timeout` in seconds without any byte; `connections`
    to one host at once. `offline`: every call is an OfflineError.
    """

    def __init__(
        self,
        credentials: Credentials | None = None,
        *,
        registries: Mapping[str, RegistrySettings] = NOTHING,
        mirrors: Mapping[str, str] = NOTHING,
        certificates: Path | None = CERTIFICATES,
        offline: bool = False,
        timeout: float = 30.0,
        connections: int = CONNECTIONS,
        patience: Patience | None = None,
    ) -> None:
        self._mirrors = mirrors
        patience = patience or Patience()
        self._wire = Wire(Sites(registries, certificates), patience, timeout=timeout, connections=connections)
        authorizer = Authorizer(self._wire, credentials or Anonymous())
        self.caller = Caller(self._wire, authorizer, offline=offline)

    def __enter__(self) -> RegistryClient:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """End all connections."""
        self._wire.close()

    @property
    def requests(self) -> int:
        """How many requests were sent so far, to registries and token servers, whatever came of them."""
        return self._wire.sent

    def ping(self, registry: str) -> None:
        """Ask whether a registry of this protocol is there, and lets us in. Errors: those of Caller.ask."""
        answer = self.caller.ask(Call(method="GET", registry=registry, path="/v2/", what=f"{registry}/v2/"), 1 << 20)
        if "html" in answer.headers.get("content-type", ""):
            raise NotARegistry(registry, "it sends a web page")

    def manifest(self, reference: Reference) -> Document:
        """The manifest or index that a reference names: by its digest where it has one, else by its tag.

        Errors: WrongDigest, OldManifest, UnknownDocument, BadDocument, BadMirror; those of Caller.ask.
        """
        return self._manifest(self._call("GET", reference, "manifests", reference.identifier, accept=ACCEPT), reference)

    def manifest_for(self, reference: Reference, scopes: frozenset[str]) -> Document:
        """As `manifest`, of the registry itself and no mirror, with a token of these scopes."""
        call = self._call("GET", reference, "manifests", reference.identifier, accept=ACCEPT, here=True)
        return self._manifest(replace(call, scopes=scopes), reference)

    def _manifest(self, call: Call, reference: Reference) -> Document:
        answer = self.caller.ask(call, MANIFEST_LIMIT)
        if "html" in answer.headers.get("content-type", "").lower():
            raise NotARegistry(call.registry, "it sends a web page for a manifest")
        _check_digest(call.what, reference, answer.data, answer.headers.get(_DIGEST, ""))
        return make_document(reference, answer.data, answer.headers.get("content-type", ""))

    def head(self, reference: Reference) -> Found | None:
        """What a reference names, without its content; None when it is not there.

        Such a question is not counted as a pull by Docker Hub. Errors: those of `manifest`.
        """
        return self._head(self._call("HEAD", reference, "manifests", reference.identifier, accept=ACCEPT), reference)

    def head_for(self, reference: Reference, scopes: frozenset[str]) -> Found | None:
        """As `head`, of the registry itself and no mirror, with a token of these scopes."""
        call = self._call("HEAD", reference, "manifests", reference.identifier, accept=ACCEPT, here=True)
        return self._head(replace(call, scopes=scopes), reference)

    def _head(self, call: Call, reference: Reference) -> Found | None:
        answer = self.caller.ask(replace(call, good=(200, 404)), 0)
        if answer.status == 404:
            return None
        digest = answer.headers.get(_DIGEST, "")
        size = answer.headers.get("content-length", "")
        if not _SHA256.fullmatch(digest):
            document = self._manifest(replace(call, method="GET"), reference)
            return Found(digest=document.digest, media_type=document.media_type, size=len(document.data))
        media_type = answer.headers.get("content-type", "").partition(";")[0].strip()
        return Found(digest=digest, media_type=media_type, size=int(size) if size.isdecimal() else 0)

    def read_blob(self, reference: Reference, blob: Descriptor, limit: int) -> bytes:
        """A small blob of the reference's repository. Errors: WrongDigest, BadMirror; those of Caller.ask."""
        call = self._call("GET", reference, "blobs", blob.digest)
        data = self.caller.ask(call, limit).data
        if (found := str(Digest.of(data))) != blob.digest:
            raise WrongDigest(call.what, blob.digest, found)
        return data

    def fetch_blob(
        self, reference: Reference, blob: Descriptor, into: Path, moved: Callable[[int], None] = lambda _done: None
    ) -> str:
        """A blob of the reference's repository into a file; its sha256, which is the descriptor's.

        What came of it stays in `<into>.part`, from where another attempt or run goes on. `moved` is told the bytes so
        far, and may raise. Errors: WrongDigest, BadMirror, CannotWrite; those of Caller.ask.
        """
        from rearch.registry.blob import BlobDownload  # most tasks read documents alone

        call = self._call("GET", reference, "blobs", blob.digest, good=(200, 206, 416))
        return BlobDownload(self.caller, call, blob, into, moved).fetch()

    def _call(
        self,
        method: str,
        reference: Reference,
        kind: str,
        identifier: str,
        *,
        accept: str = "*/*",
        good: tuple[int, ...] = (200,),
        here: bool = False,
    ) -> Call:
        place = reference if here else mirrored(reference, self._mirrors)
        what = reference.name if kind == "manifests" else f"{reference.name}: blob {identifier[:19]}..."
        return Call(
            method=method,
            registry=place.registry,
            path=f"/v2/{place.repository}/{kind}/{identifier}",
            what=what if place == reference else f"{what} (mirrored at {place.place})",
            scopes=frozenset([f"repository:{place.repository}:pull"]),
            headers={"Accept": accept},
            good=good,
        )


def _check_digest(what: str, reference: Reference, data: bytes, stated: str) -> None:
    """The bytes against what was asked for, and against what the registry says of them."""
    found = str(Digest.of(data))
    if reference.digest is not None and found != reference.digest:
        raise WrongDigest(what, reference.digest, found)
    algorithm, _, digits = stated.partition(":")
    if algorithm in ("sha256", "sha512") and hashlib.new(algorithm, data).hexdigest() != digits.lower():
        raise WrongDigest(what, stated, f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}", "it says")
