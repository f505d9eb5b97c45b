"""Why an index cannot be read together, or got through only in part."""

from __future__ import annotations

from collections.abc import Sequence

from rearch.errors import ExitCode, RearchError, UsageError


class MissingImages(UsageError):
    """Images that are to be joined, and are not there. `missing`: name and reason of each."""

    def __init__(self, missing: Sequence[tuple[str, str]]) -> None:
        self.missing = tuple(missing)
        count = len(self.missing)
        several = f"{count} of the images to join are" if count > 1 else f"{self.missing[0][0]} is"
        super().__init__(
            f"{several} not there",
            tuple(f"{name}: {why}" for name, why in self.missing),
            hint="push them first, correct the names, or leave them out with --ignore-missing",
        )


class NoAnnotationsInManifest(UsageError):
    """Annotations for a manifest of Docker's type, which has no place for them."""

    def __init__(self, name: str, media_type: str) -> None:
        self.name = name
        self.media_type = media_type
        super().__init__(
            f"{name} cannot be annotated: it is of Docker's type",
            (f"its type is {media_type}", "a type is part of an image's digest, so it is not changed here"),
            hint="annotate its descriptor in an OCI index instead: `annotations` beside `image` in the spec, or"
            " --annotation manifest-descriptor:KEY=VALUE with --type oci",
        )


class TagsInPart(RearchError):
    """Some tags name the new index, others could not be set. `done`: those that do; `failed`: tag and error."""

    exit_code = ExitCode.PARTIAL

    def __init__(self, digest: str, done: Sequence[str], failed: Sequence[tuple[str, RearchError]]) -> None:
        self.digest = digest
        self.done = tuple(done)
        self.failed = tuple(failed)
        lines = [f"{name} names {digest}" for name in self.done]
        for name, error in self.failed:
            lines += [f"{name} does not: {error.summary}", *(f"  {detail}" for detail in error.details)]
        super().__init__(
            f"{len(self.done)} of {len(self.done) + len(self.failed)} tags were set",
            lines,
            hint=self.failed[0][1].hint or "run the same command again: what is there is not sent twice",
        )
