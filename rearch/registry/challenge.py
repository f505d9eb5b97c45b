"""WWW-Authenticate: how a registry wants to be asked (RFC 9110, 11.6.1; distribution's token specification)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from msgspec import Struct

from rearch.model.frozen import FrozenDict

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 - RFC 9110's word for a word
_PARAMETER = re.compile(rf'\s*({_TOKEN})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*))\s*(?:,|$)')
_SCHEME = re.compile(rf"\s*,*\s*({_TOKEN})(?=\s|,|$)")
_MOST = 16 * 1024


class Challenge(Struct, frozen=True, kw_only=True):
    """One way to ask: `scheme` in lower case (basic, bearer), parameters by their lower-case name."""

    scheme: str
    parameters: Mapping[str, str] = FrozenDict()

    def get(self, name: str) -> str:
        """A parameter, empty when it is not there."""
        return self.parameters.get(name, "")


def parse_challenges(header: str) -> tuple[Challenge, ...]:
    """All challenges of a header (several headers are joined by commas). What cannot be read is left out."""
    found: list[Challenge] = []
    text, at = header[:_MOST], 0
    while scheme := _SCHEME.match(text, at):
        at = scheme.end()
        parameters: dict[str, str] = {}
        while parameter := _PARAMETER.match(text, at):
            name, quoted, plain = parameter.groups()
            parameters.setdefault(name.lower(), re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else plain)
            at = parameter.end()
        found.append(Challenge(scheme=scheme[1].lower(), parameters=FrozenDict(parameters)))
    return tuple(found)


def choose(challenges: tuple[Challenge, ...]) -> Challenge | None:
    """The one that is answered: a token before a password, since a token can do less."""
    for scheme in ("bearer", "basic"):
        for challenge in challenges:
            if challenge.scheme == scheme and (scheme == "basic" or challenge.get("realm")):
                return challenge
    return None
