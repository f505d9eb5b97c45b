"""Why an image of others cannot stand in the index of ours."""

from __future__ import annotations

from collections.abc import Sequence

from rearch.errors import StepError, TemporaryError, UsageError, VerificationError
from rearch.model.platform import Platform


class NotInOriginal(VerificationError):
    """The image to be adopted is not for the platform that it was to be adopted for. `there`: those that it has."""

    def __init__(self, name: str, wanted: Platform, there: Sequence[str]) -> None:
        self.name = name
        self.wanted = wanted
        self.there = tuple(there)
        super().__init__(
            f"{name} has no image for {wanted}, for which it is to be adopted",
            (f"it has {', '.join(there)}",),
            hint="name another tag of it, or leave this platform out of `publish: {adopt: ...}` (or --adopt)",
        )


class OfflineOriginal(TemporaryError):
    """No network, and nobody has looked yet what is to be adopted."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f"{name} is to be adopted, and --offline forbids to ask for it",
            ("it was not published from this output folder before, so nothing is remembered of it",),
            hint="publish once without --offline (REARCH_OFFLINE, `offline:` in rearch.yaml); --refresh asks each time",
        )


class OriginalGone(StepError):
    """What was found once, and is still adopted, cannot be fetched any more. `place`: registry and repository."""

    def __init__(self, place: str, digest: str) -> None:
        self.place = place
        self.digest = digest
        super().__init__(
            f"{place}: a blob of the adopted image is not there any more",
            (digest,),
            hint="--refresh asks again what its reference names; if it is gone for good, adopt another",
        )


class DoesNotFit(UsageError):
    """Docker's manifest list, which has room for Docker's images alone. `what` and its `found` media type."""

    def __init__(self, component: str, name: str, what: str, found: str) -> None:
        self.component = component
        self.name = name
        self.what = what
        self.found = found
        super().__init__(
            f"{component}: {name} does not fit into Docker's manifest list",
            (f"its {what} is of the type {found}", "engines that need such a list (Docker 1.12) could not pull it"),
            hint=f"adopt an image with Docker's types, or say `media_types: oci` in the image of {component}",
        )
