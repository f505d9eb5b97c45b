"""Mirrors of registries: `docker.io/: mirror.example.org/hub/` under `mirrors:`, beside those of URLs."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from rearch.errors import UsageError
from rearch.formats.urls import rewrite
from rearch.model.reference import BadReference, Reference, hide_login, parse_reference


class BadMirror(UsageError):
    """A mirror's address that is no beginning of a reference. `mirror` is without a login."""

    def __init__(self, prefix: str, mirror: str, why: str) -> None:
        self.prefix = prefix
        self.mirror = hide_login(mirror)
        self.why = why
        super().__init__(
            f"mirrors: {prefix}: {self.mirror!r} is no place for images",
            (why,),
            hint="write host/path, without http(s)://; plain HTTP is set with `registries: {host: {plain_http: true}}`",
        )


def mirrored(reference: Reference, mirrors: Mapping[str, str]) -> Reference:
    """The reference as it is fetched: its longest matching prefix replaced, once, by whole parts of the name.

    Tag and digest stay, so that what comes is checked as if there were no mirror. Errors: BadMirror.
    """
    places = {prefix: mirror for prefix, mirror in mirrors.items() if "://" not in prefix}
    place = rewrite(reference.place, places)
    if place == reference.place:
        return reference
    try:
        found = parse_reference(place)
    except BadReference as error:
        prefix = max((each for each in places if reference.place.startswith(each)), key=len)
        raise BadMirror(prefix, places[prefix], error.why) from None
    return replace(reference, registry=found.registry, repository=found.repository)
