"""What the requests of an upload have in common: the order, the scopes, the call, the checks of answers."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Literal

from msgspec import Struct

from rearch.errors import RearchError
from rearch.model.reference import Reference
from rearch.oci.types import Descriptor
from rearch.registry.caller import Answer, Call, Caller
from rearch.registry.errors import WrongDigest
from rearch.registry.patience import Later
from rearch.registry.push_errors import push_fault
from rearch.registry.scopes import blob_name, push_scopes
from rearch.registry.upload_place import Upload, next_location

SMALL = 1 << 16


class Pushed(Struct, frozen=True):
    """What became of a blob, and how many bytes were sent for it, those of failed attempts too."""

    how: Literal["there", "mounted", "sent"]
    sent: int = 0


class UploadOrder(Struct, frozen=True, kw_only=True):
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
        return blob_name(self.place, self.blob.digest)


def upload_call(order: UploadOrder, method: str, path: str, good: tuple[int, ...] = (202,)) -> Call:
    """A call without a body."""
    return Call(
        method=method,
        registry=order.place.registry,
        path=path,
        what=order.what,
        scopes=push_scopes(order.place.repository),
        good=good,
        fault=push_fault(order.what, order.place, 0),
    )


def blob_exists(caller: Caller, place: Reference, digest: str, *, pushing: bool) -> bool:
    """HEAD of a blob, once. `pushing`: with the scope that what follows needs anyway. Errors: those of Caller.once."""
    call = Call(
        method="HEAD",
        registry=place.registry,
        path=f"/v2/{place.repository}/blobs/{digest}",
        what=blob_name(place, digest),
        scopes=push_scopes(place.repository) if pushing else frozenset([f"repository:{place.repository}:pull"]),
        good=(200, 404),
    )
    return caller.once(call, 0).status == 200


def location_of(caller: Caller, order: UploadOrder, answer: Answer, *, needed: bool = True) -> str:
    """Where the upload goes on. Errors: those of next_location."""
    home = caller.wire.sites.of_registry(order.place.registry).url
    return next_location(answer, order.what, order.place.registry, home, needed=needed)


def forget(caller: Caller, order: UploadOrder, location: str) -> None:
    """Tell the registry to forget what came. It would on its own, after days; so no failure matters."""
    with contextlib.suppress(RearchError, Later):
        caller.once(upload_call(order, "DELETE", location, good=(200, 202, 204, 404)), SMALL)


def check_digest(order: UploadOrder, answer: Answer) -> None:
    """What the registry says to have, against what it should have. Errors: WrongDigest."""
    stated = answer.headers.get("docker-content-digest", "")
    if stated.startswith("sha256:") and stated.lower() != order.blob.digest:
        raise WrongDigest(order.what, order.blob.digest, stated, "sent")
