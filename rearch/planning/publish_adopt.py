"""Images of others that are published beside ours: which, of which component, for which platform.

A server that hands one image name to all of its hosts needs one index under it; where the image for one platform is
there already and well tried, it is adopted, to the byte, instead of built again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from rearch.errors import UsageError
from rearch.model.frozen import FrozenDict
from rearch.model.platform import Platform, UnknownPlatform, parse_platform
from rearch.model.reference import Reference, hide_login, parse_reference

if TYPE_CHECKING:  # a flag needs no models of YAML
    from rearch.model.settings import PublishSettings


class BadAdoption(UsageError):
    """An --adopt that cannot be read. `text` is what was given, as it may be shown; `why` is a line."""

    def __init__(self, text: str, why: str) -> None:
        self.text = text
        self.why = why
        example = "agent=linux/amd64@docker.io/rancher/agent:v1.2.11"
        super().__init__(f"--adopt {self.text}: {why}", hint=f"COMPONENT=PLATFORM@REFERENCE, as in {example}")


class NobodyAdopts(UsageError):
    """--adopt names a component that is not published. `there`: those that are."""

    def __init__(self, wanted: str, there: Sequence[str]) -> None:
        import difflib

        self.wanted = wanted
        self.there = tuple(there)
        names = [*there, *(name.rpartition("/")[2] for name in there)]
        near = difflib.get_close_matches(wanted, names, n=1)
        super().__init__(
            f"--adopt: {wanted} is not published",
            (f"published are {', '.join(there)}",) if there else (),
            hint=f"did you mean {near[0]}?" if near else "name a component, as NAME or STACK/NAME",
        )


class Adoption(Struct, frozen=True, kw_only=True):
    """`reference` gives the image of `platform` for `component` (`name` or `stack/name`)."""

    component: str
    platform: Platform
    reference: Reference


def parse_adoption(text: str) -> Adoption:
    """Read `COMPONENT=PLATFORM@REFERENCE`. Errors: BadAdoption, BadReference."""
    component, _, rest = text.partition("=")
    platform, _, reference = rest.partition("@")
    if not (component and platform and reference):
        raise BadAdoption(hide_login(text), "a part of it is missing")
    try:
        known = parse_platform(platform)
    except UnknownPlatform as error:
        if ":" in platform:  # it was forgotten, and a login may stand in its place
            raise BadAdoption(hide_login(text), "no platform stands before the @") from None
        raise BadAdoption(f"{component}={platform}@{hide_login(reference)}", error.summary) from None
    return Adoption(component=component, platform=known, reference=parse_reference(reference))


def adoptions_of(
    components: Sequence[str], flags: Sequence[Adoption], stacks: Mapping[str, PublishSettings]
) -> Mapping[str, tuple[Adoption, ...]]:
    """Component (`stack/name`) -> what it adopts, in the order of the platforms' names; a flag wins over the stack.

    Errors: NobodyAdopts, for a flag.
    """
    for flag in flags:
        if not any(_names(flag.component, component) for component in components):
            raise NobodyAdopts(flag.component, components)
    found = {component: _of(component, flags, stacks) for component in components}
    return FrozenDict({component: each for component, each in found.items() if each})


def _of(component: str, flags: Iterable[Adoption], stacks: Mapping[str, PublishSettings]) -> tuple[Adoption, ...]:
    stack, _, name = component.rpartition("/")
    said: Mapping[str, str] = stacks[stack].adopt.get(name, {}) if stack in stacks else {}
    wanted = {parse_platform(platform): parse_reference(reference) for platform, reference in said.items()}
    wanted |= {flag.platform: flag.reference for flag in flags if _names(flag.component, component)}
    return tuple(
        Adoption(component=component, platform=platform, reference=wanted[platform])
        for platform in sorted(wanted, key=str)
    )


def _names(word: str, component: str) -> bool:
    return word in (component, component.rpartition("/")[2])
