"""What became of a publish."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from rearch.errors import ExitCode, RearchError, VerificationError, worst
from rearch.model.frozen import NOTHING
from rearch.planning.publish_targets import TagPlace
from rearch.planning.publish_values import PublishPlan
from rearch.publishing.errors import PublishedInPart


class Published(Struct, frozen=True, kw_only=True):
    """A tag that names what it should. `how`: unchanged, new, moved, merged. `platforms`: platform -> digest of the
    image that it gives there, those of others included. `is_index`: not the tag of a single image."""

    component: str
    place: TagPlace
    digest: str
    how: str
    platforms: Mapping[str, str]
    is_index: bool

    @property
    def reference(self) -> str:
        """`registry/repository:tag@sha256:...`, `oci:FOLDER/repository:tag@sha256:...`."""
        return f"{self.place}@{self.digest}"


class Outcome(Struct, frozen=True, kw_only=True):
    """One image on one target. With an error, `tags` are those that were set before it; `missing` the others.

    `adopted`: platform -> the image of others that stands in the index for it, by its digest.
    """

    component: str
    place: str
    tags: tuple[Published, ...]
    adopted: Mapping[str, str] = NOTHING
    missing: tuple[TagPlace, ...] = ()
    error: RearchError | None = None


class PublishResult(Struct, frozen=True, kw_only=True):
    """All images on all targets. `plans` are for --dry-run alone. `bytes_sent` to all targets together."""

    outcomes: tuple[Outcome, ...]
    plans: tuple[PublishPlan, ...] = ()
    bytes_sent: int = 0

    @property
    def tags(self) -> tuple[Published, ...]:
        return tuple(tag for outcome in self.outcomes for tag in outcome.tags)

    @property
    def errors(self) -> tuple[tuple[str, RearchError], ...]:
        """Where, and what; the sum of it at the end where some got through."""
        found = [(one.place, one.error) for one in self.outcomes if one.error is not None]
        return (*found, *(("", error) for error in self._in_part(found)))

    @property
    def exit_code(self) -> ExitCode:
        """4 when only part got through; what is not as it was audited outranks that."""
        found = [one.error for one in self.outcomes if one.error is not None]
        if any(isinstance(error, VerificationError) for error in found) or not found or not self.tags:
            return worst(found)
        return ExitCode.PARTIAL

    def _in_part(self, found: Sequence[tuple[str, RearchError]]) -> tuple[RearchError, ...]:
        if not found or not self.tags:
            return ()
        missing = [str(place) for outcome in self.outcomes for place in outcome.missing]
        return (PublishedInPart([tag.reference for tag in self.tags], missing),)
