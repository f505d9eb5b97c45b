"""The client for pushing: blobs, manifests, and what there is to know and remove of a repository.

OCI distribution specification 1.1. Requests are counted: nothing is asked that an answer has told already, and there is
no ping.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rearch.model.digest import Digest
from rearch.model.reference import Reference
from rearch.oci.types import Descriptor
from rearch.registry.caller import Call
from rearch.registry.client import Found, RegistryClient
from rearch.registry.documents import Document
from rearch.registry.errors import RegistryUnreachable, WrongDigest
from rearch.registry.manners import MIB, AllManners
from rearch.registry.scopes import blob_name, push_scopes

if TYPE_CHECKING:  # most publishes find all as it should be, and send nothing: what uploads is imported by then
    from rearch.registry.upload_calls import Pushed
    from rearch.registry.upload_place import Upload

# Proxies in the cloud take 100 MB in one request.
CHUNK = 64 * MIB


def _no_note(_upload: Upload) -> None:
    return None


def _not_shown(_done: int) -> None:
    return None


class RegistryPusher:
    """Pushes through a client, to all registries of a run; mirrors are not for pushing. For several threads.

    `chunk`: blobs of more bytes are sent in several requests. Every method may raise PushBrokenOff (the registry did
    not answer), LoginWanted (with the scope), NotARegistry, UntrustedRegistry, UnsafeRedirect, OfflineError,
    BadDockerConfig, BadCertificates; further errors are at the methods.
    """

    def __init__(self, client: RegistryClient, *, chunk: int = CHUNK) -> None:
        self._client = client
        self._caller = client.caller
        self._manners = AllManners(chunk)
        self._lock = threading.Lock()
        self._sending: dict[tuple[str, str], threading.Lock] = {}
        self._there: set[tuple[str, str]] = set()

    # --- blobs

    def has_blob(self, place: Reference, digest: str) -> bool:
        """Whether the repository has it: one HEAD, none for what was pushed through here."""
        if (place.place, digest) in self._there:
            return True
        from rearch.registry.upload_calls import blob_exists

        what = blob_name(place, digest)
        with self._pushing(what):
            found = self._caller.persist(what, lambda: blob_exists(self._caller, place, digest, pushing=True))
        if found:
            self._there.add((place.place, digest))
        return found

    def push_blob(
        self,
        place: Reference,
        blob: Descriptor,
        source: Path,
        *,
        mount_from: Sequence[str] = (),
        missing: bool = False,
        checked: bool = False,
        resume: Upload | None = None,
        note: Callable[[Upload], None] = _no_note,
        moved: Callable[[int], None] = _not_shown,
    ) -> Pushed:
        """See that the repository of `place` has the blob, which is in the file `source`.

        `mount_from`: other repositories of the same registry that may have it, the likeliest first. `missing`: the
        caller knows that the repository does not have it. `checked`: the caller has hashed the file in this run; else
        it is hashed while it is sent, beside it, and the last piece goes only if it is right (the registry compares in
        either case). `resume`: what `note` was told by a run that did not end; `note` is told of each step of an upload
        that is worth it (from 1 MiB on). `moved` is told the bytes so far, and may raise: the upload is kept then. Of
        two threads with the same blob for the same repository one sends.
        Errors: SourceChanged (the upload is cancelled), CannotReadBlob, DamagedOnTheWay, WrongDigest (it says), and in
        words RequestTooLarge, RegistryFull, ReadOnlyRegistry, NoSuchRepository, RegistryRefused.
        """
        from rearch.registry.upload import BlobUpload
        from rearch.registry.upload_body import open_blob
        from rearch.registry.upload_calls import Pushed, UploadOrder

        key = (place.place, blob.digest)
        with self._alone(key):
            if key in self._there:
                return Pushed("there")
            sources = tuple(dict.fromkeys(each for each in mount_from if each != place.repository))
            order = UploadOrder(place=place, blob=blob, sources=sources, missing=missing, note=note, moved=moved)
            going_on = resume is not None and (resume.place, resume.digest) == key
            with self._pushing(order.what), open_blob(source, blob, checked=checked) as file:
                manners = self._manners.of(place.registry)
                pushed = BlobUpload(self._caller, manners, order, file, resume if going_on else None).push()
            self._there.add(key)
            return pushed

    def delete_blob(self, place: Reference, digest: str) -> bool:
        """Remove a blob from the repository; whether it was there. Errors: CannotDelete, RegistryRefused."""
        self._there.discard((place.place, digest))
        return self._delete(place, f"blobs/{digest}", blob_name(place, digest), by_tag=False)

    # --- manifests

    def head(self, reference: Reference) -> Found | None:
        """What a reference names now, None when it is not there: with the token that pushing needs anyway."""
        with self._pushing(reference.name):
            return self._client.head_for(reference, push_scopes(reference.repository))

    def manifest(self, reference: Reference) -> Document:
        """The manifest or index that a reference names, as RegistryClient.manifest, and never from a mirror."""
        with self._pushing(reference.name):
            return self._client.manifest_for(reference, push_scopes(reference.repository))

    def put_manifest(self, reference: Reference, data: bytes, media_type: str) -> str:
        """Put a manifest or index, under its digest or (without one) under the tag; the digest of `data`.

        Errors: BlobMissing (what it names is not there), WrongDigest (`data` is not what the reference names, or the
        registry says to have stored something else), those in words of push_blob.
        """
        from rearch.registry.push_errors import BlobMissing, manifest_fault

        digest, what = str(Digest.of(data)), reference.name
        if reference.digest is not None and reference.digest != digest:
            raise WrongDigest(what, reference.digest, digest)
        call = Call(
            method="PUT",
            registry=reference.registry,
            path=f"/v2/{reference.repository}/manifests/{reference.identifier}",
            what=what,
            scopes=push_scopes(reference.repository),
            headers={"Content-Type": media_type},
            body=data,
            good=(201, 200, 202, 204),
            fault=manifest_fault(what, reference, len(data)),
        )
        try:
            with self._pushing(what):
                answer = self._caller.ask(call, 1 << 16)
        except BlobMissing:
            self._forget_all(reference)
            raise
        stated = answer.headers.get("docker-content-digest", "")
        if stated.startswith("sha256:") and stated.lower() != digest:
            raise WrongDigest(what, digest, stated, "sent")
        return digest

    def delete(self, reference: Reference) -> bool:
        """Remove a manifest (by its digest) or a tag; whether it was there. Errors: CannotDelete, RegistryRefused."""
        by_tag = reference.digest is None
        return self._delete(reference, f"manifests/{reference.identifier}", reference.name, by_tag=by_tag)

    # --- what is there

    def tags(self, place: Reference) -> Iterator[str]:
        """All tags of the repository, page by page. Errors: NotInRegistry, BadListing."""
        from rearch.registry.listing import tags

        with self._pushing(f"{place.place}: tags"):
            yield from tags(self._caller, place)

    def referrers(self, reference: Reference, artifact_type: str = "") -> tuple[Descriptor, ...]:
        """What refers to the manifest of this digest (signatures, SBOMs), of one type or of any. Errors: BadListing."""
        from rearch.registry.listing import referrers

        with self._pushing(f"{reference.name}: referrers"):
            return referrers(self._client, reference, artifact_type)

    # --- tools

    def _delete(self, place: Reference, rest: str, what: str, *, by_tag: bool) -> bool:
        from rearch.registry.push_errors import delete_fault

        call = Call(
            method="DELETE",
            registry=place.registry,
            path=f"/v2/{place.repository}/{rest}",
            what=what,
            scopes=frozenset([f"repository:{place.repository}:delete", *push_scopes(place.repository)]),
            good=(200, 202, 204, 404),
            fault=delete_fault(what, place.registry, by_tag=by_tag),
        )
        with self._pushing(what):
            return self._caller.ask(call, 1 << 16).status != 404

    def _forget_all(self, place: Reference) -> None:
        """What was there, or said to be, is not: the next run through looks again."""
        for key in [key for key in tuple(self._there) if key[0] == place.place]:
            self._there.discard(key)

    @contextlib.contextmanager
    def _alone(self, key: tuple[str, str]) -> Iterator[None]:
        with self._lock:
            lock = self._sending.setdefault(key, threading.Lock())
        with lock:
            yield

    @contextlib.contextmanager
    def _pushing(self, what: str) -> Iterator[None]:
        """The same words for all that breaks off, with a hint for who pushes."""
        try:
            yield
        except RegistryUnreachable as error:
            from rearch.registry.push_errors import PushBrokenOff

            raise PushBrokenOff(what, error) from error
