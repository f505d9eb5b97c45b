"""Why an image could not be audited at all. Each error says where: the layout, the image in it, the layer."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from rearch.errors import RearchError, UsageError, VerificationError
from rearch.formats.archive_errors import ArchiveError, shown
from rearch.oci.image_tree import BrokenTree
from rearch.oci.layout_errors import MissingBlob, WrongBlob
from rearch.oci.read_layer import UnknownLayerType
from rearch.oci.types import Descriptor

_SHOWN = 19  # `sha256:` and 12 digits

# What reading a layer raises when the layer is at fault.
LAYER_ERRORS = (ArchiveError, MissingBlob, WrongBlob, UnknownLayerType)


class Subject(Struct, frozen=True, kw_only=True):
    """The image that is audited: what people call the layout, the platform, the manifest's digest (or empty)."""

    layout: str
    platform: str
    digest: str

    def __str__(self) -> str:
        digest = f", {self.digest[:_SHOWN]}" if self.digest else ""
        return f"{self.layout}: the image for {self.platform}{digest}"


class NothingToAudit(UsageError):
    """A layout in which there is no image for these platforms."""

    def __init__(self, layout: str, there: Sequence[str]) -> None:
        self.layout = layout
        self.there = tuple(there)
        super().__init__(
            f"{layout} holds no image to audit",
            [f"it has {each}" for each in there],
            "name a folder with an OCI layout, and platforms that it has",
        )


class UnknownImagePlatform(UsageError):
    """An image for a platform that rearch has no table for, so that nothing can be said of its files."""

    def __init__(self, layout: str, digest: str, platform: str) -> None:
        self.layout = layout
        self.digest = digest
        self.platform = platform
        super().__init__(
            f"{layout}: the image {digest} is for {platform}, which rearch does not know",
            hint="name the platforms to audit",
        )


class UnreadableLayer(VerificationError):
    """A layer that is missing, damaged, or made to be read in more than one way. `number` counts from 0, the lowest.

    `cause` is the error of who read it.
    """

    def __init__(self, image: Subject, number: int, layer: Descriptor, cause: RearchError) -> None:
        self.image = image
        self.number = number
        self.layer = layer
        self.cause = cause
        super().__init__(
            f"{image}: layer {number + 1} cannot be read",
            (f"{layer.digest}: {_words(cause)}",),
            _hint(cause),
        )


class UnreadableImage(VerificationError):
    """Layers that are whole, each, and that cannot be put over one another. `cause` says which path."""

    def __init__(self, image: Subject, cause: BrokenTree) -> None:
        self.image = image
        self.cause = cause
        super().__init__(f"{image}: its layers do not fit on one another", (cause.summary,), _AGAIN)


_AGAIN = "take the image from its source again; if it was published so, tell its publisher"


def _words(cause: RearchError) -> str:
    """What is wrong with the layer, without its name, which stands before it."""
    match cause:
        case ArchiveError():
            return f"{shown(cause.entry) if cause.entry is not None else 'it'} {cause.why}"
        case MissingBlob():
            return "the blob is missing"
        case WrongBlob():
            return f"the blob is damaged: {cause.why}"
        case UnknownLayerType():
            return f"it is of the type {cause.descriptor.media_type!r}, which rearch does not read"
    return cause.summary


def _hint(cause: RearchError) -> str:
    """A type is for another program to change; anything else is no whole image."""
    return cause.hint or _AGAIN if isinstance(cause, UnknownLayerType) else _AGAIN
