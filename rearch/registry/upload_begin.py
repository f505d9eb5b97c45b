"""The beginning of an upload: is the blob there, can it be mounted, where is it to be sent to?

A blob costs two requests, POST and PUT, and one when it is there: POST asks to mount it, from the same repository if
there is no other to try, and then the answer is either "it is there" (201) or the upload's begin (202). A single POST
with the content would be one request, too, but docker-registry does not take it, and it would not tell whether the
content is needed.
"""

from __future__ import annotations

from urllib.parse import quote

from msgspec.structs import replace

from rearch.registry.caller import Answer, Caller
from rearch.registry.errors import LoginWanted, NotInRegistry, RegistryRefused
from rearch.registry.manners import MIB, Manners
from rearch.registry.push_errors import NoSuchRepository, ReadOnlyRegistry
from rearch.registry.scopes import push_scopes
from rearch.registry.upload_calls import (
    SMALL,
    Pushed,
    UploadOrder,
    blob_exists,
    check_digest,
    forget,
    location_of,
    upload_call,
)
from rearch.registry.upload_place import Upload, shortest_chunk

# From this size on a question is worth less than sending in vain, and going on worth more than beginning anew.
WORTH_ASKING = MIB
_CREATED = 201


class UploadBegin:
    """Begins uploads of one blob."""

    def __init__(self, caller: Caller, manners: Manners, order: UploadOrder) -> None:
        self._caller = caller
        self._manners = manners
        self._order = order
        self._own = order.place.repository

    def begin(self, *, missing: bool) -> Pushed | Upload:
        """An upload, unless the blob is there or could be mounted. `missing`: it is surely not there.

        Errors: Later, WrongDigest, those of next_location, push_fault and Caller.once.
        """
        if self._wants_question(missing) and self._has(self._own):
            return Pushed("there")
        source = self._source()
        answer = self._post(source)
        if answer.status == _CREATED:
            check_digest(self._order, answer)
            self._manners.tells = self._manners.tells or source == self._own
            return Pushed("there" if source == self._own else "mounted")
        return Upload(
            place=self._order.place.place,
            digest=self._order.blob.digest,
            location=location_of(self._caller, self._order, answer),
            shortest=shortest_chunk(answer),
        )

    def _wants_question(self, missing: bool) -> bool:
        """Whether HEAD is worth a request. Sending a small blob in vain costs no more than that."""
        if missing or self._order.blob.size < WORTH_ASKING:
            return False
        return bool(self._order.sources) or not self._mount_tells()

    def _mount_tells(self) -> bool:
        """Whether the mount that begins an upload answers the question, too: tried once, with what is surely there."""
        manners = self._manners
        with manners.asking:
            if manners.tells is None and manners.sample is not None and manners.mounts:
                repository, digest = manners.sample
                call = upload_call(self._order, "POST", _mount_url(repository, digest, repository), good=(201, 202))
                answer = self._caller.once(replace(call, scopes=push_scopes(repository)), SMALL)
                manners.tells = answer.status == _CREATED
                if not manners.tells:
                    forget(self._caller, self._order, location_of(self._caller, self._order, answer))
            return bool(manners.tells)

    def _source(self) -> str:
        """The repository to mount from: one is tried at once; of several, for what is large, one that has it."""
        sources = [each for each in self._order.sources if (each, self._own) not in self._manners.closed]
        if len(sources) > 1 and self._order.blob.size >= WORTH_ASKING:
            return next((each for each in sources if self._lends(each)), self._own)
        return sources[0] if sources else self._own

    def _lends(self, source: str) -> bool:
        try:
            return self._has(source)
        except (LoginWanted, NotInRegistry, RegistryRefused):
            self._manners.closed.add((source, self._own))
            return False

    def _has(self, repository: str) -> bool:
        place = replace(self._order.place, repository=repository)
        return blob_exists(self._caller, place, self._order.blob.digest, pushing=repository == self._own)

    def _post(self, source: str) -> Answer:
        """Begin, with a mount if that is possible at all. What a registry says to a mount is not its last word."""
        if not self._manners.mounts:
            return self._post_plainly()
        call = upload_call(self._order, "POST", _mount_url(self._own, self._order.blob.digest, source), good=(201, 202))
        if source != self._own:
            call = replace(call, scopes=call.scopes | {f"repository:{source}:pull"})
        try:
            return self._caller.once(call, SMALL)
        except (LoginWanted, NotInRegistry, NoSuchRepository, RegistryRefused, ReadOnlyRegistry) as error:
            if source != self._own:
                self._manners.closed.add((source, self._own))
                return self._post(self._own)
            if isinstance(error, LoginWanted):
                raise
            answer = self._post_plainly()
            self._manners.mounts = False
            return answer

    def _post_plainly(self) -> Answer:
        return self._caller.once(upload_call(self._order, "POST", _uploads_url(self._own)), SMALL)


def _uploads_url(repository: str) -> str:
    return f"/v2/{repository}/blobs/uploads/"


def _mount_url(repository: str, digest: str, source: str) -> str:
    return f"{_uploads_url(repository)}?mount={quote(digest)}&from={quote(source, safe='')}"
