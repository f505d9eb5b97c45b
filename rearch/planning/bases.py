"""Which manifest of a locked base serves a platform: exactly that platform's, or none."""

from __future__ import annotations

from collections.abc import Iterable

from rearch.errors import UsageError
from rearch.model.lock import PinnedBase
from rearch.model.platform import Platform
from rearch.model.reference import parse_reference


class BaseWithoutPlatform(UsageError):
    """A base image has nothing for a platform. `platforms` are those that it has, in OCI's spelling."""

    def __init__(self, name: str, platform: Platform, platforms: Iterable[str]) -> None:
        self.name = name
        self.platform = platform
        self.platforms = tuple(sorted(platforms))
        super().__init__(
            f"{name} has no {platform}",
            (f"it has {', '.join(self.platforms) or 'no platform that rearch knows'}",),
            hint="take another base (under `platforms:` for this platform alone), or leave the platform out; "
            "if it was added upstream meanwhile: `invoke lock --update`",
        )


def manifest_for(pinned: PinnedBase, platform: Platform) -> str:
    """The digest of the base's manifest for this platform.

    No other will do, also where a processor runs both (arm/v6 on arm/v7). Errors: BaseWithoutPlatform.
    """
    found = pinned.platforms.get(str(platform))
    if found is None:
        raise BaseWithoutPlatform(parse_reference(pinned.reference).name, platform, pinned.platforms)
    return found
