"""One blob into a registry: asked for, mounted, or sent, and gone on with after a line that dropped.

Distribution specification 1.1, "Pushing blobs". A blob costs two requests, POST and PUT, and one when it is there: POST
asks to mount it, from the same repository if there is no other to try, and then the answer is either "it is there"
(201) or the upload's begin (202). A single POST with the content would be one request, too, but docker-registry does
not take it, and it would not tell whether the content is needed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal
from urllib.parse import quote

from rearch.errors import RearchError
from rearch.model.reference import Reference
from rearch.oci.types import Descriptor
from rearch.registry.answers import Said
from rearch.registry.caller import Answer, Call, Caller
from rearch.registry.errors import LoginWanted, NotInRegistry, RegistryRefused, WrongDigest
from rearch.registry.manners import MIB, Manners
from rearch.registry.patience import Later, Tries
from rearch.registry.push_errors import DamagedOnTheWay, NoSuchRepository, ReadOnlyRegistry, RequestTooLarge, push_fault
from rearch.registry.upload_body import CheckedFile
from rearch.registry.upload_place import Upload, bytes_there, next_location, shortest_chunk

# From this size on a question is worth less than sending in vain, and going on worth more than beginning anew.
WORTH_ASKING = MIB
# What nginx takes in one request when nobody told it otherwise.
SMALLEST_CHUNK = MIB
# Registries hash and move what came before they answer PUT: so many bytes a second at least.
_SLOWEST_COMMIT = 10 * MIB
_OCTETS = {"Content-Type": "application/octet-stream"}
_CREATED, _NO_ROOM = 201, 413


@dataclass(frozen=True, slots=True)
class Pushed:
    """What became of a blob, and how many bytes were sent for it, those of failed attempts too."""

    how: Literal["there", "mounted", "sent"]
    sent: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadOrder:
    """What to send, and where to. As the arguments of RegistryPusher.push_blob."""

    place: Reference
    blob: Descriptor
    sources: tuple[str, ...]
    missing: bool
    note: Callable[[Upload], None]
    moved: Callable[[int], None]

    @property
    def what(self) -> str:
        """For messages."""
        return f"{self.place.place}: blob {self.blob.digest[:19]}..."


class _Lost(Later):
    """The registry does not know the upload (any more)."""


class _NoChunks(Later):
    """It does not take a blob in several requests."""


class _TooMuch(Later):
    """It does not take so much in one request."""


class _Damaged(Later):
    """It says that the digest is wrong."""


class BlobUpload:
    """Sends one blob. `resume`: where an earlier run came to."""

    def __init__(
        self, caller: Caller, manners: Manners, order: UploadOrder, file: CheckedFile, resume: Upload | None
    ) -> None:
        self._caller = caller
        self._manners = manners
        self._order = order
        self._file = file
        self._upload = resume
        # Where the registry is, it must be asked: an attempt did not end with an answer.
        self._unsure = True
        self._missing = order.missing
        self._furthest = 0
        self._damaged = False

    def push(self) -> Pushed:
        """Until it is there. Errors: those of RegistryPusher.push_blob, and RegistryUnreachable."""
        tries = Tries(self._caller.wire.patience, self._order.what)
        try:
            while True:
                before = self._furthest
                try:
                    return self._attempt()
                except Later as later:
                    self._learn(later)
                    tries.failed(later, progressed=self._furthest > before, kept=self._furthest)
        except RearchError as error:
            if not error.retryable:
                self._cancel()
            raise

    def _learn(self, later: Later) -> None:
        """Before another attempt: what this one has shown."""
        self._missing = False
        match later:
            case _Lost():
                self._upload = None
            case _NoChunks():
                self._manners.chunks = False
                self._cancel()
            case _TooMuch():
                self._manners.chunk = max(SMALLEST_CHUNK, min(self._manners.chunk, self._order.blob.size) // 4)
            case _Damaged():
                self._check_damage(later)
            case _:
                pass

    def _check_damage(self, later: Later) -> None:
        """Either the file is wrong, or what went wrong is far away: once more from the start, and then no more."""
        self._file.check_again()
        if self._damaged:
            raise DamagedOnTheWay(self._order.what, later.host, later.why)
        self._damaged = True
        self._upload = None

    def _attempt(self) -> Pushed:
        if self._upload is not None and self._unsure:
            self._upload = self._ask_where(self._upload)
        if self._upload is None:
            begun = self._begin()
            if isinstance(begun, Pushed):
                return begun
            self._upload = begun
            self._noted(begun)
        upload = self._upload
        while self._order.blob.size - upload.offset > self._most(upload):
            upload = self._upload = self._send_chunk(upload)
            self._noted(upload)
        return self._finish(upload)

    # --- the beginning

    def _begin(self) -> Pushed | Upload:
        own = self._order.place.repository
        if not self._order.blob.size:
            self._file.check()
        if self._wants_question() and self._has(own):
            return Pushed("there")
        source = self._source()
        answer = self._post(source)
        if answer.status == _CREATED:
            _check_digest(self._order, answer)
            self._manners.tells = self._manners.tells or source == own
            return Pushed("there" if source == own else "mounted", self._file.sent)
        return Upload(
            place=self._order.place.place,
            digest=self._order.blob.digest,
            location=self._location(answer),
            shortest=shortest_chunk(answer),
        )

    def _wants_question(self) -> bool:
        """Whether HEAD is worth a request. Sending a small blob in vain costs no more than that."""
        if self._missing or self._order.blob.size < WORTH_ASKING:
            return False
        return bool(self._order.sources) or not self._mount_tells()

    def _mount_tells(self) -> bool:
        """Whether the mount that begins an upload answers the question, too: tried once, with what is surely there."""
        manners = self._manners
        with manners.asking:
            if manners.tells is None and manners.sample is not None and manners.mounts:
                repository, digest = manners.sample
                call = self._call("POST", self._mount_url(repository, digest, repository), good=(201, 202))
                answer = self._caller.once(replace(call, scopes=push_scopes(repository)), 1 << 16)
                manners.tells = answer.status == _CREATED
                if not manners.tells:
                    self._forget(self._location(answer))
            return bool(manners.tells)

    def _source(self) -> str:
        """The repository to mount from: one is tried at once; of several, for what is large, one that has it."""
        own = self._order.place.repository
        sources = [each for each in self._order.sources if (each, own) not in self._manners.closed]
        if len(sources) > 1 and self._order.blob.size >= WORTH_ASKING:
            sources = [each for each in sources if self._has(each)][:1]
        return sources[0] if sources else own

    def _has(self, repository: str) -> bool:
        place = replace(self._order.place, repository=repository)
        return blob_exists(self._caller, place, self._order.blob.digest, pushing=place == self._order.place)

    def _post(self, source: str) -> Answer:
        """Begin, with a mount if that is possible at all."""
        own = self._order.place.repository
        if not self._manners.mounts:
            return self._caller.once(self._call("POST", _uploads_url(own)), 1 << 16)
        call = self._call("POST", self._mount_url(own, self._order.blob.digest, source), good=(201, 202))
        if source != own:
            call = replace(call, scopes=call.scopes | {f"repository:{source}:pull"})
        try:
            return self._caller.once(call, 1 << 16)
        except (LoginWanted, NotInRegistry, NoSuchRepository, RegistryRefused, ReadOnlyRegistry) as error:
            if source != own:
                self._manners.closed.add((source, own))
                return self._post(own)
            if isinstance(error, LoginWanted):
                raise
            answer = self._caller.once(self._call("POST", _uploads_url(own)), 1 << 16)
            self._manners.mounts = False
            return answer

    # --- the middle

    def _most(self, upload: Upload) -> int:
        """How many bytes may be in one request."""
        if not self._manners.chunks:
            return self._order.blob.size
        return max(self._manners.chunk, upload.shortest)

    def _send_chunk(self, upload: Upload) -> Upload:
        start, end = upload.offset, upload.offset + self._most(upload)
        answer = self._send("PATCH", upload.location, upload, end, (202, 204))
        there = bytes_there(answer)
        if there is not None and not start <= there <= end:
            raise _Lost(self._order.place.registry, f"it says to have {there} bytes after {end} were sent")
        offset = end if there is None else there
        self._unsure = False
        location = self._location(answer, needed=False) or upload.location
        return replace(upload, location=location, offset=offset, shortest=max(upload.shortest, shortest_chunk(answer)))

    def _finish(self, upload: Upload) -> Pushed:
        url = upload.location + ("&" if "?" in upload.location else "?") + f"digest={quote(upload.digest)}"
        answer = self._send("PUT", url, upload, self._order.blob.size, (201, 204))
        _check_digest(self._order, answer)
        self._manners.sample = (self._order.place.repository, upload.digest)
        return Pushed("sent", self._file.sent)

    def _send(self, method: str, url: str, upload: Upload, end: int, good: tuple[int, ...]) -> Answer:
        size = end - upload.offset
        headers = dict(_OCTETS)
        if upload.offset or method == "PATCH":
            headers["Content-Range"] = f"{upload.offset}-{end - 1}"
        if not size:
            headers = dict(_OCTETS)
            self._file.check()
        call = replace(
            self._call(method, url, good=good),
            headers=headers,
            body=self._file.part(upload.offset, end, self._order.moved) if size else b"",
            fault=lambda said: self._send_fault(said, method, upload, size),
            silence=self._caller.wire.timeout + end / _SLOWEST_COMMIT,
        )
        self._unsure = True
        return self._caller.once(call, 1 << 16)

    def _send_fault(self, said: Said, method: str, upload: Upload, size: int) -> Exception | None:
        """What a refusal of bytes means."""
        host = self._order.place.registry
        known = push_fault(self._order.what, self._order.place, size)(said)
        if isinstance(known, RequestTooLarge):
            may_shrink = self._manners.chunks and size > max(SMALLEST_CHUNK, upload.shortest)
            return _TooMuch(host, said.words, 0.0) if may_shrink else known
        if said.status == 404 or said.has("BLOB_UPLOAD_UNKNOWN"):
            return _Lost(host, f"it lost the upload ({said.words})", 0.0)
        if method == "PUT" and said.status == 400 and said.has("DIGEST_INVALID", "SIZE_INVALID"):
            return _Damaged(host, said.words, 0.0)
        if said.status == 416:
            return Later(host, said.words, 0.0)
        if method == "PATCH" and said.status in (400, 405, 411, 501) and not upload.offset:
            return _NoChunks(host, said.words, 0.0)
        if said.has("BLOB_UPLOAD_INVALID"):
            return _Lost(host, f"it lost the upload ({said.words})", 0.0)
        return known

    # --- after a failure

    def _ask_where(self, upload: Upload) -> Upload | None:
        """How far the registry is; None when it is better, or the only way, to begin anew."""
        if self._order.blob.size < WORTH_ASKING:
            return None
        gone = (400, 404, 405, 410, 416, 501)
        answer = self._caller.once(self._call("GET", upload.location, good=(200, 202, 204, *gone)), 1 << 16)
        there = bytes_there(answer)
        if answer.status in gone or there is None or there > self._order.blob.size:
            return None
        self._furthest = max(self._furthest, there)
        location = self._location(answer, needed=False) or upload.location
        return replace(upload, location=location, offset=there)

    def _cancel(self) -> None:
        """Tell the registry to forget what came. It would on its own, after days; so no failure matters."""
        if self._upload is not None:
            self._forget(self._upload.location)
        self._upload = None

    def _forget(self, location: str) -> None:
        with contextlib.suppress(RearchError, Later):
            self._caller.once(self._call("DELETE", location, good=(200, 202, 204, 404)), 1 << 16)

    # --- tools

    def _noted(self, upload: Upload) -> None:
        self._furthest = max(self._furthest, upload.offset)
        self._unsure = False
        if self._order.blob.size >= WORTH_ASKING:
            self._order.note(upload)

    def _mount_url(self, repository: str, digest: str, source: str) -> str:
        return f"{_uploads_url(repository)}?mount={quote(digest)}&from={quote(source, safe='')}"

    def _location(self, answer: Answer, *, needed: bool = True) -> str:
        registry = self._order.place.registry
        home = self._caller.wire.sites.of_registry(registry).url
        return next_location(answer, self._order.what, registry, home, needed=needed)

    def _call(self, method: str, path: str, *, good: tuple[int, ...] = (202,)) -> Call:
        return Call(
            method=method,
            registry=self._order.place.registry,
            path=path,
            what=self._order.what,
            scopes=push_scopes(self._order.place.repository),
            good=good,
            fault=push_fault(self._order.what, self._order.place, 0),
        )


def push_scopes(repository: str) -> frozenset[str]:
    """Those of a token that may push there."""
    return frozenset([f"repository:{repository}:pull,push"])


def _uploads_url(repository: str) -> str:
    return f"/v2/{repository}/blobs/uploads/"


def blob_exists(caller: Caller, place: Reference, digest: str, *, pushing: bool) -> bool:
    """HEAD of a blob. `pushing`: with the scope that what follows needs anyway."""
    call = Call(
        method="HEAD",
        registry=place.registry,
        path=f"/v2/{place.repository}/blobs/{digest}",
        what=f"{place.place}: blob {digest[:19]}...",
        scopes=push_scopes(place.repository) if pushing else frozenset([f"repository:{place.repository}:pull"]),
        good=(200, 404),
    )
    return caller.once(call, 0).status == 200


def _check_digest(order: UploadOrder, answer: Answer) -> None:
    stated = answer.headers.get("docker-content-digest", "")
    if stated.startswith("sha256:") and stated.lower() != order.blob.digest:
        raise WrongDigest(order.what, order.blob.digest, stated, "sent")
