"""One blob into a registry: asked for, mounted, or sent, and gone on with after a line that dropped.

Distribution specification 1.1, "Pushing blobs". docker-registry 2 forgets an upload whose line drops within a request,
so there only whole chunks are kept; others keep every byte, and are asked how far they are.
"""

from __future__ import annotations

from typing import Literal
from urllib.parse import quote

from msgspec.structs import replace

from rearch.registry.caller import Answer, Caller
from rearch.registry.manners import MIB, Manners
from rearch.registry.patience import Later, Tries
from rearch.registry.push_errors import DamagedOnTheWay, RegistryFull, RequestTooLarge, SourceChanged
from rearch.registry.scopes import push_scopes
from rearch.registry.upload_begin import WORTH_ASKING, UploadBegin
from rearch.registry.upload_body import CheckedFile
from rearch.registry.upload_calls import (
    SMALL,
    Pushed,
    UploadOrder,
    check_digest,
    forget,
    location_of,
    upload_call,
)
from rearch.registry.upload_fault import (
    SMALLEST_CHUNK,
    Damaged,
    NoChunks,
    Sending,
    TooMuchAtOnce,
    UploadLost,
    send_fault,
)
from rearch.registry.upload_place import Upload, bytes_there, shortest_chunk

__all__ = ["BlobUpload", "push_scopes"]

# Registries hash and move what came before they answer PUT: so many bytes a second at least.
_SLOWEST_COMMIT = 10 * MIB
_OCTETS = "application/octet-stream"
_GONE = (400, 404, 405, 410, 416, 501)
# After these, what came is of no use to anybody.
_FINAL = (SourceChanged, DamagedOnTheWay, RegistryFull, RequestTooLarge)


class BlobUpload:
    """Sends one blob. `resume`: where an earlier run came to."""

    def __init__(
        self, caller: Caller, manners: Manners, order: UploadOrder, file: CheckedFile, resume: Upload | None
    ) -> None:
        self._caller = caller
        self._manners = manners
        self._order = order
        self._size = order.blob.size
        self._file = file
        self._begin = UploadBegin(caller, manners, order)
        self._upload = resume
        # How far the registry is, it must be asked: the last request did not end with an answer.
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
                    pushed = self._attempt()
                    return replace(pushed, sent=self._file.sent)
                except Later as later:
                    self._learn(later)
                    kept = self._upload.offset if self._upload else 0
                    tries.failed(later, progressed=self._furthest > before, kept=kept)
        except _FINAL:
            self._cancel()
            raise

    def _learn(self, later: Later) -> None:
        """Before another attempt: what this one has shown."""
        self._missing = False
        match later:
            case UploadLost():
                self._upload = None
            case NoChunks():
                self._manners.chunks = False
                self._cancel()
            case TooMuchAtOnce():
                self._manners.chunk = min(self._manners.chunk, max(SMALLEST_CHUNK, later.size // 4))
            case Damaged():
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
            self._check_empty()
            begun = self._begin.begin(missing=self._missing)
            if isinstance(begun, Pushed):
                return begun
            self._note(begun)
        upload = self._upload
        assert upload is not None
        while self._size - upload.offset > self._most(upload):
            upload = self._send_chunk(upload)
            self._note(upload)
        return self._finish(upload)

    def _check_empty(self) -> None:
        """A blob without bytes has no last piece that could be held back."""
        if not self._size:
            self._file.check()

    def _note(self, upload: Upload) -> None:
        self._upload = upload
        self._furthest = max(self._furthest, upload.offset)
        self._unsure = False
        if self._size >= WORTH_ASKING:
            self._order.note(upload)

    # --- sending

    def _most(self, upload: Upload) -> int:
        """How many bytes may be in one request."""
        return max(self._manners.chunk, upload.shortest) if self._manners.chunks else self._size

    def _send_chunk(self, upload: Upload) -> Upload:
        start, end = upload.offset, upload.offset + self._most(upload)
        answer = self._send("PATCH", upload.location, upload, end, (202, 204))
        there = bytes_there(answer)
        if there is not None and not start < there <= end:
            why = f"it says to have {there} bytes, where {start} were there and {end - start} were sent"
            raise UploadLost(self._order.place.registry, why)
        location = location_of(self._caller, self._order, answer, needed=False) or upload.location
        shortest = max(upload.shortest, shortest_chunk(answer))
        return replace(upload, location=location, offset=end if there is None else there, shortest=shortest)

    def _finish(self, upload: Upload) -> Pushed:
        url = upload.location + ("&" if "?" in upload.location else "?") + f"digest={quote(upload.digest)}"
        answer = self._send("PUT", url, upload, self._size, (201, 204))
        check_digest(self._order, answer)
        self._manners.sample = (self._order.place.repository, upload.digest)
        return Pushed("sent")

    def _send(
        self, method: Literal["PATCH", "PUT"], url: str, upload: Upload, end: int, good: tuple[int, ...]
    ) -> Answer:
        """The bytes up to `end`. PUT with all of them has no range; with none left, the hash must still be right."""
        start, size = upload.offset, end - upload.offset
        headers = {"Content-Type": _OCTETS}
        if size and (start or method == "PATCH"):
            headers["Content-Range"] = f"{start}-{end - 1}"
        if not size:
            self._file.check()
        shrinkable = self._manners.chunks and size > max(SMALLEST_CHUNK, upload.shortest)
        sending = Sending(method=method, offset=start, size=size, shrinkable=shrinkable)
        call = replace(
            upload_call(self._order, method, url, good),
            headers=headers,
            body=self._file.part(start, end, self._order.moved) if size else b"",
            fault=lambda said: send_fault(self._order, sending, said),
            silence=self._caller.wire.timeout + end / _SLOWEST_COMMIT,
        )
        self._unsure = True
        return self._caller.once(call, SMALL)

    # --- after a failure

    def _ask_where(self, upload: Upload) -> Upload | None:
        """How far the registry is; None when it is better, or the only way, to begin anew."""
        if self._size < WORTH_ASKING:
            return None
        answer = self._caller.once(
            upload_call(self._order, "GET", upload.location, good=(200, 202, 204, *_GONE)), SMALL
        )
        if answer.status in _GONE:
            return None
        there = bytes_there(answer)
        location = location_of(self._caller, self._order, answer, needed=False) or upload.location
        if there is None or there > self._size:
            forget(self._caller, self._order, location)
            return None
        self._furthest = max(self._furthest, there)
        return replace(upload, location=location, offset=there)

    def _cancel(self) -> None:
        if self._upload is not None:
            forget(self._caller, self._order, self._upload.location)
        self._upload = None
