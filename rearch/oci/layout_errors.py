"""What can be wrong with an image layout. Each error says where: the layout's folder, the blob, the image in it."""

from __future__ import annotations

from collections.abc import Sequence

from rearch.errors import HostileInputError, UsageError, VerificationError

_AGAIN = "make or fetch the layout again"


class NoLayout(UsageError):
    """A folder that is no image layout."""

    def __init__(self, layout: object, why: str) -> None:
        self.layout = layout
        self.why = why
        super().__init__(
            f"{layout} is no OCI image layout: {why}",
            hint="a folder with oci-layout, index.json and blobs/ is wanted, as `skopeo copy ... oci:FOLDER` writes it",
        )


class MissingBlob(VerificationError):
    """A blob that a document names is not in the layout."""

    def __init__(self, layout: object, digest: str) -> None:
        self.layout = layout
        self.digest = digest
        super().__init__(f"{layout}: the blob {digest} is missing", hint=_AGAIN)


class WrongBlob(VerificationError):
    """A blob whose bytes are not what its name says."""

    def __init__(self, layout: object, digest: str, why: str) -> None:
        self.layout = layout
        self.digest = digest
        self.why = why
        super().__init__(f"{layout}: the blob {digest} is damaged: {why}", hint=_AGAIN)


class BlobTooLarge(HostileInputError):
    """A document that would not fit into the memory that it deserves."""

    def __init__(self, layout: object, digest: str, size: int, limit: int) -> None:
        self.layout = layout
        self.digest = digest
        self.size = size
        self.limit = limit
        super().__init__(f"{layout}: the document {digest} has {size} bytes; {limit} is the limit")


class TooManyDocuments(HostileInputError):
    """Indexes within indexes without an end."""

    def __init__(self, layout: object, why: str) -> None:
        self.layout = layout
        self.why = why
        super().__init__(f"{layout}: {why}")


class MislabelledDocument(VerificationError):
    """A document that is of another kind, or for another platform, than the descriptor that leads to it says."""

    def __init__(self, layout: object, digest: str, says: str, found: str) -> None:
        self.layout = layout
        self.digest = digest
        self.says = says
        self.found = found
        super().__init__(
            f"{layout}: {digest} is labelled {says}, but is {found}",
            hint="take the image from its source again; if it was published so, tell its publisher",
        )


class NoSuchImage(UsageError):
    """A name that the layout has not; `names` are those that it has."""

    def __init__(self, layout: object, ref: str, names: Sequence[str]) -> None:
        self.layout = layout
        self.ref = ref
        self.names = tuple(names)
        wanted = f"no image called {ref!r}" if ref else "no image"
        super().__init__(
            f"{layout} has {wanted}",
            (f"it has {', '.join(names)}" if names else "it names none",) if ref else (),
            hint=_names_hint(ref, names),
        )


def _names_hint(ref: str, names: Sequence[str]) -> str:
    if not ref:
        return "take it from its source again: it lists no image"
    return "name one of those that it has" if names else "leave the name out, and choose by the platform"


class NoSuchPlatform(UsageError):
    """The image is not there for this platform. Another one is never taken in its place."""

    def __init__(self, layout: object, ref: str, platform: str, platforms: Sequence[str]) -> None:
        self.layout = layout
        self.ref = ref
        self.platform = platform
        self.platforms = tuple(platforms)
        super().__init__(
            f"{layout}{f' ({ref})' if ref else ''} has no image for {platform}",
            (f"it has {', '.join(platforms)}" if platforms else "it has no image with a platform",),
            hint=f"take one that was published for {platform} too",
        )


class AmbiguousImage(UsageError):
    """Several images fit; `candidates` says which."""

    def __init__(self, layout: object, ref: str, candidates: Sequence[str]) -> None:
        self.layout = layout
        self.ref = ref
        self.candidates = tuple(candidates)
        super().__init__(
            f"{layout}{f' ({ref})' if ref else ''} has {len(candidates)} images that fit",
            candidates,
            hint="say which one by `ref`, the name inside it, or by its platform",
        )
