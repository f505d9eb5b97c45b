"""A fault of a layout, as a value."""

from __future__ import annotations

from msgspec import Struct

from rearch.errors import RearchError
from rearch.oci.layout_errors import MissingBlob, WrongBlob
from rearch.oci.types import BadDocument


class Fault(Struct, frozen=True, kw_only=True):
    """`place` leads to it: `index.json > manifest sha256:0123456789ab (linux/arm64) > layer 2`.

    A `warning` is against no rule, or hurts nobody.
    """

    place: str
    text: str
    warning: bool = False

    def __str__(self) -> str:
        return f"{'warning: ' if self.warning else ''}{self.place}: {self.text}"


class Finding(Struct, frozen=True, kw_only=True):
    """A fault whose place is known to who asked."""

    text: str
    warning: bool = False


def finding(error: RearchError) -> Finding:
    """What an error says, without the layout's name, which the reader knows."""
    match error:
        case MissingBlob():
            return Finding(text=f"the blob {error.digest} is missing")
        case WrongBlob():
            return Finding(text=f"the blob is damaged: {error.why}")
        case BadDocument():
            return Finding(text=f"it is no valid document: {'; '.join(error.problems)}")
    return Finding(text=error.summary)
