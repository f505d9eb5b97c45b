"""Content digests in the OCI spelling, `sha256:<64 hex digits>` (image-spec, descriptor.md#digests)."""

from __future__ import annotations

import hashlib
import re

from msgspec import Struct

from rearch.errors import UsageError

_HEX = re.compile(r"[0-9a-f]{64}\Z")


class Digest(Struct, frozen=True, order=True):
    """A sha256 content digest; `hex` is 64 lower-case digits."""

    hex: str

    def __post_init__(self) -> None:
        if not _HEX.match(self.hex):
            raise UsageError(f"not a sha256 digest: {self.hex!r}", hint="64 hexadecimal digits are wanted")

    @classmethod
    def parse(cls, text: str) -> Digest:
        """Read `sha256:<hex>` or plain `<hex>`, any case."""
        return cls(text.lower().removeprefix("sha256:"))

    @classmethod
    def of(cls, data: bytes) -> Digest:
        """The digest of bytes that are in memory."""
        return cls(hashlib.sha256(data).hexdigest())

    @property
    def short(self) -> str:
        """The first 12 digits, for people."""
        return self.hex[:12]

    def __str__(self) -> str:
        return f"sha256:{self.hex}"
