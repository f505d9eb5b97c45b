"""Why images cannot be joined in an index."""

from __future__ import annotations

from collections.abc import Sequence

from rearch.errors import UsageError


class PlatformTwice(UsageError):
    """Two images of one platform. `first` and `second` are the sources, with the digest of the image."""

    def __init__(self, platform: str, first: str, second: str) -> None:
        self.platform = platform
        self.first = first
        self.second = second
        super().__init__(
            f"there are two images for {platform}",
            (first, second),
            hint="an index has one image for a platform: leave one of them out, or say under `platform` what it is for",
        )


class NoPlatform(UsageError):
    """An entry of an index that does not say what it is for, and of which no config was given."""

    def __init__(self, source: str, digest: str, hint: str | None = None) -> None:
        self.source = source
        self.digest = digest
        super().__init__(
            f"{source}: {digest} has no platform",
            hint=hint or "name the image by its digest, with its `platform`",
        )


class NotInIndex(UsageError):
    """The wanted platform is not among those of an index. `there`: those that it has."""

    def __init__(self, source: str, wanted: str, there: Sequence[str]) -> None:
        self.source = source
        self.wanted = wanted
        self.there = tuple(there)
        super().__init__(
            f"{source} has no image for {wanted}",
            (f"it has {', '.join(there) or 'no image at all'}",),
            hint="take a platform that it has, or another image",
        )


class NestedIndex(UsageError):
    """An index in an index: engines do not follow it."""

    def __init__(self, source: str, digest: str, hint: str | None = None) -> None:
        self.source = source
        self.digest = digest
        super().__init__(
            f"{source} has an index among its images: {digest}",
            hint=hint or "name that one by its digest, as an image of its own: engines do not look into it here",
        )


class NoImage(UsageError):
    """Something that cannot stand in an index."""

    def __init__(self, source: str, media_type: str) -> None:
        self.source = source
        self.media_type = media_type
        super().__init__(
            f"{source} is of the type {media_type}, which is no image",
            hint="images of Docker's schema 2 and of OCI can be joined; push an older one again with a newer engine",
        )


class OciInDockerList(UsageError):
    """OCI manifests for Docker's manifest list. Registries and engines of Docker's types alone refuse it."""

    def __init__(self, sources: Sequence[str]) -> None:
        self.sources = tuple(sources)
        super().__init__(
            "Docker's manifest list cannot hold images of OCI's type",
            self.sources,
            hint="use --type oci; an image's type is part of its digest, so it is not changed here",
        )


class NoAnnotationsInDockerList(UsageError):
    """Annotations for Docker's types, which have no field for them. `places`: what they were for."""

    def __init__(self, places: Sequence[str]) -> None:
        self.places = tuple(places)
        super().__init__(
            "Docker's types have no annotations",
            tuple(f"annotations are given for {place}" for place in places),
            hint="use --type oci, or leave them out",
        )


class NothingToJoin(UsageError):
    """No image is left."""

    def __init__(self) -> None:
        super().__init__(
            "there is no image to join",
            hint="with --ignore-missing every image was missing; else name at least one",
        )
