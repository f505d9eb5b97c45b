"""What it means when a registry does not take the bytes of an upload, and what can be done about it."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from rearch.registry.answers import Said
from rearch.registry.manners import MIB
from rearch.registry.patience import Later
from rearch.registry.push_errors import RegistryFull, RequestTooLarge, push_fault
from rearch.registry.upload_calls import UploadOrder

# What nginx takes in one request when nobody told it otherwise.
SMALLEST_CHUNK = MIB


class UploadLost(Later):
    """The registry does not know the upload (any more)."""


class NoChunks(Later):
    """It does not take a blob in several requests."""


class TooMuchAtOnce(Later):
    """It does not take so much in one request. `size` in bytes."""

    def __init__(self, host: str, why: str, size: int) -> None:
        super().__init__(host, why, 0.0)
        self.size = size


class Damaged(Later):
    """It says that the digest is wrong."""


class Sending(Struct, frozen=True, kw_only=True):
    """One request with bytes of a blob: `size` of them, after `offset`; they may come in smaller parts, or not."""

    method: Literal["PATCH", "PUT"]
    offset: int
    size: int
    shrinkable: bool


def send_fault(order: UploadOrder, sending: Sending, said: Said) -> Exception | None:
    """The error for an answer that is not good; None where it means what it means to everybody."""
    host = order.place.registry
    known = push_fault(order.what, order.place, sending.size)(said)
    if isinstance(known, RequestTooLarge) and sending.shrinkable:
        return TooMuchAtOnce(host, said.words, sending.size)
    if isinstance(known, RequestTooLarge | RegistryFull):
        return known
    if said.status == 404 or said.has("BLOB_UPLOAD_UNKNOWN"):
        return UploadLost(host, f"it lost the upload ({said.words})", 0.0)
    if sending.method == "PUT" and said.status == 400 and said.has("DIGEST_INVALID", "SIZE_INVALID"):
        return Damaged(host, said.words, 0.0)
    if said.status == 416:
        return Later(host, said.words, 0.0)
    if sending.method == "PATCH" and not sending.offset and said.status in (400, 405, 411, 501):
        return NoChunks(host, said.words, 0.0)
    if said.has("BLOB_UPLOAD_INVALID"):
        return UploadLost(host, f"it lost the upload ({said.words})", 0.0)
    return known
